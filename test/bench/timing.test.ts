import { median, ratesOfCalls, thinned, time } from '../../bench/timing.js';

test('five calls at least, their times in order, and what they come to a second', async () => {
  let calls = 0;
  const {
    median: rate,
    min,
    max,
    runs,
    latency_us: us,
    call_us: times,
  } = await time(() => Promise.resolve(calls++), 3, 0.001);
  expect(runs).toBeGreaterThanOrEqual(5);
  expect(calls).toBeGreaterThan(runs);
  expect(times).toHaveLength(Math.min(runs, 200));
  expect(us.p50).toBeCloseTo(3e6 / rate, 6);
  expect(us.p99).toBeGreaterThanOrEqual(us.p50);
  expect(min).toBeLessThanOrEqual(rate);
  expect(rate).toBeLessThanOrEqual(max);
});

test('what throws is told', async () => {
  await expect(time(() => Promise.reject(new Error('no')), 1, 0.001)).rejects.toThrow('no');
});

test('of many times there are 200, in their order', () => {
  expect(thinned([3, 1, 2])).toEqual([3, 1, 2]);
  const many = Array.from({ length: 1000 }, (_, i) => i);
  expect(thinned(many)).toEqual(Array.from({ length: 200 }, (_, i) => 5 * i + 2));
  expect(thinned(many.slice(0, 201))).toHaveLength(200);
});

test('the median of an even count lies between', () => {
  expect(median([4, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test('times of calls made elsewhere come to the same figures', () => {
  const { call_us: calls, ...rates } = ratesOfCalls([2, 1, 4, 2, 8], 10);
  expect(rates).toEqual({ median: 5000, min: 1250, max: 10_000, runs: 5, latency_us: { p50: 2000, p99: 8000 } });
  expect(calls).toEqual([2000, 1000, 4000, 2000, 8000]);
});
