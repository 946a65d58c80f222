import type { Columns, Engine, Floats } from '../../src/engine/engine.js';
import { openEngine } from '../../src/engine/index.js';
import { presets } from '../../src/config/recipe.js';
import { EventBatchBuilder } from '../../src/events/event-batch.js';
import { Kind } from '../../src/events/objects.js';
import { Draws } from '../../src/events/philox.js';
import { storeOf } from '../../src/read/store.js';
import { Detector, type DetectorMember } from '../../src/score/detector.js';
import { trainRatio, type RatioData, type RatioOptions } from '../../src/train/ratio.js';
import { rowsOf } from '../../src/train/rows.js';
import { Split } from '../../src/train/split.js';
import { standardised } from '../../src/train/standardise.js';

const native = await openEngine({ engine: 'native', threads: 1 });
const n = 9000;
const normal = (draws: Draws): number =>
  Math.sqrt(-2 * Math.log(1 - draws.uniform())) * Math.cos(2 * Math.PI * draws.uniform());

/** Events of one jet whose x = log(pt / GeV) is normal with mean 3 and width 1. */
const batch = (() => {
  const draws = new Draws(7, 0, 0, 1);
  const builder = new EventBatchBuilder();
  for (let e = 0; e < n; e++) {
    builder.addObject(Math.exp(3 + normal(draws)), 0, 0, Kind.jet);
    builder.endEvent(e);
  }
  return builder.build();
})();
const represent = async ({ pt }: Columns): Promise<Floats> => pt.map(value => Math.log(value) - 3);
const store = storeOf(batch);
const split = new Split(n, { seed: 1, validation: 1 / 3 });
const data: RatioData = {
  store,
  split,
  represent,
  rows: rowsOf(await represent(batch), 1, store.first),
  preparation: { kind: 'none', inputs: 1, outputs: 1, mean: new Float64Array(1), matrix: undefined },
};
const options: RatioOptions = {
  hidden: [8],
  epochs: 4,
  batch: 100,
  learningRate: 1e-2,
  seed: 1,
  recipe: presets['default'],
};

type Key = Parameters<Engine['augment']>[3];
/** An engine whose anomalous views are normal about mean 4, drawn by their key. */
function engineOf(keys: Key[] = []): Engine {
  return {
    ...native,
    augment: async (_, __, events, key) => {
      keys.push(key);
      const { ids = new Int32Array(0), epoch } = key;
      return { ...events, pt: events.pt.map((_pt, i) => Math.exp(4 + normal(new Draws(9, epoch % 1000, ids[i], 2)))) };
    },
  };
}

async function scoresOf(members: DetectorMember[], x: Floats): Promise<Floats> {
  const detector = new Detector(native, { preparation: data.preparation, members });
  const scores = await detector.score(x);
  detector.dispose();
  return scores;
}
const asItIs = (member: DetectorMember): DetectorMember => ({ ...member, standard: { mean: 0, deviation: 1 } });

test('the output tends to the logarithm of the ratio of densities', async () => {
  const member = await trainRatio(engineOf(), data, options, 'f32');
  // log(exp(-(x - 1)^2 / 2) / exp(-x^2 / 2)) = x - 1/2
  const x = Float32Array.of(-1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5);
  (await scoresOf([asItIs(member)], x)).forEach((z, i) => expect(Math.abs(z - (x[i] - 0.5))).toBeLessThan(0.3));
  // the best that can be: the mean of log(1 + e^(x - 1/2)) over x normal about 0 is 0.5817
  const { validationLoss } = member.history.at(-1)!;
  expect(Math.abs(validationLoss! - 0.5817)).toBeLessThan(0.02);
});

test('views are made anew in every epoch of training, by place among all events, and are fixed in validation', async () => {
  const keys: Key[] = [];
  await trainRatio(engineOf(keys), data, options, 'f32');
  const epochs = [...new Set(keys.map(({ epoch }) => epoch))];
  expect(epochs).toHaveLength(options.epochs + 1);
  const { training, validation } = split.within(0, n);
  for (const epoch of epochs) {
    const places = keys.filter(key => key.epoch === epoch).flatMap(({ ids }) => [...ids!]);
    // in every epoch all of one part, each once; validation's once for each epoch
    const held = epoch === epochs[1];
    const want = held ? Array.from({ length: options.epochs }, () => [...validation]).flat() : [...training];
    expect(places.toSorted((a, b) => a - b)).toEqual(want.toSorted((a, b) => a - b));
  }
});

test('the same seed gives the same weights, in blocks too every event comes once', async () => {
  const short = { ...options, epochs: 1 };
  const { weights, history } = await trainRatio(engineOf(), data, short, 'f32');
  expect((await trainRatio(engineOf(), data, short, 'f32')).weights).toEqual(weights);
  expect((await trainRatio(engineOf(), data, { ...short, seed: 2 }, 'f32')).weights).not.toEqual(weights);
  const keys: Key[] = [];
  const blocked = await trainRatio(engineOf(keys), { ...data, blockBytes: 1 }, short, 'f32');
  expect(blocked.weights).not.toEqual(weights);
  expect(Math.abs(blocked.history[0].validationLoss! - history[0].validationLoss!)).toBeLessThan(0.02);
  const [{ epoch }] = keys;
  expect(
    keys
      .filter(key => key.epoch === epoch)
      .flatMap(({ ids }) => [...ids!])
      .toSorted((a, b) => a - b),
  ).toEqual([...split.within(0, n).training]);
});

test('the epoch that tells held-back events best is kept', async () => {
  // after the first epoch views are on the other side: what is learned then is worth nothing
  const turned: Engine = {
    ...native,
    augment: async (recipe, view, events, key) => {
      const views = await engineOf().augment(recipe, view, events, key);
      const later = key.epoch > 0x80000000 && key.epoch < 0x90000000;
      return later ? { ...views, pt: views.pt.map(pt => Math.exp(6 - Math.log(pt))) } : views;
    },
  };
  const one = await trainRatio(turned, data, { ...options, epochs: 3 }, 'f32');
  const losses = one.history.map(({ validationLoss }) => validationLoss!);
  expect(losses[0]).toBeLessThan(Math.min(losses[1], losses[2]) - 0.1);
  const [low, high] = await scoresOf([asItIs(one)], Float32Array.of(-1, 2));
  expect(high).toBeGreaterThan(low + 1);
});

test('members are standardised on held-back events, or on all where there are none', async () => {
  const { history: _, ...member } = await trainRatio(engineOf(), data, { ...options, epochs: 1 }, 'f32');
  const rows = rowsOf(await represent(batch), 1, Int32Array.of(0, n));
  const everything = new Split(n, { seed: 1, validation: 0 });
  for (const [parted, part] of [[split, 'validation'], [everything, 'training']] as const) {
    const one = await standardised(native, { rows, split: parted }, data.preparation, member);
    const scores = Float64Array.from(await scoresOf([one], await rows.read(0, parted.within(0, n)[part])));
    const count = scores.length;
    const mean = scores.reduce((sum, s) => sum + s / count, 0);
    const deviation = Math.sqrt(scores.reduce((sum, s) => sum + (s - mean) ** 2 / (count - 1), 0));
    expect(Math.abs(mean)).toBeLessThan(1e-4);
    expect(Math.abs(deviation - 1)).toBeLessThan(1e-4);
  } // prettier-ignore
  const flat = { ...member, weights: new Float32Array(member.weights.length) };
  const still = await standardised(native, data, data.preparation, flat);
  expect(still.standard).toEqual({ mean: 0, deviation: 1 });
});

test('without held-back events the training loss decides; a signal to stop ends it', async () => {
  const all = { ...data, split: new Split(n, { seed: 1, validation: 0 }) };
  const one = await trainRatio(engineOf(), all, { ...options, epochs: 2 }, 'f32');
  expect(one.history.map(({ validationLoss }) => validationLoss)).toEqual([null, null]);
  const controller = new AbortController();
  const stopped = trainRatio(engineOf(), data, options, 'f32', {
    signal: controller.signal,
    onEpoch: () => controller.abort(),
  });
  await expect(stopped).rejects.toThrow(/stopped while training a detector; .*--resume/);
});
