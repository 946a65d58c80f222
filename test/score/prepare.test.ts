import type { Floats } from '../../src/addon.js';
import { AnomalyClrError } from '../../src/errors.js';
import { Draws } from '../../src/events/philox.js';
import { openEngine } from '../../src/engine/index.js';
import { fitPreparation, type Preparation } from '../../src/score/prepare.js';

const engine = await openEngine({ engine: 'native', threads: 2 });
const prepare = (preparation: Preparation, x: Floats) => engine.prepare(preparation, x);
const n = 500;
/** [n, 3]: correlated, of very different scales, far from 0. */
const rows = (() => {
  const draws = new Draws(3, 0, 0, 1);
  const x = new Float64Array(n * 3);
  for (let r = 0; r < n; r++) {
    const [a, b, c] = [draws.uniform(), draws.uniform(), draws.uniform()];
    x.set([1000 + 50 * a, 0.01 * (a + b), -3 + a - b + 0.5 * c], r * 3);
  }
  return x;
})();
/** Every row of x [n, d] with more columns made of them. */
const extend = (x: Floats, d: number, more: (row: Floats) => number[]): Float64Array =>
  Float64Array.from(
    Array.from({ length: x.length / d }, (_, r) => {
      const row = x.subarray(r * d, (r + 1) * d);
      return [...row, ...more(row)];
    }).flat(),
  );

function moments(y: Floats, d: number): { means: number[]; covariance: number[][] } {
  const count = y.length / d;
  const column = (c: number) => Array.from({ length: count }, (_, r) => y[r * d + c]);
  const means = Array.from({ length: d }, (_, c) => column(c).reduce((s, v) => s + v, 0) / count);
  const covariance = means.map((m, a) =>
    means.map((k, b) => {
      const other = column(b);
      return column(a).reduce((s, v, r) => s + (v - m) * (other[r] - k), 0) / (count - 1);
    }),
  );
  return { means, covariance };
}

test('standardise: every column to mean 0 and variance 1, correlations kept', async () => {
  const preparation = fitPreparation('standardise', rows, 3);
  const { means, covariance } = moments(await prepare(preparation, rows), 3);
  for (let c = 0; c < 3; c++) {
    expect(means[c]).toBeCloseTo(0, 9);
    expect(covariance[c][c]).toBeCloseTo(1, 9);
  }
  const { covariance: before } = moments(rows, 3);
  expect(covariance[0][2]).toBeCloseTo(before[0][2] / Math.sqrt(before[0][0] * before[2][2]), 9);
});

test('whiten: mean 0 and unit covariance, largest component first', async () => {
  const preparation = fitPreparation('whiten', rows, 3);
  expect(preparation.outputs).toBe(3);
  const { means, covariance } = moments(await prepare(preparation, rows), 3);
  covariance.forEach((row, a) =>
    row.forEach((value, b) => {
      expect(means[a]).toBeCloseTo(0, 7);
      expect(value).toBeCloseTo(a === b ? 1 : 0, 7);
    }),
  );
  // the first component is the first column, by far the widest, up to its sign
  const first = preparation.matrix!.subarray(0, 3);
  expect(Math.abs(first[0]) * Math.sqrt(moments(rows, 3).covariance[0][0])).toBeCloseTo(1, 2);
});

test('directions without variance are dropped', async () => {
  const dependent = extend(rows, 3, ([, b, c]) => [b + c]);
  expect(fitPreparation('whiten', dependent, 4).outputs).toBe(3);
  expect(fitPreparation('standardise', dependent, 4).outputs).toBe(4);
  const constant = extend(rows, 3, () => [5]);
  for (const kind of ['whiten', 'standardise'] as const) {
    const preparation = fitPreparation(kind, constant, 4);
    expect(preparation.outputs).toBe(3);
    expect((await prepare(preparation, constant)).every(Number.isFinite)).toBe(true);
  }
});

describe('columns beside a representation', () => {
  // one that is linear in the representation but for a little, one that is wholly, one of its own
  const draws = new Draws(4, 0, 0, 1);
  const wide = extend(rows, 3, ([a, b, c]) => [a - 90 * c + draws.uniform(), 7 * b - c, draws.uniform() ** 4]);

  test('whiten: they follow, at half the width, without what the representation tells', async () => {
    const own = fitPreparation('whiten', rows, 3);
    const preparation = fitPreparation('whiten', wide, 6, 3);
    expect(preparation.outputs).toBe(5);
    const y = await prepare(preparation, wide);
    const alone = await prepare(own, rows);
    expect(Math.max(...alone.map((v, i) => Math.abs(v - y[Math.floor(i / 3) * 5 + (i % 3)])))).toBeLessThan(1e-9);
    const { means, covariance } = moments(y, 5);
    covariance.forEach((row, a) =>
      row.forEach((value, b) => {
        expect(means[a]).toBeCloseTo(0, 7);
        expect(value).toBeCloseTo(a !== b ? 0 : a < 3 ? 1 : 0.25, 7);
      }),
    );
  });

  test('standardise: each by itself, at half the width', async () => {
    const y = await prepare(fitPreparation('standardise', wide, 6, 3), wide);
    const { covariance } = moments(y, 6);
    expect(covariance.map((row, c) => row[c])).toEqual([1, 1, 1, 0.25, 0.25, 0.25].map(v => expect.closeTo(v, 9)));
  });

  test.each(['whiten', 'standardise'] as const)('%s: without variance they are dropped', kind => {
    const constant = extend(rows, 3, () => [5, 0]);
    expect(fitPreparation(kind, constant, 5, 2).outputs).toBe(3);
  });
});

test('none hands the rows on, whatever they hold', async () => {
  const preparation = fitPreparation('none', rows, 3);
  expect(preparation).toEqual({ kind: 'none', inputs: 3, outputs: 3, mean: new Float64Array(3), matrix: undefined });
  expect(await prepare(preparation, rows)).toBe(rows);
});

test('float32 rows give float32, close to float64', async () => {
  const centred = rows.map((v, i) => v - rows[i % 3]);
  const preparation = fitPreparation('whiten', centred, 3);
  const single = await prepare(preparation, Float32Array.from(centred));
  expect(single).toBeInstanceOf(Float32Array);
  const double = await prepare(preparation, centred);
  expect(Math.max(...single.map((v, i) => Math.abs(v - double[i])))).toBeLessThan(1e-4);
});

test('more rows than the covariance takes: it takes them evenly', async () => {
  const many = Float32Array.from({ length: 250_000 * 2 }, (_, i) => rows[i % rows.length]);
  const { covariance } = moments(await prepare(fitPreparation('whiten', many, 2), many), 2);
  expect(covariance[0][0]).toBeCloseTo(1, 2);
  expect(covariance[1][1]).toBeCloseTo(1, 2);
});

test.each([
  ['NaN', Float32Array.of(1, 2, NaN, 4), /not finite/],
  ['infinite', Float32Array.of(1, 2, Infinity, 4), /not finite/],
  ['all alike', Float32Array.of(1, 2, 1, 2), /all events have the same representation/],
  ['a single event', Float32Array.of(1, 2), /all events have the same representation/],
  ['no event', new Float32Array(0), /all events have the same representation/],
])('%s rows are refused in one line', (_, x, message) => {
  for (const kind of ['standardise', 'whiten'] as const) {
    expect(() => fitPreparation(kind, x, 2)).toThrow(AnomalyClrError);
    expect(() => fitPreparation(kind, x, 2)).toThrow(message);
  }
});
