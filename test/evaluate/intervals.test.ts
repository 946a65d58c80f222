import {
  aucInterval,
  efficiencyInterval,
  type Interval,
  rejectionInterval,
  studentT95,
  wilson,
} from '../../src/evaluate/intervals.js';
import { roc } from '../../src/evaluate/roc.js';
import { combineSeeds, perRate, summarise, type Summary } from '../../src/evaluate/summary.js';
import { generator, normal } from './random.js';

test('Wilson intervals against published values', () => {
  // Newcombe (1998), table I, method 3.
  for (const [r, n, low, high] of [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ]) {
    const got = wilson(r, n);
    expect(got[0]).toBeCloseTo(low, 4);
    expect(got[1]).toBeCloseTo(high, 4);
  }
  expect(wilson(7, 7)[1]).toBe(1);
});

test("Student's t against tables", () => {
  for (const [df, t] of [
    [1, 12.706],
    [2, 4.303],
    [4, 2.776],
    [5, 2.571],
    [9, 2.262],
    [30, 2.042],
    [1e6, 1.96],
  ])
    expect(Math.abs(studentT95(df) - t)).toBeLessThan(2e-3);
});

describe('coverage on normal scores, background at 0 and signal at 1.5', () => {
  const [experiments, nb, ns] = [400, 2000, 500];
  const random = generator(11);
  const curves = Array.from({ length: experiments }, () => roc(normal(nb, 0, random), normal(ns, 1.5, random)));
  // Standard normal integrals: P(x > z).
  const truth = {
    auc: 0.855578, // Phi(1.5 / sqrt 2)
    efficiency: 0.204466, // P(x > 2.326348 - 1.5)
    rejection: 1 / 0.021434, // threshold 1.5 + 0.524401
  };
  test.each<[keyof typeof truth, (c: (typeof curves)[0]) => Interval | null]>([
    ['auc', aucInterval],
    ['efficiency', c => efficiencyInterval(c, 0.01)],
    ['rejection', c => rejectionInterval(c, 0.3)],
  ])('%s', (figure, of) => {
    const covered = curves.filter(c => {
      const i = of(c)!;
      expect(i.low).toBeLessThanOrEqual(i.value);
      expect(i.high).toBeGreaterThanOrEqual(i.value);
      return i.low <= truth[figure] && truth[figure] <= i.high;
    }).length;
    // 95 % within three standard errors, and a little to the safe side for whole counts.
    expect(covered / experiments).toBeGreaterThan(0.915);
    expect(covered / experiments).toBeLessThan(0.993);
  });
});

test('figures that too few background events bear are null', () => {
  const random = generator(3);
  const s = summarise(normal(20_000, 0, random), normal(1000, 1, random));
  expect(perRate(r => s.efficiencyAtFpr[r] === null)).toEqual({
    '1e-2': false,
    '1e-3': false,
    '1e-4': true,
    '1e-5': true,
  });
  expect(perRate(r => s.sicAtFpr[r] === null)).toEqual({ '1e-2': false, '1e-3': false, '1e-4': true, '1e-5': true });
  expect(s.rejectionAtEff03).not.toBeNull();
  expect(summarise(normal(2000, 0, random), normal(100, 9, random)).rejectionAtEff03).toBeNull();
  expect(summarise(Float32Array.of(1), Float32Array.of(2)).auc).toBeNull();
  // Exactly ten expected: 1e-3 of 10,000.
  expect(efficiencyInterval(roc(normal(10_000, 0, random), normal(9, 1, random)), 1e-3)).not.toBeNull();
});

test('perfect separation keeps a lower edge below 1; constant scores have an AUC of exactly one half', () => {
  const perfect = aucInterval(roc(Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6, 7)))!;
  expect(perfect.value).toBe(1);
  expect(perfect.low).toBeCloseTo(wilson(3, 3)[0], 12);
  const constant = summarise(new Float32Array(2000), new Float32Array(100));
  expect(constant.auc).toEqual({ value: 0.5, low: 0.5, high: 0.5 });
  expect(constant.efficiencyAtFpr['1e-2']).toMatchObject({ value: 0, low: 0 });
  expect(constant.rejectionAtEff03!.value).toBe(1);
});

test('SIC is the efficiency over the root of the rate', () => {
  const random = generator(4);
  const s = summarise(normal(20_000, 0, random), normal(1000, 1, random));
  const [eff, sic] = [s.efficiencyAtFpr['1e-2']!, s.sicAtFpr['1e-2']!];
  for (const k of ['value', 'low', 'high'] as const) expect(sic[k]).toBeCloseTo(eff[k] * 10, 12);
});

describe('combining seeds', () => {
  const summary = (auc: Interval | null, rejectionAtEff03: Interval | null = null): Summary => ({
    auc,
    rejectionAtEff03,
    efficiencyAtFpr: perRate(() => auc),
    sicAtFpr: perRate(() => null),
  });

  test('the formula, by hand', () => {
    const combined = combineSeeds(
      [
        summary({ value: 0.7, low: 0.69, high: 0.72 }),
        summary({ value: 0.72, low: 0.7, high: 0.74 }),
        summary({ value: 0.74, low: 0.71, high: 0.78 }),
      ],
      [1, 2, 3],
    );
    expect(combined.auc!.value).toBeCloseTo(0.72, 12);
    expect(combined.auc!.spread).toBeCloseTo(0.02, 12);
    const ofMean = (4.3027 * 0.02) / Math.sqrt(3);
    expect(combined.auc!.low).toBeCloseTo(0.72 - Math.hypot(0.02, ofMean), 6);
    expect(combined.auc!.high).toBeCloseTo(0.72 + Math.hypot(0.08 / 3, ofMean), 6);
  });

  test('rejection adds its errors on the logarithm', () => {
    const values = [100, 200, 400].map(v => ({ value: v, low: v / 2, high: v * 4 }));
    const { rejectionAtEff03: got } = combineSeeds(
      values.map(v => summary(null, v)),
      [1, 2, 3],
    );
    const ofMean = (4.3027 * Math.LN2) / Math.sqrt(3);
    expect(got!.value).toBeCloseTo(700 / 3, 9);
    expect(Math.log(got!.value / got!.low)).toBeCloseTo(Math.hypot(Math.LN2, ofMean), 9);
    expect(Math.log(got!.high / got!.value)).toBeCloseTo(Math.hypot(2 * Math.LN2, ofMean), 9);
    expect(got!.spread).toBeCloseTo(152.7525, 3);
  });

  test('one seed is left alone; nulls stay null; edges stay within the range of the figure', () => {
    const one = summary({ value: 0.7, low: 0.69, high: 0.71 });
    expect(combineSeeds([one], [1])).toEqual(one);
    const two = combineSeeds(
      [
        summary({ value: 0.5, low: 0.4, high: 0.6 }, { value: 3, low: 2, high: 4 }),
        summary({ value: 0.9, low: 0.8, high: 1 }),
      ],
      [1, 2],
    );
    expect(two.rejectionAtEff03).toBeNull();
    expect([two.auc!.low, two.auc!.high]).toEqual([0, 1]);
    expect(() => combineSeeds([], [])).toThrow(/seeds/);
    expect(() => combineSeeds([one], [1, 2])).toThrow(/1 summaries for 2 seeds/);
  });
});
