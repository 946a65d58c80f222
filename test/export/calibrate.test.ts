import { compareScores, halves, noThresholds, setThresholds } from '../../src/export/calibrate.js';
import { auc } from '../../src/evaluate/auc.js';
import { wilson } from '../../src/evaluate/intervals.js';
import { roc } from '../../src/evaluate/roc.js';
import { AnomalyClrError } from '../../src/errors.js';
import { Draws } from '../../src/events/philox.js';

/** Scores with P(score >= t) = exp(-t), so that a threshold's true efficiency is known. */
function exponential(count: number, seed: number): Float32Array {
  const draws = new Draws(seed, 0, 0, 7);
  return Float32Array.from({ length: count }, () => -Math.log(draws.uniform()));
}

const passing = (scores: ArrayLike<number>, threshold: number) =>
  Array.from(scores).filter(score => score >= threshold).length;

test('the halves are apart, cover every event, and are keyed by the seed', () => {
  for (const count of [0, 1, 2, 101]) {
    const { setting, checking } = halves(count, 3);
    expect(setting).toHaveLength(Math.floor(count / 2));
    expect([...setting, ...checking].toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
  }
  expect(halves(101, 3)).toEqual(halves(101, 3));
  expect(halves(101, 3)).not.toEqual(halves(101, 4));
});

test('a threshold is the lowest score that lets at most floor(rate n) events of its half pass', () => {
  const scores = exponential(40_501, 1);
  const { setting, checking } = halves(scores.length, 5);
  const set = Array.from(setting, i => scores[i]);
  const { thresholds, missing } = setThresholds(scores, 5, null);
  expect(thresholds.map(({ rate }) => rate)).toEqual(['1e-2', '1e-3']);
  for (const { rate, threshold, calibration, check, triggerRate } of thresholds) {
    const allowed = Math.floor(Number(rate) * set.length);
    const nextLower = Math.max(...set.filter(score => score < threshold));
    expect(set).toContain(threshold);
    expect(passing(set, threshold)).toBeLessThanOrEqual(allowed);
    expect(passing(set, nextLower)).toBeGreaterThan(allowed);
    expect(Math.fround(threshold)).toBe(threshold);
    expect(calibration).toMatchObject({ events: set.length, passed: passing(set, threshold) });
    const checked = Array.from(checking, i => scores[i]);
    const passed = passing(checked, threshold);
    const [low, high] = wilson(passed, checked.length);
    expect(check).toEqual({
      events: checked.length,
      passed,
      efficiency: { value: passed / checked.length, low, high },
    });
    expect(triggerRate).toBeNull();
  }
  expect(missing.map(({ rate }) => rate)).toEqual(['1e-4', '1e-5']);
  expect(missing[0].reason).toContain('2.02 of the 20250 events');
  expect(missing[0].reason).toContain('give 200000 background events in place of 40501');
});

test('equal scores pass together or not at all', () => {
  const tied = Float32Array.from({ length: 4000 }, (_, i) => (i % 200 === 0 ? 9 : i % 3));
  const { setting } = halves(tied.length, 2);
  const high = passing(
    Array.from(setting, i => tied[i]),
    9,
  );
  const { thresholds, missing } = setThresholds(tied, 2, null);
  expect(high).toBeGreaterThan(0);
  expect(thresholds[0]).toMatchObject({ threshold: 9, calibration: { passed: high } });
  const all = setThresholds(new Float32Array(4000).fill(1.5), 2, null);
  expect(all.thresholds).toEqual([]);
  expect(all.missing.find(({ rate }) => rate === '1e-2')?.reason).toMatch(/share the highest score/);
  expect(missing.map(({ rate }) => rate)).toEqual(expect.arrayContaining(['1e-3', '1e-4', '1e-5']));
});

test.each([
  [1999, []],
  [2000, ['1e-2']],
  [20_000, ['1e-2', '1e-3']],
])('%d events bear the thresholds %j', (events, rates) => {
  const { thresholds, missing } = setThresholds(exponential(events, 1), 1, null);
  expect(thresholds.map(({ rate }) => rate)).toEqual(rates);
  expect(thresholds.length + missing.length).toBe(4);
});

test('trigger rates are the efficiencies of the other half times the input rate', () => {
  const [with40] = setThresholds(exponential(5000, 1), 1, 40).thresholds;
  const { value, low, high } = with40.check.efficiency;
  expect(with40.triggerRate).toEqual({ value: 40 * value, low: 40 * low, high: 40 * high });
});

test('the intervals cover the true efficiency as often as they say, on either half, and the transfer is fair', () => {
  const repeats = 600;
  const covered = { calibration: 0, check: 0 };
  let ratio = 0;
  for (let k = 0; k < repeats; k++) {
    const [{ threshold, ...shares }] = setThresholds(exponential(4000, 100 + k), k, null).thresholds;
    const truth = Math.exp(-threshold);
    for (const half of ['calibration', 'check'] as const) {
      const { low, high } = shares[half].efficiency;
      if (low <= truth && truth <= high) covered[half]++;
    }
    ratio += shares.check.efficiency.value / truth / repeats;
  }
  // 95 % of 600, give or take 3 standard deviations and what counts of 20 can't hit
  for (const count of Object.values(covered)) {
    expect(count / repeats).toBeGreaterThan(0.915);
    expect(count / repeats).toBeLessThan(0.99);
  }
  expect(Math.abs(ratio - 1)).toBeLessThan(0.03);
});

test('a NaN is an error, too few events are none', () => {
  const bad = exponential(4000, 1);
  bad.fill(NaN, 10, 3000);
  expect(() => setThresholds(bad, 1, null)).toThrow(AnomalyClrError);
  expect(setThresholds(new Float32Array(0), 1, null).thresholds).toEqual([]);
  expect(noThresholds('why').missing).toEqual(['1e-2', '1e-3', '1e-4', '1e-5'].map(rate => ({ rate, reason: 'why' })));
});

test('what another precision changes: scores, decisions, AUC, event by event', () => {
  const f32 = exponential(5000, 1);
  const here = f32.map((score, i) => score * (i % 2 === 0 ? 1.01 : 1));
  const signal = { name: 'x', f32: exponential(700, 2).map(s => s + 2), here: exponential(700, 3).map(s => s + 2) };
  const { thresholds } = setThresholds(f32, 1, null);
  const { threshold } = thresholds[0];
  const change = compareScores({ f32, here }, [signal], thresholds);
  const relative = Array.from(f32, (score, i) => (here[i] - score) / score).toSorted((a, b) => a - b);
  expect(change.scoreChange.largest).toBe(relative[4999]);
  expect(change.scoreChange.median).toBeCloseTo((relative[2499] + relative[2500]) / 2, 12);
  const changed = (a: Float32Array, b: Float32Array) =>
    Array.from(a).filter((_, i) => a[i] >= threshold !== b[i] >= threshold).length;
  expect(change.decisions).toEqual([{ rate: '1e-2', changed: changed(f32, here), events: 5000 }]);
  expect(change.signals).toEqual([
    {
      name: 'x',
      events: 700,
      auc: { f32: auc(roc(f32, signal.f32)), here: auc(roc(here, signal.here)) },
      decisions: [{ rate: '1e-2', changed: changed(signal.f32, signal.here), events: 700 }],
    },
  ]);
  expect(changed(signal.f32, signal.here)).toBeGreaterThan(10);
  const same = compareScores({ f32, here: f32 }, [], thresholds);
  expect([same.scoreChange, same.decisions[0].changed]).toEqual([{ median: 0, largest: 0 }, 0]);
});
