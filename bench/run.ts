// The benchmark: npm run bench -- [--filter NAME] [--threads N] [--json FILE] [--peer COMMAND]. See README.md.
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { loadAddon } from '../src/addon.js';
import { AnomalyClrError, UsageError } from '../src/errors.js';
import { writeAtomically } from '../src/files.js';
import { ask } from './ask.js';
import type { Case, Rates } from './case.js';
import { cases } from './cases.js';

/** A measured case as `--json` writes it. */
interface Measured {
  readonly name: string;
  readonly model: string;
  readonly engine: string;
  readonly backend: string;
  readonly precision: string;
  readonly batch: number;
  readonly threads: number;
  readonly events_per_s: Rates;
  readonly peak_rss_mb: number;
  /** Of the peak of multiply-adds in that precision, measured before and after; dense products alone count. */
  readonly share_of_peak?: number;
  readonly checked: boolean;
}

async function measure(one: Case, index: number, threads: number): Promise<Measured> {
  const label = `${one.name}, batch ${one.batch}`;
  // a long case is a larger one of those that are checked
  const checked = one.long ? undefined : await ask('check', index, threads);
  if (checked && 'problem' in checked) throw new AnomalyClrError(`${label}: ${checked.problem}; not timed`);
  const timed = await ask('time', index, threads);
  if (!timed || 'problem' in timed)
    throw new AnomalyClrError(`${label}: ${timed?.problem ?? 'its process gave no times'}`);
  return {
    name: one.name,
    model: one.model,
    engine: 'native',
    backend: timed.backend,
    precision: one.precision ?? 'f32',
    batch: one.batch,
    threads: timed.threads,
    events_per_s: timed.rates,
    peak_rss_mb: Math.round(timed.peakRssMb),
    ...(timed.share === undefined ? {} : { share_of_peak: timed.share }),
    checked: !one.long,
  };
}

function machine() {
  const { version, features } = loadAddon().info();
  return {
    cpu: os.cpus()[0]?.model.trim() ?? os.arch(),
    cores: os.availableParallelism(),
    memory_gb: Math.round(os.totalmem() / 1e9),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    anomalyclr: version,
    features,
  };
}

const columns = ['case', 'batch', 'events/s', 'slowest', 'fastest', 'calls', 'MB', 'peak', 'on'];
const widths = [16, 6, 10, 10, 10, 6, 6, 5, 0];
const line = (cells: readonly (string | number)[]): string =>
  cells
    .map((cell, i) => (i === 0 || i === 8 ? String(cell).padEnd(widths[i]) : String(cell).padStart(widths[i])))
    .join(' ');
const rate = (value: number): string => (value >= 100 ? String(Math.round(value)) : value.toPrecision(3));
const row = ({ name, batch, events_per_s, peak_rss_mb: mb, share_of_peak: share, model }: Measured): string => {
  const { median, min, max, runs, latency_us: us } = events_per_s;
  const latency = us ? `; p50 ${us.p50.toFixed(0)} us, p99 ${us.p99.toFixed(0)} us` : '';
  return line([
    name,
    batch,
    rate(median),
    rate(min),
    rate(max),
    runs,
    mb,
    share ? `${Math.round(100 * share)}%` : '',
    `${model}${latency}`,
  ]);
};

/** Runs another program and shows the end of what it says. */
function showPeer(command: string): void {
  const { status, stdout, stderr } = spawnSync(command, { shell: true, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0)
    throw new AnomalyClrError(
      `--peer ${command}: ended with ${status ?? 'a signal'}: ${stderr.trim().split('\n').at(-1)}`,
    );
  console.log(`\npeer: ${command}\n${stdout.trim().split('\n').slice(-5).join('\n')}`);
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parse(() =>
    parseArgs({ options: { filter: text, threads: text, json: text, peer: { ...text, multiple: true } } }),
  );
  const threads = Number(values.threads ?? 0);
  if (!(Number.isInteger(threads) && threads >= 0 && threads <= 1024))
    throw new UsageError(`--threads: got ${values.threads}, allowed: a whole number, 0 (all cores) to 1024`);
  const all = cases();
  const wanted = values.filter ?? '';
  const chosen = all.filter(({ name, batch, long }) => (long ? `${name}-${batch}` === wanted : name.includes(wanted)));
  if (chosen.length === 0)
    throw new UsageError(
      `--filter ${values.filter}: no such case; there are ${[...new Set(all.map(c => c.name))].join(', ')}`,
    );
  const here = machine();
  console.log(`${here.cpu}, ${here.cores} cores; Node.js ${here.node}; anomalyclr ${here.anomalyclr}`);
  console.log(line(columns));
  const results: Measured[] = [];
  for (const one of chosen) {
    const result = await measure(one, all.indexOf(one), threads);
    results.push(result);
    console.log(row(result));
  }
  const checked = results.every(result => result.checked) ? 'all checked' : 'long cases are not checked';
  console.log(`${checked}; ${results[0].backend}, ${results[0].threads} threads`);
  for (const command of values.peer ?? []) showPeer(command);
  if (values.json !== undefined)
    await writeAtomically(values.json, `${JSON.stringify({ machine: here, cases: results }, null, 2)}\n`);
}

function parse<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof AnomalyClrError)) throw error;
  console.error(`bench: ${error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
