import { Draws } from '../../src/events/philox.js';

/** Seeded uniform numbers on (0, 1) for tests. */
export function generator(seed: number): () => number {
  const draws = new Draws(seed, 0, 0, 0);
  return () => draws.uniform();
}

/** `n` normal draws around `mean`, width 1 (Box and Muller). */
export function normal(n: number, mean: number, random: () => number): Float32Array {
  return Float32Array.from(
    { length: n },
    () => mean + Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random()),
  );
}
