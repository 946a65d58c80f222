import { Split, type EventSplit, type SplitRule } from '../../src/train/split.js';

const all = (count: number, rule: SplitRule): EventSplit => new Split(count, rule).within(0, count);

const rule = { seed: 7, validation: 0.1 };

test('every event is in one part, and the held-back ones are a tenth of every 8192', () => {
  const count = 3 * 8192 + 1003;
  const split = new Split(count, rule);
  const { training, validation } = split.within(0, count);
  expect([split.training, split.validation]).toEqual([training.length, validation.length]);
  expect(validation).toHaveLength(3 * 819 + 100);
  expect([...training, ...validation].toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
  for (let group = 0; group < 3; group++)
    expect(validation.filter(place => Math.floor(place / 8192) === group)).toHaveLength(819);
});

test('a part is known without the rest, from wherever it is asked for', () => {
  const count = 40_000;
  const whole = all(count, rule);
  const split = new Split(count, rule);
  for (const [from, to] of [
    [30_000, 40_000],
    [8000, 8400],
    [0, 1],
    [16_384, 24_576],
    [5, 5],
  ]) {
    const { training, validation } = split.within(from, to);
    expect(Array.from(validation, i => i + from)).toEqual([...whole.validation].filter(p => p >= from && p < to));
    expect(Array.from(training, i => i + from)).toEqual([...whole.training].filter(p => p >= from && p < to));
  }
});

test('groups and seeds draw apart; no share holds nothing back', () => {
  const { validation } = all(16_384, rule);
  const of = (group: number) => [...validation].filter(p => Math.floor(p / 8192) === group).map(p => p % 8192);
  expect(of(0)).not.toEqual(of(1));
  expect(all(16_384, { ...rule, seed: 8 }).validation).not.toEqual(validation);
  expect(all(10, { seed: 1, validation: 0 }).validation).toHaveLength(0);
  expect(new Split(5, rule).validation).toBe(0);
});
