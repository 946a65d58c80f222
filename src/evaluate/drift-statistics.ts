/** Two-sided 5 % point of the Kolmogorov distribution. */
const kolmogorov95 = 1.3581;
/** One-sided 0.1 % point of the normal distribution. */
const z999 = 3.0902;

/**
 * The population stability index, sum of (a - b) ln(a / b) over bins with shares a of the sample and b of the reference:
 * the symmetrised relative entropy of the two. A bin counts as holding at least half a value, so that an empty one
 * stays finite.
 *
 * @param sample - values of the sample in each bin
 * @param reference - values of the reference in each bin; need not be whole
 * @returns null where one of the two is empty
 */
export function populationStability(sample: ArrayLike<number>, reference: ArrayLike<number>): number | null {
  const [n, m] = [sum(sample), sum(reference)];
  if (!(n > 0 && m > 0)) return null;
  let index = 0;
  for (let k = 0; k < sample.length; k++) {
    if (sample[k] === 0 && reference[k] === 0) continue;
    const [a, b] = [Math.max(sample[k], 0.5) / n, Math.max(reference[k], 0.5) / m];
    index += (a - b) * Math.log(a / b);
  }
  return index;
}

/**
 * What the index is where nothing has changed: nm / (n + m) times it is about chi-squared with bins - 1 degrees of
 * freedom.
 *
 * @param n - independent values of the sample
 * @param m - independent values of the reference
 * @returns its mean, and the limit that it passes once in a thousand times
 */
export function stabilityNoise(bins: number, n: number, m: number): { mean: number; limit: number } {
  const freedom = bins - 1;
  if (freedom <= 0) return { mean: 0, limit: 0 };
  const scale = 1 / n + 1 / m;
  const t = 2 / (9 * freedom); // Wilson and Hilferty
  return { mean: freedom * scale, limit: freedom * (1 - t + z999 * Math.sqrt(t)) ** 3 * scale };
}

/**
 * Probability of a Kolmogorov-Smirnov distance at least as large where nothing has changed, and the distance that is
 * passed once in twenty times; asymptotic, with Stephens's correction for small samples.
 */
export function kolmogorovSmirnov(distance: number, n: number, m: number): { p: number; critical: number } {
  const root = Math.sqrt((n * m) / (n + m));
  const scale = root + 0.12 + 0.11 / root;
  return { p: kolmogorovTail(scale * distance), critical: Math.min(1, kolmogorov95 / scale) };
}

/** 2 sum over j >= 1 of (-1)^(j-1) exp(-2 j² x²) */
function kolmogorovTail(x: number): number {
  if (x < 0.2) return 1; // where the sum no longer converges quickly, and is 1 to twelve digits
  let tail = 0;
  for (let j = 1; j <= 40; j++) tail += (j % 2 === 1 ? 2 : -2) * Math.exp(-2 * (j * x) ** 2);
  return Math.max(0, Math.min(1, tail));
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let k = 0; k < values.length; k++) total += values[k];
  return total;
}
