import type { EncoderConfig } from '../../src/addon.js';
import { presets } from '../../src/config/recipe.js';
import { openEngine } from '../../src/engine/index.js';
import { take, type EventBatch } from '../../src/events/event-batch.js';
import { initialWeights } from '../../src/model/initialise.js';
import { encoderLayout } from '../../src/model/layout.js';
import { readAll } from '../../src/read/index.js';
import { columnsOf, rowLength } from '../../src/score/representation.js';
import { symmetrySpread } from '../../src/train/invariance.js';
import { sample } from '../support/cli.js';
import { trainerDefaults } from '../support/encoder.js';

const config: EncoderConfig = {
  features: 7,
  ptFeature: 'log',
  ptScale: 30,
  mask: 'hard',
  width: 16,
  heads: 2,
  layers: 2,
  feedForward: 16,
  output: 8,
  headLayers: 1,
  headNorm: false,
  dropout: 0,
};
const layout = encoderLayout(config);
const phiColumn = 2;
const engine = await openEngine({ engine: 'native', threads: 1 });
const index = Int32Array.from({ length: 200 }, (_, i) => i);
let events: EventBatch;
beforeAll(async () => {
  ({ batch: events } = await readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents: 200 }));
});

/** Spread of the pooled vector and of the head's output, phi weighted by `phi` in the embedding. */
async function spreads(phi: number, indices = index): Promise<number[]> {
  const model = engine.contrastive({ ...config, ...trainerDefaults, precision: 'f32' }, presets['default']);
  const weights = initialWeights(layout, 5, 'f32');
  const { offset } = layout.find(({ name }) => name === 'embedding.weight')!;
  for (let row = 0; row < config.width; row++) weights[offset + row * config.features + phiColumn] *= phi;
  model.setWeights(weights);
  const levels = [columnsOf('pool', config), columnsOf('last', config)];
  const result = await symmetrySpread(engine, model, rowLength(config), take(events, indices), levels);
  model.dispose();
  return result;
}

test('an encoder that does not read phi does not move when events turn', async () => {
  for (const spread of await spreads(0)) expect(spread).toBeLessThan(1e-6);
});

test('one that reads phi moves, and the more the more it reads', async () => {
  const [little, plain, strong] = [await spreads(0.1), await spreads(1), await spreads(5)];
  for (const level of [0, 1]) {
    expect(little[level]).toBeGreaterThan(1e-4);
    expect(plain[level]).toBeGreaterThan(2 * little[level]);
    expect(strong[level]).toBeGreaterThan(2 * plain[level]);
  }
});

test('a single event has nothing to be compared with, and says so by a number past all bounds', async () => {
  expect((await spreads(1, index.subarray(0, 1)))[0]).toBeGreaterThan(1e6);
});
