import type { LiveScores } from './live.js';

/**
 * Bins of a float32 by its exponent and the first 6 bits of its fraction: 64 for each power of two, those of scores below 0
 * first, mirrored.
 */
const shift = 17;
const half = 0x7f800000 >>> shift;
const bins = 2 * half;
const largestFinite = 0x7f7fffff;
/** Bins of the spectrum that is shown: for each power of ten, at most; evenly spaced ones. */
const perDecade = 12;
const mostBins = 120;
const evenBins = 60;
/** Evenly spaced bins end where the highest 0.1 % lie so many times as far from the median as their lowest. */
const reach = 4;
const asFloat = new Float32Array(1);
const asBits = new Uint32Array(asFloat.buffer);

/** Counts scores of any size to 1.6 %, in 128 kB. Those of 0 count as the smallest above it, infinite ones in the outermost bins. */
export class ScoreHistogram {
  total = 0;
  private readonly counts = new Uint32Array(bins);

  /** @param score - not NaN */
  add(score: number): void {
    asFloat[0] = Math.abs(score);
    const place = Math.min(half - 1, asBits[0] >>> shift);
    this.counts[score < 0 ? half - 1 - place : half + place] += 1;
    this.total += 1;
  }

  clear(): void {
    this.counts.fill(0);
    this.total = 0;
  }

  addAll(other: ScoreHistogram): void {
    for (let k = 0; k < bins; k++) this.counts[k] += other.counts[k];
    this.total += other.total;
  }

  /** The score at rank ceil(p n); null where there are none. */
  quantile(p: number): number | null {
    if (this.total === 0) return null;
    const rank = Math.max(1, Math.ceil(p * this.total));
    let [bin, seen] = [0, this.counts[0]];
    while (seen < rank) seen += this.counts[++bin];
    return (edge(bin) + edge(bin + 1)) / 2;
  }

  /**
   * Bins evenly spaced, in the logarithm where all but the lowest 0.1 % are above 0, from the lowest 0.1 % to the greatest
   * score, or to `atLeast` where that is more; what lies beyond counts in the outermost bins.
   */
  spectrum(atLeast: number): LiveScores['spectrum'] {
    const [low, middle, high, top] = [0.001, 0.5, 0.999, 1].map(p => this.quantile(p) ?? 0);
    if (this.total === 0) return null;
    const log = low > 0;
    const [first, width, size] = log
      ? logarithmic(low, Math.max(top, atLeast))
      : even(low, Math.max(atLeast, Math.min(top, middle + reach * (high - middle))));
    const place = (value: number) => ((log ? Math.log10(Math.max(value, 1e-45)) : value) - first) / width;
    const counts = new Float64Array(size);
    for (let k = 0; k < bins; k++)
      if (this.counts[k] > 0) spread(counts, this.counts[k], place(edge(k)), place(edge(k + 1)));
    const at = (k: number) => first + k * width;
    return {
      log,
      edges: Array.from({ length: size + 1 }, (_, k) => (log ? 10 ** at(k) : at(k))),
      counts: Array.from(counts, count => Math.round(10 * count) / 10),
    };
  }
}

type Binning = [first: number, width: number, size: number];

function logarithmic(low: number, high: number): Binning {
  const first = Math.floor(perDecade * Math.log10(low));
  const last = Math.floor(perDecade * Math.log10(high) + 1);
  return [first / perDecade, 1 / perDecade, Math.min(mostBins, last - first)];
}

const even = (low: number, high: number): Binning => [low, (high > low ? high - low : 1) / evenBins, evenBins];

/** A fine bin can lie across an edge of the shown ones: each gets its part. */
function spread(counts: Float64Array, count: number, low: number, high: number): void {
  const within = (place: number) => Math.max(0, Math.min(counts.length - 1e-9, place));
  const [from, to] = [within(low), within(high)];
  const [a, b] = [Math.floor(from), Math.floor(to)];
  // one that is wider than those shown fills all that it covers
  for (let k = a; k <= b; k++)
    counts[k] += a === b ? count : (count * (Math.min(to, k + 1) - Math.max(from, k))) / (to - from);
}

/** Lower edge of a fine bin, always finite and never 0. */
function edge(bin: number): number {
  asBits[0] = Math.min(Math.max(1, bin < half ? half - bin : bin - half) << shift, largestFinite);
  return bin < half ? -asFloat[0] : asFloat[0];
}
