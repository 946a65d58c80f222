import fc from 'fast-check';
import { Draws, philox4x32, shuffle } from '../../src/events/philox.js';

/** Philox4x32-10 with 64-bit integers, straight from the paper. */
function reference(counter: number[], key: number[]): number[] {
  const mask = 0xffffffffn;
  let [c0, c1, c2, c3] = counter.map(BigInt);
  let [k0, k1] = key.map(BigInt);
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c0;
    const p1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [c0, c1, c2, c3].map(Number);
}

const f = 0xffffffff;

// kat_vectors of Random123
test.each([
  ['zeros', [0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
  ['ones', [f, f, f, f], [f, f], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
  [
    'digits of pi',
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
] as const)('known answer: %s', (_, counter, key, answer) => {
  expect(philox4x32(counter, key)).toEqual(answer);
});

test('agrees with 64-bit arithmetic', () => {
  const word = fc.integer({ min: 0, max: f });
  fc.assert(
    fc.property(fc.tuple(word, word, word, word), fc.tuple(word, word), (counter, key) => {
      expect(philox4x32(counter, key)).toEqual(reference(counter, key));
    }),
    { seed: 1, numRuns: 1000 },
  );
});

describe('draws', () => {
  test('words of successive blocks in order, keyed by all of seed, epoch, event and stream', () => {
    const seed = 5 * 2 ** 32 + 7;
    const draws = new Draws(seed, 3, 11, 2);
    const words = Array.from({ length: 9 }, () => draws.next());
    const block = (n: number): number[] => reference([n, 2, 11, 3], [7, 5]);
    expect(words).toEqual([...block(0), ...block(1), block(2)[0]]);
  });

  test('uniform is the middle of the cell of the upper 23 bits', () => {
    const [words, uniforms] = [new Draws(1, 2, 3, 4), new Draws(1, 2, 3, 4)];
    for (let i = 0; i < 1000; i++) {
      const u = uniforms.uniform();
      expect(u * 2 ** 23).toBe(Math.floor(words.next() / 512) + 0.5);
      expect(u > 0 && u < 1).toBe(true);
    }
  });

  test('mean and variance of a uniform number', () => {
    const n = 100_000;
    const draws = new Draws(1, 0, 0, 0);
    const x = Array.from({ length: n }, () => draws.uniform());
    const mean = x.reduce((a, b) => a + b) / n;
    const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / n));
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(5 * Math.sqrt(1 / 180 / n));
  });
});

describe('shuffle', () => {
  test('is a permutation, the same for the same seed and epoch, another for others', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.nat(), fc.nat({ max: 1000 }), (n, seed, epoch) => {
        const order = shuffle(n, seed, epoch);
        expect([...order].toSorted((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
        expect(shuffle(n, seed, epoch)).toEqual(order);
      }),
      { seed: 1 },
    );
    expect(shuffle(100, 1, 0)).not.toEqual(shuffle(100, 1, 1));
    expect(shuffle(100, 1, 0)).not.toEqual(shuffle(100, 2, 0));
  });

  test('follows Fisher and Yates in exact arithmetic', () => {
    const n = 1000;
    const order = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1, draw = 0; i > 0; i--, draw++) {
      const word = reference([Math.floor(draw / 4), 0x73687566, 0, 9], [42, 0])[draw % 4];
      const j = Number((BigInt(word) * BigInt(i + 1)) >> 32n);
      [order[i], order[j]] = [order[j], order[i]];
    }
    expect([...shuffle(n, 42, 9)]).toEqual(order);
  });

  test('every order of three is equally likely', () => {
    const counts = new Map<string, number>();
    const n = 12_000;
    for (let seed = 0; seed < n; seed++) {
      const key = shuffle(3, seed, 0).join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const chi2 = [...counts.values()].reduce((sum, c) => sum + (c - n / 6) ** 2 / (n / 6), 0);
    expect(counts.size).toBe(6);
    expect(chi2).toBeLessThan(25.7); // 1e-4 for 5 degrees of freedom
  });
});
