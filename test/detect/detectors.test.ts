import { averagePath, fitForest, forestScores } from '../../src/detect/forest.js';
import { rowDetectors } from '../../src/detect/list.js';
import { fitMahalanobis } from '../../src/detect/mahalanobis.js';
import { logDensities } from '../../src/detect/mixture-fit.js';
import { fitMixture } from '../../src/detect/mixture.js';
import { fitNeighbours } from '../../src/detect/neighbours.js';
import { openEngine } from '../../src/engine/index.js';
import { AnomalyClrError } from '../../src/errors.js';
import { blobs } from './rows.js';

const engine = await openEngine({ engine: 'native', threads: 2 });

describe('Mahalanobis', () => {
  const cross = [1, 0, -1, 0, 0, 2, 0, -2];

  test('is the distance in units of the covariance', async () => {
    // variances 2/3 and 8/3
    const detector = fitMahalanobis(engine, Float32Array.from(cross), 2);
    const scores = await detector.score(Float32Array.of(1, 0, 0, 2, 2, 4, 0, 0));
    [1.5, 1.5, 12, 0].forEach((value, i) => expect(scores[i]).toBeCloseTo(value, 5));
  });

  test('leaves out directions without variance', async () => {
    const flat = (x: number[]): Float32Array =>
      Float32Array.from([0, 2, 4, 6].filter(i => i < x.length).flatMap(i => [x[i], x[i + 1], x[i] + x[i + 1], 7]));
    const scores = await fitMahalanobis(engine, flat(cross), 4).score(flat([1, 0, 2, 4]));
    expect(scores[0]).toBeCloseTo(1.5, 5);
    expect(scores[1]).toBeCloseTo(12, 4);
  });
});

describe('nearest neighbours', () => {
  test('averages the distances to the k nearest, over all blocks of the reference', async () => {
    // whole numbers in the order 0, 7, 14, .. modulo 2500
    const line = Float32Array.from({ length: 2500 }, (_, i) => (i * 7) % 2500);
    const detector = await fitNeighbours(engine, line, 1, { k: 3, preparation: 'none', seed: 1 });
    const scores = await detector.score(Float32Array.of(0, 1000.25, 2600, 2499));
    expect([...scores]).toEqual([1, 0.75, 102, 1]);
  });

  test('is what a search through all rows finds, for more queries than a block has', async () => {
    const [x, queries] = [blobs(1500, 1), blobs(1100, 2)];
    const scores = await (await fitNeighbours(engine, x, 4, { preparation: 'none', seed: 1 })).score(queries);
    for (const q of [0, 500, 1023, 1024, 1099]) {
      const distances = Float64Array.from({ length: 1500 }, (_, r) =>
        Math.hypot(...[0, 1, 2, 3].map(c => x[r * 4 + c] - queries[q * 4 + c])),
      ).sort();
      expect(scores[q]).toBeCloseTo(distances.subarray(0, 10).reduce((a, b) => a + b) / 10, 5);
    }
  });

  test('takes a reference of the size asked for, which the seed draws', async () => {
    const x = blobs(600, 1);
    const scores = async (seed: number, reference: number): Promise<Float32Array> =>
      (await fitNeighbours(engine, x, 4, { reference, seed })).score(x);
    expect(await scores(1, 300)).toEqual(await scores(1, 300));
    expect(await scores(1, 300)).not.toEqual(await scores(2, 300));
    const mean = (values: Float32Array): number => values.reduce((a, b) => a + b) / values.length;
    expect(mean(await scores(1, 300))).toBeGreaterThan(mean(await scores(1, 600)));
  });
});

describe('Gaussian mixture', () => {
  test('densities are those of the formula', async () => {
    const root2pi = Math.sqrt(2 * Math.PI);
    const component = (mean: number, sigma: number, weight: number) => ({
      mean: Float64Array.of(mean),
      root: Float64Array.of(1 / sigma),
      logPeak: Math.log(weight / (sigma * root2pi)),
    });
    const gaussians = { d: 1, components: [component(0, 1, 0.25), component(4, 2, 0.75)] };
    const densities = await logDensities(engine, gaussians, Float64Array.of(0, 4, 1000));
    const at = (x: number): number =>
      (0.25 * Math.exp(-(x ** 2) / 2)) / root2pi + (0.75 * Math.exp(-((x - 4) ** 2) / 8)) / (2 * root2pi);
    expect(densities[0]).toBeCloseTo(Math.log(at(0)), 12);
    expect(densities[1]).toBeCloseTo(Math.log(at(4)), 12);
    // where no density is above 0 in double, its logarithm still is a number
    expect(densities[2]).toBeCloseTo(Math.log(0.75 / (2 * root2pi)) - 996 ** 2 / 8, 6);
  });

  test('of one component is the Mahalanobis distance', async () => {
    const [x, queries] = [blobs(500, 1), blobs(50, 2)];
    const mixture = await fitMixture(engine, x, 4, { components: [1], seed: 1 });
    const scores = await mixture.score(queries);
    // fitted on four fifths of the rows
    const distances = await fitMahalanobis(engine, x, 4).score(queries);
    scores.forEach((score, i) => expect(score / distances[i]).toBeCloseTo(1, 0));
    const order = (values: Float32Array): number => values.indexOf(Math.max(...values));
    expect(order(scores)).toBe(order(distances));
  });

  test('has as many components as held-back rows ask for, and sees what lies between them', async () => {
    const mixture = await fitMixture(engine, blobs(1500, 1), 4, { components: [1, 2, 3], seed: 1 });
    expect(mixture.heldOut.map(({ components }) => components)).toEqual([1, 2, 3]);
    expect(mixture.components).toBe(3);
    // the centre of a blob, and the mean of all, 3.8 from each centre, where the Mahalanobis distance is none
    const between = Float32Array.of(8, 0, 0, 0, 8 / 3, 8 / 3, 0, 0);
    const [inside, outside] = await mixture.score(between);
    expect(inside).toBeLessThan(5);
    expect(outside).toBeGreaterThan(14);
  });

  test('of rows in one blob has one component', async () => {
    const one = blobs(1500, 1).map((value, i) => value - (i % 4 < 2 ? centreOf(Math.floor(i / 4), i % 4) : 0));
    expect((await fitMixture(engine, one, 4, { components: [1, 2, 4], seed: 1 })).components).toBe(1);
  });
});

describe('isolation forest', () => {
  test('the mean path length is that of the paper', () => {
    expect([0, 1, 2].map(averagePath)).toEqual([0, 0, 1]);
    expect(averagePath(3)).toBeCloseTo(2 * (Math.LN2 + 0.5772156649) - 4 / 3, 9);
    expect(averagePath(256)).toBeCloseTo(10.2448, 4);
  });

  test('scores a tree by hand', () => {
    const tree = {
      feature: [0, -1, -1],
      threshold: [0.5, 0, 0],
      left: [1, -1, -1],
      right: [2, -1, -1],
      size: [4, 1, 3],
    };
    const scores = forestScores([tree], 4, Float32Array.of(0.5, 0.6), 1);
    const c4 = 2 * (Math.log(3) + 0.5772156649) - 1.5;
    expect(scores[0]).toBeCloseTo(2 ** (-1 / c4), 6);
    expect(scores[1]).toBeCloseTo(2 ** (-(1 + 1.207392357) / c4), 6);
  });

  test('trees hold their sample, whole, and end at depth 8', () => {
    const { trees } = fitForest(blobs(2000, 1), 4, { trees: 5, seed: 1 });
    for (const { feature, left, right, size } of trees) {
      const depthOf = (node: number): number =>
        feature[node] < 0 ? 0 : 1 + Math.max(depthOf(left[node]), depthOf(right[node]));
      expect(depthOf(0)).toBeLessThanOrEqual(8);
      expect(size[0]).toBe(256);
      for (let node = 0; node < size.length; node++)
        if (feature[node] >= 0) {
          expect(size[left[node]] + size[right[node]]).toBe(size[node]);
          expect(Math.min(size[left[node]], size[right[node]])).toBeGreaterThan(0);
        }
    }
  });

  test('equal rows are a leaf, far rows anomalous', async () => {
    const same = fitForest(new Float32Array(40).fill(3), 4, { seed: 1 });
    expect([...(await same.score(new Float32Array(4)))]).toEqual([0.5]);
    const forest = fitForest(blobs(2000, 1), 4, { seed: 1 });
    const inside = await forest.score(blobs(500, 2));
    const [far] = await forest.score(Float32Array.of(40, 40, 40, 40));
    expect(far).toBeGreaterThan(Math.max(...inside));
    expect(await forest.score(blobs(10, 3))).toEqual(
      await fitForest(blobs(2000, 1), 4, { seed: 1 }).score(blobs(10, 3)),
    );
  });
});

test.each(Object.entries(rowDetectors))('%s: scores no rows, and refuses what cannot be fitted', async (_, fit) => {
  const detector = await fit(engine, blobs(300, 1), 4, { seed: 1 });
  expect(detector.inputs).toBe(4);
  expect(await detector.score(new Float32Array(0))).toHaveLength(0);
  const scores = await detector.score(blobs(20, 2));
  expect(scores.every(score => score >= 0)).toBe(true);
  const fitting = async (x: Float32Array): Promise<unknown> => fit(engine, x, 4, { seed: 1 });
  await expect(fitting(new Float32Array(4))).rejects.toThrow(AnomalyClrError);
  await expect(fitting(new Float32Array(41))).rejects.toThrow(AnomalyClrError);
  await expect(fitting(blobs(300, 1).fill(NaN, 8, 9))).rejects.toThrow(/finite/);
});

const centreOf = (row: number, c: number): number => (row % 3 === c + 1 ? 8 : 0);
