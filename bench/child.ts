// Checks or times one case in a process of its own, so that its peak memory is its own: child.ts check|time CASE THREADS.
import process from 'node:process';
import { loadAddon } from '../src/addon.js';
import { openEngine } from '../src/engine/index.js';
import { AnomalyClrError } from '../src/errors.js';
import { time } from './case.js';
import { cases } from './cases.js';

const [what, index, threads] = process.argv.slice(2);
try {
  const one = cases()[Number(index)];
  const opened = await one.open(openEngine('native', Number(threads)));
  if (what === 'check') await opened.check();
  else {
    const addon = loadAddon();
    const peak = () => addon.peak({ precision: one.precision ?? 'f32', seconds: 0.2 });
    const before = opened.flop ? await peak() : 0;
    const rates = await time(() => opened.run(), one.batch, one.long);
    const peakRssMb = process.resourceUsage().maxRSS / 1024;
    const { target, threads: used } = addon.info();
    const share = opened.flop && (opened.flop / one.batch) * (rates.median / Math.max(before, await peak()));
    process.send?.({ rates, backend: target, threads: used, peakRssMb, ...(share ? { share } : {}) });
  }
} catch (error) {
  if (!(error instanceof AnomalyClrError)) throw error;
  process.send?.({ problem: error.message });
}
process.disconnect?.();
