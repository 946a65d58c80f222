import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { presets } from '../../src/config/recipe.js';
import type { ContrastiveModel, Engine } from '../../src/engine/engine.js';
import { openEngine } from '../../src/engine/index.js';
import { readAll } from '../../src/read/index.js';
import { storeOf } from '../../src/read/store.js';
import { trainContrastive, type TrainedEncoder } from '../../src/train/contrastive.js';
import { MetricsLog } from '../../src/train/log.js';
import type { TrainWatch } from '../../src/train/run.js';
import { Split } from '../../src/train/split.js';
import { sample } from './cli.js';

export const smallEncoder = {
  features: 7,
  ptFeature: 'log',
  ptScale: 30,
  mask: 'hard',
  width: 8,
  heads: 2,
  layers: 1,
  feedForward: 8,
  output: 8,
  headLayers: 1,
  headNorm: false,
  dropout: 0,
} as const;

/** Trains in a folder, or goes on there, with an engine whose model is what `spoil` makes of it; a checkpoint every 4 steps. */
export async function trainWith(
  run: string,
  spoil: (model: ContrastiveModel) => ContrastiveModel,
  epochs = 20,
): Promise<TrainedEncoder> {
  const engine = await openEngine({ engine: 'native', threads: 1 });
  const { batch: events } = await readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents: 640 });
  const spoiled: Engine = { ...engine, contrastive: (config, recipe) => spoil(engine.contrastive(config, recipe)) };
  await mkdir(path.join(run, 'checkpoint'), { recursive: true });
  return trainContrastive(
    {
      config: { ...smallEncoder, precision: 'f32', loss: 'anomclr+', temperature: 0.1, optimiser: { kind: 'adam' } },
      recipe: presets['default'],
      seed: 1,
      epochs,
      batch: 32,
      learningRate: 1e-3,
      schedule: 'constant',
      warmup: 0,
      patience: 0,
      checkpointEvery: 4,
    },
    {
      engine: spoiled,
      events: storeOf(events),
      split: new Split(events.count, { seed: 1, validation: 0.1 }),
      folder: run,
      openLog: keep => MetricsLog.open(path.join(run, 'metrics.jsonl'), keep),
    },
  );
}

/** Watches a training, and asks it to stop once its encoder has seen so many events. */
export function stoppingAt(events: number): TrainWatch {
  const stop = new AbortController();
  const progress = ({ label }: { label: string }) => ({
    update: (done: number) => void (label.startsWith('encoder') && done >= events && stop.abort()),
    stop: () => undefined,
  });
  return { signal: stop.signal, progress };
}
