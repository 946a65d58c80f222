import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Floats } from '../../src/addon.js';
import { presets } from '../../src/config/recipe.js';
import { openEngine } from '../../src/engine/index.js';
import { range, type EventBatch } from '../../src/events/event-batch.js';
import { readAll, writeEvents } from '../../src/read/index.js';
import { openStore, storeOf, type EventStore } from '../../src/read/store.js';
import { rawFeatureCount, rawFeatures } from '../../src/score/raw-features.js';
import { trainDetector } from '../../src/train/autoencoder.js';
import { trainContrastive, type TrainedEncoder } from '../../src/train/contrastive.js';
import { MetricsLog } from '../../src/train/log.js';
import { computedRows, keptRows } from '../../src/train/rows.js';
import { Split } from '../../src/train/split.js';
import { sample } from '../support/cli.js';
import { smallEncoder } from '../support/training.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'aclr-stream-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => path.join(folder, name);
const engine = await openEngine({ engine: 'native', threads: 1 });
const events = 6 * 8192 + 500;
let all: EventBatch;
let onDisk: EventStore;
beforeAll(async () => {
  const { batch } = await readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents: events });
  all = batch;
  await writeEvents(at('a.h5'), [range(batch, 0, 3 * 8192)]);
  await writeEvents(at('b.h5'), [range(batch, 3 * 8192, batch.count)]);
  const reading = { onBadEvent: 'fail', dataKind: 'event', maxEvents: 0, memoryBytes: 0 } as const;
  onDisk = await openStore([at('a.h5'), at('b.h5')], reading);
});
afterAll(() => onDisk.close());

/** Two stretches of a block, so that an epoch has four. */
const blockBytes = (): number => 2.2 * (onDisk.bytes / 7);
const split = new Split(events, { seed: 4, validation: 0.1 });

function train(run: string, store: EventStore, stopAfter?: number): Promise<TrainedEncoder> {
  mkdirSync(at(`${run}/checkpoint`), { recursive: true });
  const controller = new AbortController();
  return trainContrastive(
    {
      config: { ...smallEncoder, precision: 'f32', loss: 'anomclr+', temperature: 0.1, optimiser: { kind: 'adam' } },
      recipe: presets['default'],
      seed: 4,
      epochs: 2,
      batch: 1000,
      learningRate: 1e-3,
      schedule: 'constant',
      warmup: 0,
      patience: 0,
      checkpointEvery: 7,
    },
    {
      engine,
      events: store,
      split,
      blockBytes: blockBytes(),
      folder: at(run),
      openLog: keep => MetricsLog.open(at(`${run}/metrics.jsonl`), keep),
      signal: controller.signal,
      onStep: step => step === stopAfter && controller.abort(),
    },
  );
}

test('from files in blocks as from memory in blocks, bit for bit; stopped in any block and resumed too', async () => {
  const memory = await train('memory', storeOf(all));
  const files = await train('files', onDisk);
  expect(files.weights).toEqual(memory.weights);
  expect(files.steps).toBe(2 * Math.ceil(split.training / 1000));
  for (const stop of [3, 19, 44, 60])
    await expect(train('stopped', onDisk, stop)).rejects.toThrow(`stopped after step ${stop}`);
  expect((await train('stopped', onDisk)).weights).toEqual(memory.weights);
});

test('rows of a detector in a file give what rows in memory give, and the file goes', async () => {
  const make = (some: EventBatch): Promise<Floats> => Promise.resolve(rawFeatures(some, 'log'));
  const detector = { preparation: 'standardise', hidden: [8], bottleneck: 4, activation: 'elu' } as const;
  const how = { ...detector, epochs: 2, batch: 512, learningRate: 1e-3, seed: 1 };
  const weights: Floats[] = [];
  for (const memoryBytes of [0, 1e9]) {
    const rows = await keptRows(onDisk, rawFeatureCount, make, { memoryBytes, folder });
    const spilled = () => readdirSync(folder).filter(name => name.startsWith('representations'));
    expect(spilled()).toHaveLength(memoryBytes === 0 ? 1 : 0);
    weights.push((await trainDetector(engine, { rows, split, blockBytes: 4e6 }, how)).members[0].weights);
    await rows.close();
    expect(spilled()).toHaveLength(0);
  }
  const made = computedRows(onDisk, rawFeatureCount, some => rawFeatures(some, 'log'));
  weights.push((await trainDetector(engine, { rows: made, split, blockBytes: 4e6 }, how)).members[0].weights);
  expect(weights[1]).toEqual(weights[0]);
  expect(weights[2]).toEqual(weights[0]);
});
