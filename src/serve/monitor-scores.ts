import type { LiveScores } from './live.js';

/** Bins of a float32 by its sign-less exponent and the first 6 bits of its fraction: 64 for each power of two. */
const shift = 17;
const bins = 0x7f800000 >>> shift;
const largestFinite = 0x7f7fffff;
/** Bins of the spectrum that is shown, for each power of ten. */
const perDecade = 12;
const mostBins = 120;
const asFloat = new Float32Array(1);
const asBits = new Uint32Array(asFloat.buffer);

/** Counts scores of any size to 1.6 %, in 64 kB. Scores of 0 and below count in the lowest bin, infinite ones in the highest. */
export class ScoreHistogram {
  total = 0;
  private readonly counts = new Uint32Array(bins);

  /** @param score - not NaN */
  add(score: number): void {
    asFloat[0] = score;
    this.counts[score > 0 ? Math.min(bins - 1, asBits[0] >>> shift) : 0] += 1;
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
   * Bins evenly spaced in the logarithm from the lowest 0.1 % to the greatest score, or to `atLeast` where that is more;
   * what lies below counts in the first bin.
   */
  spectrum(atLeast: number): LiveScores['spectrum'] {
    const low = this.quantile(0.001);
    const top = this.quantile(1);
    if (low === null || top === null) return null;
    const first = Math.floor(perDecade * Math.log10(low));
    const last = Math.floor(perDecade * Math.log10(Math.max(top, atLeast)) + 1);
    const size = Math.min(mostBins, last - first);
    const counts = new Float64Array(size);
    for (let k = 0; k < bins; k++) if (this.counts[k] > 0) spread(counts, this.counts[k], k, first);
    return {
      edges: Array.from({ length: size + 1 }, (_, k) => 10 ** ((first + k) / perDecade)),
      counts: Array.from(counts, count => Math.round(10 * count) / 10),
    };
  }
}

/** A fine bin can lie across an edge of the shown ones: each gets its part in the logarithm. */
function spread(counts: Float64Array, count: number, bin: number, first: number): void {
  const place = (value: number) => Math.max(0, Math.min(counts.length - 1e-9, perDecade * Math.log10(value) - first));
  const [from, to] = [place(edge(bin)), place(edge(bin + 1))];
  const [a, b] = [Math.floor(from), Math.floor(to)];
  const part = a === b ? 1 : (b - from) / (to - from);
  counts[a] += count * part;
  if (a !== b) counts[b] += count * (1 - part);
}

/** Lower edge of a fine bin, always finite and above 0. */
function edge(bin: number): number {
  asBits[0] = Math.min(Math.max(1, bin) << shift, largestFinite);
  return asFloat[0];
}
