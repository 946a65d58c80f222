// Every bar of the CPU engine beside its peer, in one run: npm run bench:bars -- [--python FILE] [--rounds N] [--json FILE].
// Ours and the peer's are measured in turn, round after round, so that what else the machine does meets both.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { packageRoot } from '../src/addon.js';
import { AnomalyClrError } from '../src/errors.js';
import { writeAtomically } from '../src/files.js';
import { ask, failed, type CaseAt, type Timed } from './ask.js';
import { cases } from './cases.js';
import { median } from './timing.js';

interface Ours {
  readonly name: string;
  readonly batch: number;
  readonly precision?: 'bf16';
  readonly threads: number;
  /** Part of the case's model, where name, batch and precision leave several. */
  readonly model?: string;
}

/** A measured figure is to be at least, or at most, `bar`. */
interface Bar {
  readonly what: string;
  readonly ours: Ours;
  /** What it is divided by: a peer's events/s, or another case of ours. */
  readonly peer?: readonly string[];
  readonly over?: Ours;
  readonly figure?: (timed: Timed) => number;
  readonly unit: string;
  readonly bar: number;
  readonly least: boolean;
}

const step = (batch: number, precision?: 'bf16', threads = 2): Ours => ({
  name: 'train-step',
  batch,
  threads,
  model: 'anomclr,',
  ...(precision ? { precision } : {}),
});
const torch = (...args: string[]) => ['torch', '--threads', '2', '--seconds', '3', ...args];
const best = (batch: number) =>
  torch(
    '--mode',
    'best',
    '--compile',
    '0',
    '--augc',
    '0',
    '--attn',
    'sdpa',
    '--dropgen',
    'bytes',
    '--batch',
    `${batch}`,
  );
const onnx = (batch: number) => ['onnx', '--threads', '1', '--seconds', '3', '--batch', `${batch}`];
const megabytes = { figure: (t: Timed) => t.peakRssMb * 1.048576, unit: 'MB', least: false };
const ratio = { unit: 'x', least: true };

const bars: Bar[] = [
  { what: 'training step, clean eager PyTorch, f32', ours: step(512), peer: torch('--mode', 'eager', '--batch', '512'), bar: 10, ...ratio },
  { what: 'training step, clean eager PyTorch, bf16', ours: step(512, 'bf16'), peer: torch('--mode', 'eager', '--batch', '512'), bar: 16, ...ratio },
  ...[128, 512, 2048].flatMap((batch): Bar[] => [
    { what: `training step ${batch}, best PyTorch, f32`, ours: step(batch), peer: [...best(batch), '--dtype', 'fp32'], bar: 1.8, ...ratio },
    { what: `training step ${batch}, best PyTorch, bf16`, ours: step(batch, 'bf16'), peer: [...best(batch), '--dtype', 'bf16'], bar: 2.2, ...ratio },
  ]),
  ...[1, 2].map((threads): Bar => ({
    what: `f32 step, share of the peak, ${threads} threads`, ours: step(512, undefined, threads), figure: t => 100 * (t.share ?? NaN), unit: '%', bar: 65, least: true,
  })),
  { what: 'three views, one core', ours: { name: 'augment', batch: 4096, threads: 1 }, figure: t => t.rates.median, unit: 'ev/s', bar: 1e6, least: true },
  { what: 'scoring file to file, a core, ONNX Runtime at 1', ours: { name: 'score-files', batch: 32_768, threads: 1 }, peer: onnx(1), bar: 4, ...ratio },
  { what: 'scoring file to file, a core, ONNX Runtime at 64', ours: { name: 'score-files', batch: 32_768, threads: 1 }, peer: onnx(64), bar: 4, ...ratio },
  { what: 'scoring file to file, best PyTorch, bf16', ours: { name: 'score-files', batch: 32_768, threads: 2, precision: 'bf16' }, peer: torch('--mode', 'best', '--task', 'score', '--batch', '1024', '--dtype', 'bf16'), bar: 1.7, ...ratio },
  { what: 'scoring one event, p50', ours: { name: 'score-one', batch: 1, threads: 1 }, figure: t => t.rates.latency_us.p50, unit: 'us', bar: 100, least: false },
  { what: 'scoring one event, p99', ours: { name: 'score-one', batch: 1, threads: 1 }, figure: t => t.rates.latency_us.p99, unit: 'us', bar: 250, least: false },
  ...[512, 2048].map((batch): Bar => ({ what: `two threads over one, f32 step ${batch}`, ours: step(batch), over: step(batch, undefined, 1), bar: 1.85, ...ratio })),
  { what: 'two threads over one, bf16 step 512', ours: step(512, 'bf16'), over: step(512, 'bf16', 1), bar: 1.85, ...ratio },
  { what: 'resident memory of training, batch 4096', ours: step(4096), bar: 1500, ...megabytes },
]; // prettier-ignore

/** One timing of a case of ours, in a process of its own; checked against its reference the first time. */
async function time({ name, batch, precision, threads, model = '' }: Ours): Promise<Timed> {
  const one = cases.find(c => c.name === name && c.model.includes(model));
  if (!one) throw new AnomalyClrError(`there is no case ${name} on ${model}`);
  const at: CaseAt = {
    name,
    model: one.model,
    batch,
    subject: { engine: 'native', precision: precision ?? 'f32' },
    threads,
  };
  const answered = async <W extends 'check' | 'time'>(what: W) => {
    const answer = await ask<W>({ what, ...at, seconds: 1.5 });
    if (failed(answer)) throw new AnomalyClrError(`${name}, batch ${batch}: ${answer.problem}`);
    return answer;
  };
  const key = JSON.stringify(at);
  if (!checked.has(key)) await answered('check');
  checked.add(key);
  return answered('time');
}
const checked = new Set<string>();

/** Events/s that a peer reports in the JSON of its last line; undefined where it cannot run here. */
function timePeer(python: string, [kind, ...args]: readonly string[]): number | undefined {
  const shared = process.env['ANOMALYCLR_SHARED'] ?? path.join(packageRoot(), '..', 'shared');
  const script =
    kind === 'torch'
      ? path.join(shared, 'peers', 'peer_torch.py')
      : fileURLToPath(new URL('peers/onnxruntime_padded.py', import.meta.url));
  if (!existsSync(script)) return undefined;
  const data = path.join(packageRoot(), 'sample', 'background_train.h5');
  const { status, stdout } = spawnSync(python, [script, ...args, '--data', data], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  return (JSON.parse(stdout.trim().split('\n').at(-1)!) as { events_per_s: number }).events_per_s;
}

const short = (x: number): string => (Math.abs(x) >= 100 ? Math.round(x).toLocaleString('en') : x.toPrecision(3));

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { python: text, rounds: text, json: text, filter: text } });
  const rounds = Number(values.rounds ?? 5);
  const results = [];
  for (const { what, ours, peer, over, figure, unit, bar, least } of bars) {
    if (!what.includes(values.filter ?? '')) continue;
    const own: number[] = [];
    const others: number[] = [];
    const value: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const timed = await time(ours);
      const other = peer ? timePeer(values.python ?? 'python3', peer) : over ? (await time(over)).rates.median : 1;
      if (other === undefined) break;
      own.push(figure ? figure(timed) : timed.rates.median);
      others.push(other);
      value.push(own[round] / other);
    }
    const name = what.padEnd(52);
    if (own.length === 0) {
      console.log(`${name} not measured: its peer does not run here`);
      results.push({ what, bar, met: null });
      continue;
    }
    const figures = median(own) / median(others);
    const met = least ? figures >= bar : figures <= bar;
    const range = `${short(Math.min(...value))}..${short(Math.max(...value))}`;
    const beside = peer || over ? `${short(median(own))} / ${short(median(others))} ev/s` : '';
    console.log(
      `${name} ${`${short(figures)} ${unit}`.padStart(14)}  ${range.padEnd(24)} bar ${least ? '>=' : '<='} ${bar}: ${met ? 'met' : 'MISSED'}  ${beside}`,
    );
    results.push({ what, figure: figures, unit, bar, met, rounds: value, ours: own, others });
  }
  if (values.json !== undefined) await writeAtomically(values.json, `${JSON.stringify({ bars: results }, null, 2)}\n`);
}

await main();
