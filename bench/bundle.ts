// A run's bundle beside the same model exported by PyTorch, both on the same ONNX Runtime, in one process, in turn:
//   npm run bench:bundle -- RUN [--python FILE] [--rounds N] [--threads N] [--data FILE] [--json FILE]
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { packageRoot } from '../src/addon.js';
import { inputName } from '../src/bundle/card.js';
import { padEvents } from '../src/bundle/pad.js';
import { openSession, type OnnxSession } from '../src/bundle/session.js';
import { AnomalyClrError } from '../src/errors.js';
import { range, type EventBatch } from '../src/events/event-batch.js';
import { layout as slotsOf } from '../src/events/objects.js';
import { buildModel, type GraphOptions } from '../src/export/model.js';
import { activationRanges } from '../src/export/quantise.js';
import { writeAtomically } from '../src/files.js';
import { readAll } from '../src/read/index.js';
import { loadRun } from '../src/score/load-run.js';
import { agree } from './case.js';
import { median } from './timing.js';

const batches = [1, 64, 256, 1024, 4096];
/** Of calls in one round at one batch. */
const secondsPerRound = 0.7;

interface Contender {
  readonly name: string;
  readonly session: OnnxSession;
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { python: text, rounds: text, threads: text, data: text, json: text },
  });
  const [run] = positionals;
  if (run === undefined) throw new AnomalyClrError('name the folder of a trained run');
  const threads = Number(values.threads ?? os.availableParallelism());
  const data = values.data ?? path.join(packageRoot(), 'sample', 'background_test.h5');
  const { batch: events } = await readAll([data], { onBadEvent: 'skip', maxEvents: 8192 });
  const contenders = [
    ...(await ours(run, threads, events)),
    ...(await peers(run, threads, values.python ?? 'python3')),
  ];
  await verify(contenders, events);
  const results = [];
  for (const batch of batches) results.push(await measure(contenders, events, batch, Number(values.rounds ?? 7)));
  for (const { session } of contenders) await session.dispose();
  const machine = { cpu: os.cpus()[0]?.model.trim(), cores: os.availableParallelism(), threads };
  if (values.json !== undefined)
    await writeAtomically(values.json, `${JSON.stringify({ run, machine, results }, null, 2)}\n`);
}

async function ours(run: string, threads: number, events: EventBatch): Promise<Contender[]> {
  const { parts: model, domain } = await loadRun(run);
  const parts = { ...model, domain };
  const made: Contender[] = [];
  for (const layout of ['packed', 'padded'] as const)
    for (const precision of ['f32', 'bf16', 'f16', 'int8'] as const) {
      if (layout === 'padded' && precision !== 'f32') continue;
      const options: GraphOptions = { part: 'scorer', precision, layout };
      const ranges = precision === 'int8' ? await activationRanges(parts, options, range(events, 0, 4096)) : undefined;
      const bytes = buildModel(parts, ranges ? { ...options, ranges } : options);
      made.push({ name: `${layout} ${precision}`, session: await openSession(bytes, { provider: 'cpu', threads }) });
    }
  return made;
}

/** The same model from both of PyTorch's exporters, those that work here. */
async function peers(run: string, threads: number, python: string): Promise<Contender[]> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'anomalyclr-bench-'));
  const script = fileURLToPath(new URL('peers/torch_export.py', import.meta.url)).replace('/dist/', '/');
  const made: Contender[] = [];
  for (const exporter of ['dynamo', 'torchscript']) {
    const file = path.join(folder, `${exporter}.onnx`);
    const { status, stderr } = spawnSync(python, [script, run, file, '--exporter', exporter], { encoding: 'utf8' });
    if (status === 0) {
      const session = await openSession(await readFile(file), { provider: 'cpu', threads });
      made.push({ name: `PyTorch ${exporter}`, session });
    } else console.log(`PyTorch ${exporter}: not measured: ${stderr.trim().split('\n').at(-1)}`);
  }
  await rm(folder, { recursive: true });
  return made;
}

/** Events in the 19 slots of their files, which is what both are given. */
function feedsOf(events: EventBatch, from: number, count: number) {
  const { objects, slots } = padEvents(range(events, from, from + count));
  const padded = new Float32Array(count * slotsOf.slots * 4);
  for (let e = 0; e < count; e++)
    padded.set(objects.subarray(e * slots * 4, (e + 1) * slots * 4), e * slotsOf.slots * 4);
  return { [inputName]: { type: 'float32', dims: [count, slotsOf.slots, 4], data: padded } };
}

async function verify(contenders: readonly Contender[], events: EventBatch): Promise<void> {
  const feeds = feedsOf(events, 0, 1024);
  const scores = await Promise.all(
    contenders.map(async ({ session }) => (await session.run(feeds, ['score']))['score'].data as Float32Array),
  );
  contenders.forEach(({ name }, i) => {
    const exact = /f32|PyTorch/.test(name);
    if (exact) agree(name, scores[i], scores[0], 1e-3);
  });
}

async function measure(contenders: readonly Contender[], events: EventBatch, batch: number, rounds: number) {
  const calls = Array.from({ length: Math.max(1, Math.min(16, Math.floor(events.count / batch))) }, (_, i) =>
    feedsOf(events, i * batch, batch),
  );
  const rates = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++)
    for (const { name, session } of contenders) {
      await session.run(calls[0], ['score']);
      const started = performance.now();
      let scored = 0;
      for (let i = 0; performance.now() - started < secondsPerRound * 1000; i++, scored += batch)
        await session.run(calls[i % calls.length], ['score']);
      rates.get(name)?.push((scored * 1000) / (performance.now() - started));
    }
  const peer = Math.max(0, ...[...rates].filter(([name]) => name.startsWith('PyTorch')).map(([, of]) => median(of)));
  console.log(`batch ${batch}`);
  const lines = [...rates].map(([name, of]) => {
    const figures = { name, median: median(of), min: Math.min(...of), max: Math.max(...of) };
    const ratio = peer > 0 ? figures.median / peer : undefined;
    const shown = [figures.median, figures.min, figures.max].map(x => Math.round(x).toLocaleString('en').padStart(9));
    console.log(`  ${name.padEnd(20)} ${shown.join(' ')} events/s  ${ratio ? `${ratio.toFixed(2)}x` : ''}`);
    return { ...figures, overBestPeer: ratio };
  });
  return { batch, lines };
}

await main();
