import { generator, normal } from '../evaluate/random.js';

/** Rows [n, 4] of three Gaussian blobs of width 1, at 0 and at 8 along the first two axes. */
export function blobs(n: number, seed: number): Float32Array {
  const x = normal(n * 4, 0, generator(seed));
  for (let r = 0; r < n; r++) if (r % 3 > 0) x[r * 4 + (r % 3) - 1] += 8;
  return x;
}
