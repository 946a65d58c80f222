// Answers one Request (ask.ts) in a process of its own, so that its peak memory is that of the case alone.
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { loadAddon } from '../src/addon.js';
import { findCuda } from '../src/engine/cuda.js';
import { openEngine, type Engine } from '../src/engine/index.js';
import { AnomalyClrError } from '../src/errors.js';
import { oneLine } from '../src/files.js';
import type { Answers, CaseAt, Request } from './ask.js';
import type { Case, Place } from './case.js';
import { cases } from './cases.js';
import { openOnnxScorer } from './peers/onnx.js';
import { findTorch, timeTorch } from './peers/torch.js';
import { encoderWeights } from './scoring-model.js';
import { published } from './setting.js';
import type { Subject } from './subjects.js';
import { time } from './timing.js';

/** What `load` gives, or undefined where the addon is missing. */
async function ifBuilt<T>(load: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof AnomalyClrError)) throw error;
    return undefined;
  }
}

async function engineOf(subject: Subject, threads: number): Promise<Engine | undefined> {
  switch (subject.engine) {
    case 'native':
      return openEngine({ engine: 'native', device: 'cpu', threads });
    case 'cuda':
      return openEngine({ engine: 'native', device: 'cuda', threads });
    case 'tfjs':
      return openEngine({ engine: 'tfjs', tfjsBackend: subject.backend, tfjsKernels: subject.kernels, threads });
    case 'onnxruntime':
    case 'torch':
      return undefined;
  }
}

async function probe(subject: Subject, threads: number): Promise<Answers['probe']> {
  if (subject.engine === 'torch') return { describe: findTorch() };
  const engine = await engineOf(subject, threads);
  if (!engine) {
    const encoder = { ...published, weights: encoderWeights, from: 0, to: published.width };
    return { describe: `onnxruntime ${(await openOnnxScorer({ encoder, threads })).version}` };
  }
  const describe = engine.describe();
  if (subject.engine === 'tfjs' && subject.backend === 'node-gpu' && !describe.includes('GPU'))
    throw new AnomalyClrError('TensorFlow.js backend node-gpu: it finds no GPU here');
  return { describe };
}

function caseOf({ name, model }: CaseAt): Case {
  const one = cases.find(candidate => candidate.name === name && candidate.model === model);
  if (!one) throw new AnomalyClrError(`there is no case ${name} on ${model}`);
  return one;
}

async function open(at: CaseAt) {
  const { name, batch, subject, threads } = at;
  const engine = await engineOf(subject, threads);
  const place: Place = {
    subject,
    batch,
    threads,
    engine() {
      if (!engine) throw new AnomalyClrError(`${name}: ${subject.engine} is no engine`);
      return engine;
    },
    reference: () => ifBuilt(() => openEngine({ engine: 'native', device: 'cpu', threads })),
  };
  return { place, opened: await caseOf(at).open(place) };
}

async function check(at: CaseAt): Promise<Answers['check']> {
  if (at.subject.engine === 'torch') return { checked: false };
  const { place, opened } = await open(at);
  const reference = await place.reference();
  if (reference) await opened.check(reference);
  return { checked: reference !== undefined };
}

async function timed(at: CaseAt, seconds: number): Promise<Answers['time']> {
  if (at.subject.engine === 'torch') return timeTorch(caseOf(at).torch ?? [], at.subject.mode, at.batch, seconds);
  const free = at.subject.engine === 'cuda' ? freeOnGpu() : 0;
  const { opened } = await open(at);
  // a GPU's peak is not measured
  const addon = opened.flop === undefined || at.subject.engine === 'cuda' ? undefined : await ifBuilt(loadAddon);
  const threads = threadsOf(at);
  addon?.setThreads(threads);
  const peak = async (): Promise<number> => (await addon?.peak({ precision: at.subject.precision, seconds: 0.2 })) ?? 0;
  const before = await peak();
  const rates = await time(() => opened.run(), at.batch, seconds);
  const peakRssMb = process.resourceUsage().maxRSS / 1024;
  const most = Math.max(before, await peak());
  const deviceMb = at.subject.engine === 'cuda' ? { deviceMb: (free - freeOnGpu()) / 2 ** 20 } : {};
  const share = most > 0 && opened.flop !== undefined ? ((opened.flop / at.batch) * rates.median) / most : undefined;
  return {
    rates,
    backend: backendOf(at.subject),
    threads,
    peakRssMb,
    ...deviceMb,
    ...(share === undefined ? {} : { share }),
  };
}

const backendOf = (subject: Subject): string =>
  subject.engine === 'cuda'
    ? 'cuda'
    : subject.engine === 'native'
      ? loadAddon().info().target
      : subject.engine === 'tfjs'
        ? subject.backend
        : 'cpu';

/** Bytes. What a process holds of a GPU it mostly keeps, so what is gone at the end is about the most it took. */
function freeOnGpu(): number {
  const found = findCuda();
  return found.available ? found.memoryFree : 0;
}

/** Threads that a subject computes on: wasm and cpu of TensorFlow.js have one, beside those of native kernels. */
function threadsOf({ subject, threads }: CaseAt): number {
  const single = subject.engine === 'tfjs' && subject.kernels === 'pure' && !subject.backend.startsWith('node');
  return single ? 1 : threads === 0 ? availableParallelism() : threads;
}

const request = JSON.parse(process.argv[2]) as Request;
try {
  const answer =
    request.what === 'probe'
      ? await probe(request.subject, request.threads)
      : request.what === 'check'
        ? await check(request)
        : await timed(request, request.seconds);
  process.send?.(answer);
} catch (error) {
  const { name, message } = error as Error;
  process.send?.({ problem: oneLine(error instanceof AnomalyClrError ? message : `unexpected ${name}: ${message}`) });
}
process.disconnect?.();
