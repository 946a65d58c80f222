import { partition, type Scores, type SortedScores } from '../evaluate/roc.js';

/** A histogram of one method's scores, all series over the same bins. */
export interface Spectrum {
  readonly method: string;
  /** The bins are evenly spaced in log10 of the score. */
  readonly log: boolean;
  /** [bins + 1], rising */
  readonly edges: readonly number[];
  readonly series: readonly {
    readonly label: string;
    readonly events: number;
    /** Share of the events in each bin. [bins] */
    readonly fraction: readonly number[];
  }[];
}

/**
 * Bins the scores of several samples alike, logarithmically where they are positive and span more than a factor of twenty.
 * The bins reach from the lowest 0.05 % of the background to its highest 0.05 % or the highest 1 % of another sample;
 * events beyond count in the outermost bins.
 *
 * @param samples label and scores, the background first; sorted ones are not copied
 */
export function spectrum(
  method: string,
  samples: readonly { readonly label: string; readonly scores: Scores | SortedScores }[],
  bins = 40,
): Spectrum {
  const all = samples.map(({ scores }) => ('ascending' in scores ? scores.ascending : scores.slice().sort()));
  const ordered = all.map(finite).filter(s => s.length > 0);
  const at = (s: Scores, p: number) => s[Math.round(p * (s.length - 1))];
  if (ordered.length === 0) ordered.push(Float64Array.of(0));
  const low = at(ordered[0], 0.0005);
  let high = Math.max(...ordered.map((s, i) => at(s, i === 0 ? 0.9995 : 0.99)));
  if (!(high > low)) high = low + (Math.abs(low) || 1);
  const log = low > 0 && high / low > 20;
  const [to, from] = log ? [Math.log10, (x: number) => 10 ** x] : [(x: number) => x, (x: number) => x];
  const [start, width] = [to(low), (to(high) - to(low)) / bins];
  const edges = Array.from({ length: bins + 1 }, (_, k) => from(start + k * width));
  const series = samples.map(({ label }, i) => {
    const scores = all[i];
    const counts = new Float64Array(bins);
    for (const score of scores) {
      // A score of 0 or below has no logarithm: NaN or -inf, the lowest bin.
      const k = Math.floor((to(score) - start) / width);
      counts[k > 0 ? Math.min(k, bins - 1) : 0] += 1;
    }
    return { label, events: scores.length, fraction: Array.from(counts, c => c / Math.max(1, scores.length)) };
  });
  return { method, log, edges, series };
}

/** The finite ones of rising scores, among which infinite ones and NaN stand at the ends. */
function finite(ascending: Scores): Scores {
  return ascending.subarray(
    partition(ascending, v => v === -Infinity),
    partition(ascending, v => v < Infinity),
  );
}

/** Thins a series to at most `maximum` points by averaging neighbours. */
export function thin(points: readonly (readonly [x: number, y: number])[], maximum = 300): [x: number, y: number][] {
  const group = Math.ceil(points.length / maximum);
  const thinned: [number, number][] = [];
  for (let i = 0; i < points.length; i += group) {
    const part = points.slice(i, i + group);
    const mean = (k: 0 | 1) => part.reduce((sum, p) => sum + p[k], 0) / part.length;
    thinned.push([mean(0), mean(1)]);
  }
  return thinned;
}
