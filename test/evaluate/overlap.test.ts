import { combineFractions, fraction, overlap, selectAtFpr } from '../../src/evaluate/overlap.js';
import { efficiencyAtFpr, roc, sortScores } from '../../src/evaluate/roc.js';
import { generator, normal } from './random.js';

const random = generator(5);
const background = normal(2000, 0, random);
const signal = normal(500, 1, random);

test.each([0.1, 0.01, 0.005])('at rate %p what is selected is what the efficiency counts', rate => {
  const sorted = sortScores(background);
  const { tp, fp } = efficiencyAtFpr(roc(background, signal), rate);
  const count = (selected: Uint8Array | null): number => selected!.reduce((a, b) => a + b, 0);
  expect(count(selectAtFpr(sorted, signal, rate))).toBe(tp);
  expect(count(selectAtFpr(sorted, background, rate))).toBe(fp);
});

test('tied scores are selected together or not at all', () => {
  const counts = Float32Array.from({ length: 100 }, (_, i) => (i < 15 ? 3 : 1));
  const sorted = sortScores(counts);
  expect(selectAtFpr(sorted, Float32Array.of(3, 4, 1), 0.1)).toEqual(Uint8Array.of(0, 1, 0));
  expect(selectAtFpr(sorted, Float32Array.of(3, 4, 1), 0.15)).toEqual(Uint8Array.of(1, 1, 0));
});

test('there is no selection where too few background events decide it', () => {
  expect(selectAtFpr(sortScores(background), signal, 0.004)).toBeNull();
});

test('overlaps are fractions of each selection, and of all', () => {
  const found = overlap(Uint8Array.of(1, 1, 1, 1, 0, 0, 0, 0, 0, 0), Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0, 0, 0));
  expect(found.ofFirst?.value).toBe(0.25);
  expect(found.ofSecond?.value).toBe(0.5);
  expect(found.firstAlone?.value).toBe(0.3);
  expect(found.secondAlone?.value).toBe(0.1);
  expect(overlap(new Uint8Array(3), Uint8Array.of(1, 0, 0)).ofFirst).toBeNull();
});

test('seeds are combined, one stays as it is', () => {
  expect(combineFractions([])).toBeNull();
  expect(combineFractions([fraction(1, 4)])).toEqual(fraction(1, 4));
  expect(combineFractions([fraction(1, 4), null])).toBeNull();
  const both = combineFractions([fraction(1, 4), fraction(3, 4)]);
  expect(both?.value).toBe(0.5);
  expect(both?.spread).toBeCloseTo(Math.SQRT1_2 / 2, 12);
});
