import type { EncoderConfig } from '../../src/addon.js';
import { presets } from '../../src/config/recipe.js';
import { openEngine, type ContrastiveModel } from '../../src/engine/index.js';
import { UsageError } from '../../src/errors.js';
import { EventBatchBuilder, take, type EventBatch } from '../../src/events/event-batch.js';
import { Draws, shuffle } from '../../src/events/philox.js';
import { initialWeights } from '../../src/model/initialise.js';
import { encoderLayout } from '../../src/model/layout.js';
import { readAll } from '../../src/read/index.js';
import { rowLength } from '../../src/score/representation.js';
import { sample } from '../support/cli.js';
import { trainerDefaults } from '../support/encoder.js';
import { worst } from '../support/golden.js';

const config: EncoderConfig = {
  features: 7,
  ptFeature: 'log',
  ptScale: 30,
  mask: 'hard',
  width: 32,
  heads: 4,
  layers: 2,
  feedForward: 32,
  output: 16,
  headLayers: 2,
  headNorm: false,
  dropout: 0.2,
};
const row = rowLength(config);
const engine = await openEngine({ engine: 'native', threads: 2 });
const layout = encoderLayout(config);
const opened: ContrastiveModel[] = [];
let events: EventBatch;
beforeAll(async () => {
  ({ batch: events } = await readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents: 300 }));
});
afterAll(() => opened.forEach(one => one.dispose()));

function model(changes: Partial<EncoderConfig> = {}, loss = 'anomclr+'): ContrastiveModel {
  const made = { ...config, ...changes };
  const one = engine.contrastive({ ...made, ...trainerDefaults, loss, precision: 'f32' }, presets['default']);
  one.setWeights(initialWeights(encoderLayout(made), 9, 'f32'));
  opened.push(one);
  return one;
}

/** The same events, the objects of each in another order. */
function shuffled(batch: EventBatch): EventBatch {
  const builder = new EventBatchBuilder();
  for (let e = 0; e < batch.count; e++) {
    for (const i of shuffle(batch.offsets[e + 1] - batch.offsets[e], 4, e)) {
      const o = batch.offsets[e] + i;
      builder.addObject(batch.pt[o], batch.eta[o], batch.phi[o], batch.kind[o]);
    }
    builder.endEvent(e);
  }
  return builder.build();
}

test.each(['hard', 'continuous'] as const)('%s mask: the order of the objects does not matter', async mask => {
  const one = model({ mask });
  const other = shuffled(events);
  expect(other.pt).not.toEqual(events.pt);
  expect(worst(await one.embed(other), await one.embed(events))).toBeLessThan(1e-5);
});

test('an event is embedded alike in every company', async () => {
  const one = model();
  const whole = await one.embed(events);
  expect(whole).toHaveLength(300 * row);
  const order = shuffle(300, 1, 0);
  const picked = await one.embed(events, order.slice(0, 70));
  const taken = await one.embed(take(events, order.slice(0, 70)));
  expect(taken).toEqual(picked);
  const expected = order.slice(0, 70).reduce<number[]>((all, e) => {
    all.push(...whole.subarray(e * row, (e + 1) * row));
    return all;
  }, []);
  expect(worst(picked, expected)).toBeLessThan(1e-5);
  for (const e of [0, 17, 299])
    expect(worst(await one.embed(events, Int32Array.of(e)), whole.subarray(e * row, (e + 1) * row))).toBeLessThan(1e-5);
  expect(await one.embed(events, new Int32Array(0))).toHaveLength(0);
});

test('an event without objects: nothing is pooled, and the head reads zeros', async () => {
  const one = model();
  const builder = new EventBatchBuilder();
  builder.endEvent(0);
  const got = await one.embed(builder.build());
  const weights = one.weights();
  const tensor = (name: string) => {
    const { offset, shape } = layout.find(info => info.name === name)!;
    return Array.from(weights.subarray(offset, offset + shape.reduce((a, b) => a * b, 1)));
  };
  const first = tensor('head_layers.0.bias');
  const second = tensor('head_layers.1.weight');
  const bias = tensor('head_layers.1.bias');
  const expected = bias.map((b, o) => first.reduce((sum, h, i) => sum + second[o * 16 + i] * Math.max(0, h), b));
  expect(Array.from(got.subarray(0, 32))).toEqual(Array.from({ length: 32 }, () => 0));
  expect(worst(got.subarray(32, 48), first)).toBeLessThan(1e-6);
  expect(worst(got.subarray(48), expected)).toBeLessThan(1e-6);
  // and among others it changes nothing
  const mixed = new EventBatchBuilder();
  mixed.addBatch(take(events, [0]));
  mixed.endEvent(1);
  mixed.addBatch(take(events, [1]));
  const among = await one.embed(mixed.build());
  expect(worst(among.subarray(row, 2 * row), got)).toBeLessThan(1e-6);
  expect(worst(among.subarray(2 * row), (await one.embed(events)).subarray(row, 2 * row))).toBeLessThan(1e-5);
});

test('loss() repeats itself and leaves weights and optimiser alone; step() changes both', async () => {
  const one = model();
  const request = { events, index: Int32Array.from({ length: 64 }, (_, i) => i), seed: 1, epoch: 0 };
  const [weights, state] = [one.weights(), one.optimiserState()];
  const loss = await one.loss(request);
  expect(await one.loss(request)).toBe(loss);
  expect(await one.loss({ ...request, epoch: 1 })).not.toBe(loss);
  expect(one.weights()).toEqual(weights);
  expect(one.optimiserState()).toEqual(state);
  const step = await one.step({ ...request, rate: 1e-3 });
  expect(step.gradientNorm).toBeGreaterThan(0);
  expect(one.weights()).not.toEqual(weights);
  expect(one.optimiserState().steps).toBe(1);
});

test('weights and optimiser state go in and out unchanged, and dispose may be called twice', async () => {
  const [one, other] = [model(), model()];
  const request = { events, index: Int32Array.of(0, 1, 2, 3), seed: 1, epoch: 0, rate: 1e-2 };
  await one.step(request);
  other.setWeights(one.weights());
  other.setOptimiserState(one.optimiserState());
  expect(await other.step({ ...request, epoch: 1 })).toEqual(await one.step({ ...request, epoch: 1 }));
  expect(other.weights()).toEqual(one.weights());
  other.dispose();
  other.dispose();
});

test('knows its losses and augmentations, and describes itself', async () => {
  for (const loss of ['clr', 'ntxent', 'anomclr', 'anomclr+']) {
    expect([loss, engine.supports(loss)]).toEqual([loss, true]);
  }
  expect(engine.supports('anomclr++')).toBe(false);
  expect(engine.supports('')).toBe(false);
  expect(engine.augmentations().map(({ name }) => name)).toContain('rotate_phi');
  expect(engine.describe()).toMatch(/^native, \w+, 2 threads$/);
  expect((await openEngine({ engine: 'auto', threads: 1 })).name).toBe('native');
  await expect(openEngine({ engine: 'abacus', threads: 1 })).rejects.toThrow(UsageError);
  await openEngine({ engine: 'native', threads: 2 });
});

test('views: the anchor is the event itself, the others are keyed by seed and epoch, not by place in the call', async () => {
  const recipe = presets['default'];
  const columns = ({ pt, eta, phi, kind, offsets }: EventBatch) => ({ pt, eta, phi, kind, offsets });
  expect(await engine.augment(recipe, 0, events, { seed: 1, epoch: 0 })).toEqual(columns(events));
  for (const view of [1, 2] as const) {
    const first = await engine.augment(recipe, view, events, { seed: 1, epoch: 0 });
    expect(await engine.augment(recipe, view, events, { seed: 1, epoch: 0 })).toEqual(first);
    expect(await engine.augment(recipe, view, events, { seed: 1, epoch: 1 })).not.toEqual(first);
    expect(await engine.augment(recipe, view, events, { seed: 2, epoch: 0 })).not.toEqual(first);
    const alone = await engine.augment(recipe, view, events, { seed: 1, epoch: 0, index: Int32Array.of(42) });
    const [from, to] = [first.offsets[42], first.offsets[43]];
    expect(alone.pt).toEqual(first.pt.slice(from, to));
    expect(alone.phi).toEqual(first.phi.slice(from, to));
  }
});

test('events out of range, weights of another size and unknown losses are refused', async () => {
  const one = model();
  expect(() => one.setWeights(new Float32Array(3))).toThrow(/weights has 3 entries, must have \d+/);
  expect(() => one.embed(events, Int32Array.of(300))).toThrow(/index names event 300 of 300/);
  expect(() => model({}, 'nonesuch')).toThrow(/there is no loss nonesuch/);
  const draws = new Draws(1, 0, 0, 0);
  const crowded = new EventBatchBuilder();
  for (let o = 0; o < 65; o++) crowded.addObject(20 + draws.uniform(), 0, 0, 4);
  crowded.endEvent(0);
  expect(() => one.embed(crowded.build())).toThrow(/event 0 has 65 objects, the most is 64/);
});
