/** Writes the valid files of `bases/`, of which the inputs of the targets are changes: `npx tsx test/fuzz/readers/make-bases.ts`, then prettier. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import h5wasm from 'h5wasm/node';
import { packageRoot } from '../../../src/addon.js';
import { cardKey } from '../../../src/bundle/card.js';
import { parseOptions, toConfig } from '../../../src/config/parse.js';
import { type Domain, DomainBuilder } from '../../../src/events/domain.js';
import { EventBatchBuilder, range } from '../../../src/events/event-batch.js';
import { sumCount } from '../../../src/events/event-sums.js';
import { buildModel } from '../../../src/export/model.js';
import { saveCheckpoint } from '../../../src/model/checkpoint.js';
import { saveEncoder } from '../../../src/model/encoder-file.js';
import { initialWeights } from '../../../src/model/initialise.js';
import { perceptronLayout, encoderLayout } from '../../../src/model/layout.js';
import { readAll, readEvents, writeEvents } from '../../../src/read/index.js';
import { PackedWriter } from '../../../src/read/cache/packed-writer.js';
import { type TrialFile, trialName } from '../../../src/scan/trial.js';
import type { DetectorMember, DetectorWeights } from '../../../src/score/detector.js';
import { saveDetector } from '../../../src/score/detector-file.js';
import { mapFile, type PartManifest, scoresFile, writeManifest } from '../../../src/score/evaluation-part.js';
import { sumsOf } from '../../../src/score/load-run.js';
import type { Identity, Origin } from '../../../src/score/origin.js';
import { PartFolder } from '../../../src/score/part-folder.js';
import { columnsOf } from '../../../src/score/representation.js';
import { openScoreWriter } from '../../../src/score/write-scores.js';
import { bareCard } from '../../support/card.js';
import { tinyEncoder } from './tiny-encoder.js';

const events = 6;
const sums = sumsOf({ sums: true }, { data: 'event' });
/** Numbers of an event that the detector reads. */
const reads = tinyEncoder.width + sumCount(sums);
const identity: Identity = {
  version: '0.0.0',
  model: 'a model',
  data: '0'.repeat(64),
  files: 1,
  total: 2 * events,
  schema: '',
  settings: { batch: 512 },
};

const out = path.join(packageRoot(), 'test', 'fuzz', 'readers', 'bases');
const made = mkdtempSync(path.join(tmpdir(), 'anomalyclr-bases-'));
const at = (...name: string[]): string => path.join(made, ...name);
const { batch } = await readAll([path.join(packageRoot(), 'sample', 'background_train.h5')], {
  onBadEvent: 'fail',
  maxEvents: 60,
});

await writeEventFiles();
await writePackedCopies();
const domain = domainOf();
await writeRun(domain);
await writeBundle(domain);
await writeScores();
await writeEvaluation();
await writeTrial();
rmSync(out, { recursive: true, force: true });
cpSync(made, out, { recursive: true });
rmSync(made, { recursive: true });

/** In the ADC2021 layout: unpacked, packed in chunks, as this program writes it, and with the checksums of HDF5 1.10. */
async function writeEventFiles(): Promise<void> {
  (await h5wasm.ready).activate_throwing_error_handler();
  const values = new Float32Array(events * 76);
  for (let e = 0; e < events; e++) {
    const slots = { 1: 0, 2: 1, 3: 5, 4: 9 } as Record<number, number>;
    for (let o = batch.offsets[e]; o < batch.offsets[e + 1]; o++)
      values.set([batch.pt[o], batch.eta[o], batch.phi[o], batch.kind[o]], e * 76 + slots[batch.kind[o]]++ * 4);
  }
  const ids = BigInt64Array.from({ length: events }, (_, e) => BigInt(1000 + e));
  const write = (name: string, packing: object, libver: 'earliest' | 'latest'): void => {
    const file = new h5wasm.File(at(name), 'w', { libver: [libver, 'latest'] } as never);
    file.create_dataset({ name: 'Particles', data: values, shape: [events, 19, 4], ...packing });
    file.create_dataset({ name: 'EvtId', data: ids });
    file.close();
  };
  write('adc-plain.h5', {}, 'earliest');
  write('adc-latest.h5', {}, 'latest');
  write('adc-packed.h5', { chunks: [4, 19, 4], compression: 6 }, 'earliest');
  await writeEvents(at('adc-ours.h5'), readEvents(at('adc-plain.h5'), { onBadEvent: 'fail' }));
}

/** One copy of events alone, and one with rows that are bad or cut. */
async function writePackedCopies(): Promise<void> {
  const source = {
    data: 'event' as const,
    stride: 1,
    source: 'events.h5',
    version: '0.0.0',
    fingerprint: { size: 1, changed: '1', sample: '0'.repeat(64), schema: '' },
  };
  const copy = async (name: string, rows: number, hasEventIds: boolean, bad: readonly number[]): Promise<void> => {
    const writer = await PackedWriter.create(at(name), { ...source, rows, hasEventIds });
    const builder = new EventBatchBuilder();
    for (let row = 0; row < rows; row++) {
      if (bad.includes(row)) continue;
      for (let o = batch.offsets[row]; o < batch.offsets[row + 1]; o++)
        builder.addObject(batch.pt[o], batch.eta[o], batch.phi[o], batch.kind[o]);
      builder.endEvent(row, hasEventIds ? BigInt(row) : undefined);
    }
    const problems = bad
      .filter(row => row % 2 === 0)
      .map(row => ({ message: `event ${row}: pT is NaN`, row, eventId: undefined }));
    await writer.append({ batch: builder.build(), problems }, rows);
    await writer.finish('0'.repeat(64));
  };
  await copy('copy.arrow', events, false, []);
  await copy('copy-bad.arrow', events, true, [2, 3]);
}

function domainOf(): Domain {
  const builder = new DomainBuilder();
  builder.add(range(batch, 0, 60));
  const domain = builder.build();
  for (const kind of Object.values(domain.kinds))
    for (const feature of ['pt', 'eta', 'phi'] as const)
      delete (kind[feature] as { percentiles?: number[] } | null)?.percentiles;
  return domain;
}

/** On the pooled vector and the sums. */
function tinyDetector(): DetectorWeights {
  const n = reads;
  const preparation = {
    kind: 'standardise' as const,
    inputs: n,
    outputs: n,
    mean: new Float64Array(n),
    matrix: Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
  };
  const member = (kind: DetectorMember['kind'], ...widths: number[]): DetectorMember => {
    const weights = initialWeights(perceptronLayout(widths), 2, 'f32');
    return { kind, widths, activation: 'elu', weights, standard: { mean: 0.1, deviation: 0.5 } };
  };
  return { preparation, members: [member('autoencoder', n, 3, n), member('ratio', n, 3, 1)] };
}

function tinyWeights(): Float32Array {
  return Float32Array.from(initialWeights(encoderLayout(tinyEncoder), 1, 'f32'));
}

async function writeRun(domain: Domain): Promise<void> {
  mkdirSync(at('run', 'checkpoint'), { recursive: true });
  const json = (name: string, value: unknown): void => writeFileSync(at('run', name), `${JSON.stringify(value)}\n`);
  const options = parseOptions('train', { background: ['background.h5'], out: 'runs/a', epochs: '2' });
  json('config.json', toConfig<'train'>(options));
  json('domain.json', domain);
  json('provenance.json', {
    version: '0.0.0',
    engine: 'native',
    machine: 'a machine',
    started: '2026-01-01T00:00:00.000Z',
    files: [{ file: 'background.h5', events: 60, sha256: '0'.repeat(64) }],
    skipped: 0,
    invariance: [{ representation: 'pool', before: 0.5, after: 0.1 }],
  });
  const metrics = [
    { kind: 'step', step: 0, loss: 3 },
    { kind: 'step', step: 1, loss: 2.5 },
    { kind: 'epoch', epoch: 0, validationLoss: 2.4 },
    { kind: 'detector', name: 'detector', epoch: 0, trainingLoss: 1, validationLoss: null },
  ];
  writeFileSync(at('run', 'metrics.jsonl'), metrics.map(line => `${JSON.stringify(line)}\n`).join(''));
  const weights = tinyWeights();
  await saveEncoder(at('run', 'encoder.safetensors'), { config: tinyEncoder, weights });
  await saveDetector(at('run', 'autoencoder.safetensors'), tinyDetector());
  const nothing = new Float32Array(weights.length);
  await saveCheckpoint(at('run'), encoderLayout(tinyEncoder), {
    progress: {
      step: 2,
      epoch: 1,
      stepInEpoch: 0,
      finished: false,
      metricsBytes: 10,
      optimiserSteps: 2,
      bestEpoch: 0,
      bestLoss: 2.4,
      firstLoss: 3,
      smoothLoss: 2.5,
      epochLoss: 0,
      seconds: 1,
    },
    weights,
    moments: { m: nothing, v: nothing, steps: 2 },
    best: weights,
  });
}

async function writeBundle(domain: Domain): Promise<void> {
  const encoder = { config: { ...tinyEncoder, ptScale: domain.ptScale }, weights: tinyWeights() };
  const parts = { encoder, columns: columnsOf('pool', tinyEncoder), sums, domain, detector: tinyDetector() };
  const one = {
    objects: [[40, 0, 1, 1]],
    score: 1,
    representation: Array.from({ length: reads }, (_, i) => i),
    inDomain: true,
    distance: 0,
    crossed: Array.from({ length: 20 }, () => 0),
  };
  const card = bareCard(domain, {
    representation: { name: 'pool', size: reads },
    reference: { tolerance: { score: 5e-4, representation: 1e-5 }, events: [one] },
  });
  const graph = { precision: 'f32', layout: 'padded', part: 'scorer' } as const;
  writeFileSync(at('bundle.onnx'), buildModel(parts, graph, { [cardKey]: JSON.stringify(card) }));
  writeFileSync(at('card.json'), JSON.stringify(card));
}

async function writeScores(): Promise<void> {
  const score = Float32Array.from({ length: events }, (_, i) => i / 8);
  const inDomain = Uint8Array.from({ length: events }, (_, i) => (i === 2 ? 0 : 1));
  const ids = BigInt64Array.from({ length: events }, (_, i) => BigInt(i));
  const write = async (name: string, hasEventIds: boolean, origin?: Origin): Promise<void> => {
    const writer = await openScoreWriter(at(name), { hasEventIds, origin });
    await writer.write(score, inDomain, ids);
    await writer.close();
  };
  for (const suffix of ['h5', 'parquet', 'csv']) await write(`scores.${suffix}`, true);
  for (const index of [1, 2]) {
    const shard = { index, of: 2 };
    const origin = {
      format: 'anomalyclr.shard.1',
      identity,
      outside: 'score',
      shard,
      first: (index - 1) * events,
      rows: events,
    } as const;
    for (const suffix of ['h5', 'parquet']) await write(`shard-${index}.${suffix}`, false, origin);
  }
  const manifest = { identity, first: 0, rows: events, partRows: 4, hasEventIds: true };
  const folder = await PartFolder.open(at('scores.h5'), manifest, false);
  const part = {
    score: score.slice(0, 4),
    inDomain: inDomain.slice(0, 4),
    eventIds: ids.slice(0, 4),
    skipped: 0,
    cut: 0,
  };
  await folder.write(0, part);
}

async function writeEvaluation(): Promise<void> {
  for (const index of [1, 2]) {
    const folder = at(`evaluation-${index}`);
    await writePart(folder, { index, of: 2, identity });
    const provenance = { version: '0.0.0', date: '2026-01-01', seeds: [1] };
    writeFileSync(path.join(folder, 'about.json'), JSON.stringify({ method: 'anomclr+', provenance }));
  }
}

/** Two methods on two samples of four events. */
async function writePart(folder: string, shard: PartManifest['shard']): Promise<void> {
  mkdirSync(folder);
  const samples = ['background', 'signal'].map(label => ({
    label,
    files: [`${label}.h5`],
    events: 4,
    skipped: 0,
    top: [{ label, score: 2, row: 1, eventId: '7', objects: [{ kind: 'met' as const, pt: 20, eta: 0, phi: 1 }] }],
  }));
  await writeManifest(folder, {
    format: 'anomalyclr.evaluation.1',
    shard,
    method: 'anomclr+',
    representationSize: 2,
    seeds: [1],
    methods: [
      { name: 'anomclr+', seeds: [1] },
      { name: 'raw-autoencoder', seeds: [1] },
    ],
    samples,
    timed: { events: 8, seconds: 1 },
  });
  const floats = (name: string, count: number): void =>
    writeFileSync(
      path.join(folder, name),
      Buffer.from(Float32Array.from({ length: count }, (_, i) => i / 3 + (shard?.index ?? 1)).buffer),
    );
  for (const sample of [0, 1]) {
    for (const method of [0, 1]) floats(scoresFile(sample, method, 1), 4);
    floats(mapFile(sample), 8);
  }
}

/** A finished trial of a study. */
async function writeTrial(): Promise<void> {
  await writePart(at('trial'), null);
  const trial: TrialFile = {
    format: 'anomalyclr.trial.1',
    key: '0'.repeat(64),
    study: 'comparison',
    variant: 'anomclr+',
    seed: 1,
    options: { loss: 'anomclr+' },
    settings: {},
    x: null,
    machine: 'a machine',
    engine: 'native',
    date: '2026-01-01T00:00:00.000Z',
    seconds: 2,
    cpuSeconds: 1,
    training: { seconds: 1, eventsPerSecond: 1000, peakMemoryMb: 100 },
    peakMemoryMb: 100,
  };
  writeFileSync(at('trial', trialName), JSON.stringify(trial));
}
