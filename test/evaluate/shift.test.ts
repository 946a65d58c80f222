import { AnomalyClrError } from '../../src/errors.js';
import { sortScores } from '../../src/evaluate/roc.js';
import { combineShifts, shiftOf } from '../../src/evaluate/shift.js';

/** Quantiles of a standard exponential, every one of n. */
const exponential = (n: number, by = 1, plus = 0): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => plus - by * Math.log(1 - (i + 0.5) / n));
const shift = (nominal: Float64Array, shifted: Float64Array) => shiftOf(sortScores(nominal), sortScores(shifted));

test('the same scores: nothing has moved, and as many pass', () => {
  const { mean, median, passing } = shift(exponential(20_000), exponential(20_000));
  expect([mean.value, median.value]).toEqual([0, 0]);
  expect(mean.low).toBeLessThan(0);
  expect(median.high).toBeGreaterThan(0);
  for (const ratio of Object.values(passing)) expect(ratio?.value).toBe(1);
});

test('scores that move together: by how many spreads, and what that lets pass', () => {
  const spread = (Math.log(1 / 0.16) - Math.log(1 / 0.84)) / 2;
  const { mean, median, passing } = shift(exponential(100_000), exponential(50_000, 1, 0.5));
  for (const moved of [mean, median]) expect(moved.value).toBeCloseTo(0.5 / spread, 2);
  // errors of mean and median of an exponential are 1/sqrt(n)
  const half = (1.96 * Math.sqrt(1 / 100_000 + 1 / 50_000)) / spread;
  expect((mean.high - mean.low) / 2 / half).toBeCloseTo(1, 2);
  expect((median.high - median.low) / 2 / half).toBeCloseTo(1, 1);
  // of an exponential e^0.5 as much lies above any threshold
  expect(passing['1e-2']?.value).toBeCloseTo(Math.exp(0.5), 2);
  expect(passing['1e-3']?.value).toBeCloseTo(Math.exp(0.5), 1);
  const { low, high } = passing['1e-2']!;
  const rate = 0.01;
  const error = Math.sqrt((1 - rate) / 1000 + (1 - rate * Math.exp(0.5)) / (50_000 * rate * Math.exp(0.5)));
  expect(Math.log(high / low) / 2 / (1.96 * error)).toBeCloseTo(1, 2);
});

test('the mean sees a tail that the median does not', () => {
  const nominal = exponential(10_000);
  const shifted = nominal.map((score, i) => (i % 100 === 99 ? score + 50 : score));
  const { mean, median } = shift(nominal, shifted);
  expect(median.value).toBeLessThan(0.02);
  expect(mean.value).toBeGreaterThan(0.5);
});

test('few events: no ratio where fewer than ten pass, one of nothing still has an upper end', () => {
  const { passing } = shift(exponential(2000), exponential(2000, 0.1));
  expect(passing['1e-3']).toBeNull();
  expect(passing['1e-2']).toMatchObject({ value: 0, low: 0 });
  expect(passing['1e-2']?.high).toBeGreaterThan(0.1);
  expect(() => shiftOf(sortScores(exponential(5)), sortScores(new Float32Array(0)))).toThrow(AnomalyClrError);
});

test('seeds: their mean, with what they differ by in its interval', () => {
  const seeds = [1.9, 2, 2.1].map(by => shift(exponential(20_000), exponential(20_000, 1, by - 1.5)));
  const combined = combineShifts(seeds)!;
  expect(combined.median.value).toBeCloseTo(seeds[1].median.value, 6);
  expect(combined.median.spread).toBeGreaterThan(0.05);
  expect(combined.median.high - combined.median.low).toBeGreaterThan(seeds[1].median.high - seeds[1].median.low);
  expect(combined.passing['1e-2']?.spread).toBeGreaterThan(0);
  expect(combineShifts([])).toBeNull();
  expect(combineShifts(seeds.slice(0, 1))).toBe(seeds[0]);
});
