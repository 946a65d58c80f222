import type { Engine, Floats } from '../../src/engine/engine.js';
import { openEngine } from '../../src/engine/index.js';
import { AnomalyClrError } from '../../src/errors.js';
import { Draws } from '../../src/events/philox.js';
import { Detector } from '../../src/score/detector.js';
import { trainDetector, type DetectorOptions } from '../../src/train/autoencoder.js';
import { pick, rowsOf } from '../../src/train/rows.js';
import { Split } from '../../src/train/split.js';

const engine = await openEngine({ engine: 'native', threads: 1 });
const features = 6;
const n = 600;
/** Points near a curved surface of two dimensions, in six. [n, 6] */
const rows = (() => {
  const draws = new Draws(11, 0, 0, 1);
  const x = new Float32Array(n * features);
  for (let r = 0; r < n; r++) {
    const [a, b] = [draws.uniform() - 0.5, draws.uniform() - 0.5];
    x.set(
      [a, b, a + b, a - b, 2 * a, a * b].map(v => v + 0.01 * draws.uniform()),
      r * features,
    );
  }
  return x;
})();
const split = new Split(n, { seed: 1, validation: 1 / 6 });
/** x in stretches of 200 rows, of which every sixth is held back. */
const dataOf = (x: Floats, width = features, parted = split) => ({
  rows: rowsOf(x, width, Int32Array.of(0, 200, 400, 600)),
  split: parted,
});
const options: DetectorOptions = {
  preparation: 'standardise',
  activation: 'elu',
  bottleneck: 2,
  hidden: [],
  epochs: 40,
  batch: 25,
  learningRate: 1e-2,
  seed: 1,
};
const train = (changes: Partial<DetectorOptions> = {}, how: Engine = engine, given = dataOf(rows)) =>
  trainDetector(how, given, { ...options, ...changes });

test('what breaks the pattern scores far above what it learned', async () => {
  const trained = await train();
  expect(trained.members[0].widths).toEqual([6, 4, 3, 2, 3, 4, 6]);
  expect(trained.history.at(-1)!.trainingLoss).toBeLessThan(trained.history[0].trainingLoss / 4);
  const detector = new Detector(engine, trained);
  const usual = (await detector.score(pick(rows, features, split.within(0, n).validation))).toSorted();
  // each number as usual, but not together
  const odd = await detector.score(Float32Array.of(0.4, 0.4, -0.8, 0.9, -0.9, 0.2, -0.4, 0.4, 0.9, 0.9, 0.9, -0.2));
  for (const score of odd) expect(score).toBeGreaterThan(3 * usual.at(-1)!);
  expect(await detector.score(new Float32Array(0))).toEqual(new Float32Array(0));
  detector.dispose();
});

test('the same seed gives the same weights on any number of threads, another seed others', async () => {
  const short = { epochs: 3 };
  const { members, history } = await train(short);
  const again = await train(short, await openEngine({ engine: 'native', threads: 2 }));
  expect(again.members).toEqual(members);
  expect(again.history).toEqual(history);
  expect((await train({ ...short, seed: 2 })).members).not.toEqual(members);
  await openEngine({ engine: 'native', threads: 1 });
});

/** An engine whose detector reports these validation losses; `after[e]` are its weights at the end of epoch e. */
function reporting(losses: number[], after: Floats[]): Engine {
  let asked = 0;
  return {
    ...engine,
    perceptron(config) {
      const model = engine.perceptron(config);
      return {
        ...model,
        // once for each stretch
        score: x => {
          if (asked++ % 3 === 0) after.push(model.weights());
          return Promise.resolve(new Float32Array(x.length / features).fill(losses[after.length - 1]));
        },
      };
    },
  };
}

test('the epoch with the lowest validation loss is kept, the earliest of equal ones', async () => {
  const after: Floats[] = [];
  const losses = [5, 3, 4, 3, 6];
  const trained = await train({ epochs: 5 }, reporting(losses, after));
  expect(trained.history.map(one => one.validationLoss)).toEqual(losses);
  expect(trained.members[0].weights).toEqual(after[1]);
  expect(after[1]).not.toEqual(after[3]);
});

test('without validation rows the training loss decides', async () => {
  const all = new Split(n, { seed: 1, validation: 0 });
  const trained = await train({ epochs: 4 }, engine, dataOf(rows, features, all));
  expect(trained.history.map(one => one.validationLoss)).toEqual([null, null, null, null]);
});

test('float64 rows give float64 weights that agree with float32 ones', async () => {
  const [double] = (await train({ epochs: 1 }, engine, dataOf(Float64Array.from(rows)))).members;
  const [single] = (await train({ epochs: 1 })).members;
  expect(double.weights).toBeInstanceOf(Float64Array);
  expect(Math.max(...double.weights.map((w, i) => Math.abs(w - single.weights[i])))).toBeLessThan(1e-4);
});

test('given widths are used, and a bottleneck is always narrower than its input', async () => {
  expect((await train({ epochs: 1, hidden: [5, 4], bottleneck: 3 })).members[0].widths).toEqual([6, 5, 4, 3, 4, 5, 6]);
  expect((await train({ epochs: 1, bottleneck: 100 })).members[0].widths).toEqual([6, 6, 5, 5, 5, 6, 6]);
  await expect(train({}, engine, dataOf(rows.subarray(0, n), 1))).rejects.toThrow(
    /a detector on 1 number an event cannot learn/,
  );
});

test('a loss that is not finite and a signal to stop end it with one line', async () => {
  const lost = train({ preparation: 'none' }, engine, dataOf(Float32Array.from(rows).fill(NaN, 0, 60)));
  await expect(lost).rejects.toThrow(AnomalyClrError);
  await expect(lost).rejects.toThrow(/loss is not finite in epoch 1; lower --detector-learning-rate/);
  const epochs: number[] = [];
  const controller = new AbortController();
  const stopped = trainDetector(engine, dataOf(rows), options, {
    signal: controller.signal,
    onEpoch: epoch => {
      epochs.push(epoch);
      if (epoch === 2) controller.abort();
    },
  });
  await expect(stopped).rejects.toThrow(/stopped while training a detector; .*--resume/);
  expect(epochs).toEqual([1, 2]);
});

test('blocks that do not fit in memory together: every row once an epoch, and it learns as well', async () => {
  const whole = await train();
  const blocked = await trainDetector(engine, { ...dataOf(rows), blockBytes: 200 * features * 4 }, options);
  expect(blocked.members).not.toEqual(whole.members);
  const [a, b] = [whole, blocked].map(({ history }) => history.at(-1)!.validationLoss!);
  expect(b / a).toBeGreaterThan(0.5);
  expect(b / a).toBeLessThan(2);
});

test('pick takes rows in order', () => {
  expect(pick(Float64Array.of(1, 2, 3, 4, 5, 6), 2, Int32Array.of(2, 0))).toEqual(Float64Array.of(5, 6, 1, 2));
});
