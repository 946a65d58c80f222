import fc from 'fast-check';
import { auc, deLongError } from '../../src/evaluate/auc.js';
import { curvePoints } from '../../src/evaluate/curve.js';
import { efficiencyAtFpr, rejectionAtEfficiency, roc, sortScores } from '../../src/evaluate/roc.js';
import { AnomalyClrError } from '../../src/errors.js';
import { generator, normal } from './random.js';

const scores = fc.array(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(Infinity, -Infinity, -0)), {
  minLength: 1,
  maxLength: 40,
});

test('AUC is the share of pairs in order, ties half', () => {
  fc.assert(
    fc.property(scores, scores, (b, s) => {
      const pairs = b.flatMap(x => s.map(y => (y > x ? 1 : y === x ? 0.5 : 0) as number));
      const want = pairs.reduce((sum, p) => sum + p, 0) / pairs.length;
      expect(auc(roc(Float64Array.from(b), Float32Array.from(s)))).toBeCloseTo(want, 12);
    }),
  );
});

test('every vertex counts what passes its threshold', () => {
  fc.assert(
    fc.property(scores, scores, (b, s) => {
      const curve = roc(Float64Array.from(b), Float64Array.from(s));
      expect([curve.fp[0], curve.tp[0]]).toEqual([0, 0]);
      for (let i = 1; i < curve.fp.length; i++) {
        expect(curve.fp[i]).toBe(b.filter(x => x >= curve.threshold[i]).length);
        expect(curve.tp[i]).toBe(s.filter(x => x >= curve.threshold[i]).length);
      }
      expect([curve.fp.at(-1), curve.tp.at(-1)]).toEqual([b.length, s.length]);
    }),
  );
});

test('swapping the classes turns the AUC over and keeps its error', () => {
  fc.assert(
    fc.property(scores, scores, (b, s) => {
      const [x, y] = [Float64Array.from(b), Float64Array.from(s)];
      expect(auc(roc(x, y)) + auc(roc(y, x))).toBeCloseTo(1, 12);
      const [error, swapped] = [deLongError(roc(x, y)), deLongError(roc(y, x))];
      if (error === null) expect(swapped).toBeNull();
      else expect(error).toBeCloseTo(swapped!, 12);
    }),
  );
});

test('the input keeps its order, and float32 and float64 scores compare', () => {
  const b = Float32Array.of(3, 1, 2);
  expect(auc(roc(b, Float64Array.of(2.5, 0)))).toBeCloseTo(2 / 6, 12);
  expect(Array.from(b)).toEqual([3, 1, 2]);
});

test('NaN, an empty class and rates out of range are errors that say where', () => {
  const ok = Float64Array.of(1, 2);
  expect(() => roc(Float64Array.of(1, NaN, 2), ok)).toThrow(/background scores: event 1 has the score NaN/);
  expect(() => roc(ok, Float64Array.of(NaN))).toThrow(/signal scores: event 0/);
  expect(() => roc(ok, new Float64Array(0))).toThrow(AnomalyClrError);
  expect(() => sortScores(new Float32Array(0), 'cut ht')).toThrow(/no cut ht/);
  for (const bad of [0, -0.1, 1.1, NaN]) {
    expect(() => efficiencyAtFpr(roc(ok, ok), bad)).toThrow(AnomalyClrError);
    expect(() => rejectionAtEfficiency(roc(ok, ok), bad)).toThrow(AnomalyClrError);
  }
});

test('plotted points are few, monotone, true vertices, and go from one background event to all', () => {
  const random = generator(1);
  const [b, s] = [normal(50_000, 0, random), normal(2000, 1.5, random)];
  const { efficiency, rejection } = curvePoints(roc(b, s));
  expect(rejection.length).toBeGreaterThan(200);
  expect(rejection.length).toBeLessThanOrEqual(400);
  expect(rejection[0]).toBe(50_000);
  expect([rejection.at(-1), efficiency.at(-1)]).toEqual([1, 1]);
  for (let i = 1; i < rejection.length; i++) {
    expect(rejection[i]).toBeLessThan(rejection[i - 1]);
    expect(efficiency[i]).toBeGreaterThanOrEqual(efficiency[i - 1]);
  }
  const descending = b.slice().sort().reverse();
  for (let i = 0; i < rejection.length; i += 37) {
    const passing = Math.round(50_000 / rejection[i]);
    // Up to the next background score, signal counts for this many background events.
    const next = passing < descending.length ? descending[passing] : -Infinity;
    expect(efficiency[i]).toBeCloseTo(s.filter(x => x > next).length / 2000, 12);
  }
});

test('tied scores thin to their own vertices; the last point takes every signal event', () => {
  const points = curvePoints(roc(Float32Array.of(1, 1, 1, 2, 2), Float32Array.of(2, 2, 1, 0)));
  expect(points).toEqual({ efficiency: [0.5, 1], rejection: [2.5, 1] });
});
