import { Numbers, Purpose, streamId } from '../../src/augment/numbers.js';
import { Draws } from '../../src/events/philox.js';

const [seed, epoch, event, stream] = [3 + 2 ** 33, 4, 5, 6];

function both(): [Numbers, Draws] {
  const numbers = new Numbers(seed, epoch);
  numbers.restart(event, stream);
  return [numbers, new Draws(seed, epoch, event, stream)];
}

test('streams are told apart by purpose, view and step', () => {
  expect(streamId(Purpose.augment, 0, 0)).toBe(0x10000000);
  expect(streamId(Purpose.augment, 2, 3)).toBe(0x12000003);
  expect(streamId(Purpose.dropout, 1, 0xffffff)).toBe(0x21ffffff);
});

test('a restart begins the stream anew, also in the middle of a block', () => {
  const [numbers] = both();
  const first = [numbers.unit(), numbers.unit()];
  numbers.restart(event + 1, stream);
  expect(numbers.unit()).not.toBe(first[0]);
  numbers.restart(event, stream);
  expect([numbers.unit(), numbers.unit()]).toEqual(first);
});

test.each([0, 1, 2, 9, 1e6, 2 ** 21 + 1, 1e9])('integers on 0 .. %i are the high words of exact products', n => {
  const [numbers, words] = both();
  for (let i = 0; i < 2000; i++) expect(numbers.integer(n)).toBe(Number((BigInt(words.next()) * BigInt(n + 1)) >> 32n));
});

test('uniform, exponential and normal numbers follow their formulas', () => {
  const [numbers, words] = both();
  const pair = new Float32Array(2);
  for (let i = 0; i < 1000; i++) {
    expect(numbers.uniform(-2, 5)).toBeCloseTo(-2 + 7 * words.uniform(), 5);
    expect(numbers.exponential()).toBeCloseTo(-Math.log(words.uniform()), 5);
    numbers.normals(pair);
    const [radius, angle] = [Math.sqrt(-2 * Math.log(words.uniform())), 2 * Math.PI * words.uniform()];
    expect(pair[0]).toBeCloseTo(radius * Math.cos(angle), 5);
    expect(pair[1]).toBeCloseTo(radius * Math.sin(angle), 5);
    expect(numbers.normal()).toBeCloseTo(
      Math.sqrt(-2 * Math.log(words.uniform())) * Math.cos(2 * Math.PI * words.uniform()),
      5,
    );
  }
});
