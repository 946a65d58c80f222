/** The largest distance of the values from a uniform distribution on (0, 1), times the root of their number. */
export function againstUniform(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const n = sorted.length;
  const worst = sorted.reduce((most, x, i) => Math.max(most, Math.abs(x - i / n), Math.abs(x - (i + 1) / n)), 0);
  return worst * Math.sqrt(n);
}

/** Of {@link againstUniform}: passed by chance once in 1e5. */
export const kolmogorov = 2.5;

/** How many of `n` trials of probability `p` came true, in standard deviations from what is expected. */
export function pull(hits: number, n: number, p: number): number {
  return (hits - n * p) / Math.sqrt(n * p * (1 - p));
}

/** The standard normal distribution function, to 1e-7 (Abramowitz and Stegun 26.2.17). */
export function normalCdf(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * series;
  return x > 0 ? 1 - tail : tail;
}
