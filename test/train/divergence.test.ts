import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openEngine } from '../../src/engine/index.js';
import type { Engine } from '../../src/engine/engine.js';
import { loadCheckpoint } from '../../src/model/checkpoint.js';
import { encoderLayout } from '../../src/model/layout.js';
import { presets } from '../../src/config/recipe.js';
import { readAll } from '../../src/read/index.js';
import { trainContrastive } from '../../src/train/contrastive.js';
import { MetricsLog } from '../../src/train/log.js';
import { mkdir } from 'node:fs/promises';
import { sample } from '../support/cli.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'aclr-diverge-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const encoder = {
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

/** Trains with an engine whose loss is what `spoil` makes of the step's number and its loss. */
async function trainWith(name: string, spoil: (step: number, loss: number) => number) {
  const engine = await openEngine({ engine: 'native', threads: 1 });
  const { batch: events } = await readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents: 640 });
  const spoiled: Engine = {
    ...engine,
    contrastive(config, recipe) {
      const model = engine.contrastive(config, recipe);
      let step = 0;
      return {
        ...model,
        async step(request) {
          const result = await model.step(request);
          return { ...result, loss: spoil(++step, result.loss) };
        },
      };
    },
  };
  const run = path.join(folder, name);
  await mkdir(path.join(run, 'checkpoint'), { recursive: true });
  const all = Int32Array.from({ length: events.count }, (_, i) => i);
  return trainContrastive(
    {
      config: { ...encoder, precision: 'f32', loss: 'anomclr+', temperature: 0.1, optimiser: { kind: 'adam' } },
      recipe: presets['default'],
      seed: 1,
      epochs: 20,
      batch: 32,
      learningRate: 1e-3,
      schedule: 'constant',
      warmup: 0,
      patience: 0,
      checkpointEvery: 4,
    },
    {
      engine: spoiled,
      events,
      training: all.slice(64),
      validation: all.slice(0, 64),
      folder: run,
      openLog: keep => MetricsLog.open(path.join(run, 'metrics.jsonl'), keep),
    },
  );
}

test.each([NaN, Infinity])(
  'a loss of %d stops the run with the step, the last good checkpoint and a hint',
  async bad => {
    await expect(trainWith(`bad${bad}`, (step, loss) => (step === 11 ? bad : loss))).rejects.toThrow(
      /training stopped at step 11: the loss is (NaN|Infinity); the last good checkpoint is of step 8 .*--learning-rate/,
    );
    const checkpoint = await loadCheckpoint(path.join(folder, `bad${bad}`), encoderLayout(encoder));
    expect(checkpoint?.progress.step).toBe(8);
    expect(checkpoint?.weights.every(Number.isFinite)).toBe(true);
  },
);

test('a loss that rises and rises stops the run', async () => {
  await expect(trainWith('rises', (step, loss) => loss + step)).rejects.toThrow(/the loss diverges, it rose from/);
});

test('an undisturbed run goes to its end and logs every step and epoch', async () => {
  const { steps, epochs } = await trainWith('good', (_, loss) => loss);
  expect([steps, epochs]).toEqual([360, 20]);
  const lines = readFileSync(path.join(folder, 'good', 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  expect(lines.filter(line => line.kind === 'step').map(line => line.step)).toEqual(
    Array.from({ length: 360 }, (_, i) => i + 1),
  );
  const validation = lines.filter(line => line.kind === 'epoch').map(line => line.validationLoss);
  expect(validation).toHaveLength(20);
  expect(validation[19]).toBeLessThan(validation[0]);
});
