import fc from 'fast-check';
import { curvePoints } from '../../src/evaluate/curve.js';
import { evaluateMethods } from '../../src/evaluate/evaluation.js';
import { efficiencyAtFpr, rejectionAtEfficiency, roc, sortInPlace, sortScores } from '../../src/evaluate/roc.js';
import { spectrum } from '../../src/report/histogram.js';
import { arrayCurvePoints, arrayEfficiency, arrayFigures, arrayRejection, arrayRoc, arraySpectrum } from './arrays.js';

/** Scores with and without many ties, and infinite ones. */
const scores = fc
  .tuple(
    fc.array(fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constantFrom(Infinity, -Infinity)), {
      minLength: 1,
      maxLength: 60,
    }),
    fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { maxLength: 300 }),
  )
  .map(([few, many]) => Float32Array.from([...few, ...many]));

test('every figure is what arrays of vertices give, to the last digit', () => {
  let borne = 0;
  fc.assert(
    fc.property(scores, scores, scores, (some, more, signal) => {
      // 1,200 and more background events bear an efficiency at 1e-2
      const background = Float32Array.from({ length: 1200 }, (_, i) =>
        i % 3 === 0 ? some[i % some.length] : i / 1200,
      );
      for (const b of [more, background]) {
        const { background: _, methods } = evaluateMethods({
          background: { events: b.length },
          methods: { m: [{ seed: 1, background: b, signals: { s: signal } }] },
        });
        expect(methods['m'].signals['s']).toEqual(arrayFigures(b, signal));
        if (methods['m'].signals['s'].efficiency_at_fpr['1e-2'] !== null) borne++;
        expect(curvePoints(roc(b, signal))).toEqual(arrayCurvePoints(arrayRoc(b, signal)));
      }
    }),
    { numRuns: 60 },
  );
  expect(borne).toBeGreaterThanOrEqual(60);
});

test('working points anywhere, with their thresholds and straight lines', () => {
  const fraction = fc.double({ min: 1e-6, max: 1, noNaN: true });
  fc.assert(
    fc.property(scores, scores, fraction, (b, s, at) => {
      const [curve, arrays] = [roc(b, s), arrayRoc(b, s)];
      expect(efficiencyAtFpr(curve, at)).toEqual(arrayEfficiency(arrays, at));
      expect(rejectionAtEfficiency(curve, at)).toEqual(arrayRejection(arrays, at));
    }),
  );
});

test('score histograms of sorted scores are those of scores as they came', () => {
  fc.assert(
    fc.property(scores, scores, (b, s) => {
      const samples = [
        { label: 'background', scores: b },
        { label: 's', scores: s },
      ];
      const want = arraySpectrum('m', samples);
      expect(spectrum('m', samples)).toEqual(want);
      expect(
        spectrum(
          'm',
          samples.map(({ label, scores: as }) => ({ label, scores: sortScores(as) })),
        ),
      ).toEqual(want);
    }),
  );
});

test('sorting in place makes no copy and names the event of a NaN', () => {
  const b = Float32Array.of(3, 1, 2);
  expect(sortInPlace(b).ascending).toBe(b);
  expect(b).toEqual(Float32Array.of(1, 2, 3));
  expect(() => sortInPlace(Float32Array.of(3, NaN, 1), 'cut ht')).toThrow(/^cut ht: event 1 has the score NaN/);
});
