import fc from 'fast-check';
import { AnomalyClrError } from '../../src/errors.js';
import { layOut } from '../../src/ops/layout.js';

const offsetsOf = (counts: number[]): Int32Array => {
  let at = 0;
  return Int32Array.from([0, ...counts.map(n => (at += n))]);
};

test('without overhead every multiplicity is a bucket of its own and nothing is padded', () => {
  const layout = layOut(offsetsOf([2, 3, 0, 2, 1]), 0);
  expect(layout.padded).toBe(false);
  expect(layout.rows).toBe(8);
  expect(layout.buckets.map(({ events, slots, first, firstEvent }) => [events, slots, first, firstEvent])).toEqual([
    [1, 0, 0, 0],
    [1, 1, 0, 1],
    [2, 2, 1, 2],
    [1, 3, 5, 4],
  ]);
  expect([...layout.order]).toEqual([2, 4, 0, 3, 1]);
  expect([...layout.rowOf]).toEqual([1, 2, 5, 6, 7, 3, 4, 0]);
});

test('a rare multiplicity is padded into the next one where that is cheaper', () => {
  const counts = [...Array<number>(100).fill(4), 3];
  expect(layOut(offsetsOf(counts), 10).buckets).toMatchObject([{ events: 101, slots: 4, padded: true }]);
  expect(layOut(offsetsOf(counts), 0.5).buckets).toHaveLength(2);
});

test('every object has a row of its own in the bucket of its event', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 19 }), { maxLength: 60 }), fc.nat(200), (counts, overhead) => {
      const offsets = offsetsOf(counts);
      const layout = layOut(offsets, overhead);
      expect(new Set(layout.rowOf).size).toBe(offsets[counts.length]);
      expect([...layout.order].toSorted((a, b) => a - b)).toEqual(counts.map((_, i) => i));
      expect(layout.buckets.reduce((n, { events }) => n + events, 0)).toBe(counts.length);
      expect(layout.buckets.reduce((n, { events, slots }) => n + events * slots, 0)).toBe(layout.rows);
      for (const { events, slots, first, firstEvent, padded } of layout.buckets) {
        let short = false;
        for (let e = 0; e < events; e++) {
          const event = layout.order[firstEvent + e];
          expect(layout.place[event]).toBe(firstEvent + e);
          expect(layout.counts[firstEvent + e]).toBe(counts[event]);
          short ||= counts[event] < slots;
          for (let s = 0; s < counts[event]; s++) expect(layout.rowOf[offsets[event] + s]).toBe(first + e * slots + s);
        }
        expect(padded).toBe(short);
      }
      // never dearer than one bucket for each multiplicity, or one for all
      const cost = layout.rows + overhead * layout.buckets.filter(({ slots }) => slots > 0).length;
      const present = new Set(counts.filter(n => n > 0));
      expect(cost).toBeLessThanOrEqual(offsets[counts.length] + overhead * present.size);
      if (present.size > 0) {
        const occupied = counts.filter(n => n > 0).length;
        expect(cost).toBeLessThanOrEqual(occupied * Math.max(...present) + overhead);
      }
    }),
    { seed: 5, numRuns: 200 },
  );
});

test('offsets that fall are refused', () => {
  expect(() => layOut(Int32Array.of(0, 3, 2), 0)).toThrow(AnomalyClrError);
});
