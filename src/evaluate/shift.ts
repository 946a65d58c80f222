import { type Interval, MINIMUM_BACKGROUND, wilson, Z95 } from './intervals.js';
import { efficiencyAtFpr, roc, type Scores, type SortedScores } from './roc.js';
import { combineIntervals } from './summary.js';

/** Background rates at which a threshold is put. */
export const shiftRates = ['1e-2', '1e-3'] as const;
export type ShiftRate = (typeof shiftRates)[number];

/** What a shifted detector does to the scores of background, with 95 % intervals. */
export interface Shift {
  /** Shifts of the mean and of the median, in units of the nominal spread: half the width of the central 68 %. */
  readonly mean: Interval;
  readonly median: Interval;
  /**
   * Of the background passing the threshold that lets a rate of the nominal background pass: how much more that is. 1 where
   * nothing changes; null where too few nominal events pass.
   */
  readonly passing: Readonly<Record<ShiftRate, Interval | null>>;
}

/**
 * Compares scores of shifted background with nominal ones. The intervals take the two samples as independent: where they
 * are the same collisions, they are too wide.
 *
 * @throws AnomalyClrError on no scores or a NaN
 * @example
 * shiftOf(sortScores(nominal), sortScores(shifted)).passing['1e-2']?.value; // 1.2: a fifth more
 */
export function shiftOf(nominal: SortedScores, shifted: SortedScores): Shift {
  const [a, b] = [nominal.ascending, shifted.ascending];
  const spread = (quantile(a, 0.84) - quantile(a, 0.16)) / 2;
  const [before, after] = [momentsOf(a), momentsOf(b)];
  const about = (difference: number, half: number): Interval => ({
    value: difference / spread,
    low: (difference - half) / spread,
    high: (difference + half) / spread,
  });
  const passing = (rate: ShiftRate): Interval | null => passingRatio(nominal, shifted, Number(rate));
  return {
    mean: about(after.mean - before.mean, Z95 * Math.hypot(before.error, after.error)),
    median: about(quantile(b, 0.5) - quantile(a, 0.5), Math.hypot(medianHalf(a), medianHalf(b))),
    passing: { '1e-2': passing('1e-2'), '1e-3': passing('1e-3') },
  };
}

/** The mean over training seeds, as for all figures; null without a seed. */
export function combineShifts(seeds: readonly Shift[]): Shift | null {
  if (seeds.length <= 1) return seeds.at(0) ?? null;
  const anything = { lowest: -Infinity, highest: Infinity };
  const moved = (of: (s: Shift) => Interval): Interval => combineIntervals(seeds.map(of), anything) ?? of(seeds[0]);
  const passing = (rate: ShiftRate): Interval | null => {
    const ratios = seeds.map(one => one.passing[rate]);
    // errors of a ratio are those of its logarithm, which nothing has none of
    const log = ratios.every(one => one === null || one.low > 0);
    return combineIntervals(ratios, { lowest: 0, highest: Infinity, log });
  };
  return {
    mean: moved(s => s.mean),
    median: moved(s => s.median),
    passing: { '1e-2': passing('1e-2'), '1e-3': passing('1e-3') },
  };
}

/** Shifted background passing the nominal threshold of a rate, over the nominal background passing it. */
function passingRatio(nominal: SortedScores, shifted: SortedScores, rate: number): Interval | null {
  const { fp, fpr, tp, tpr } = efficiencyAtFpr(roc(nominal, shifted), rate);
  if (fp < MINIMUM_BACKGROUND) return null;
  const value = tpr / fpr;
  if (tp === 0) return { value, low: 0, high: wilson(0, shifted.ascending.length)[1] / fpr };
  const half = Z95 * Math.sqrt((1 - fpr) / fp + (1 - tpr) / tp);
  return { value, low: value * Math.exp(-half), high: value * Math.exp(half) };
}

function momentsOf(scores: Scores): { mean: number; error: number } {
  let mean = 0;
  for (const score of scores) mean += score / scores.length;
  let square = 0;
  for (const score of scores) square += (score - mean) ** 2;
  return { mean, error: Math.sqrt(square / Math.max(1, scores.length - 1) / scores.length) };
}

/** Half the 95 % interval of the median, between order statistics. */
function medianHalf(ascending: Scores): number {
  const off = (Z95 * 0.5) / Math.sqrt(ascending.length);
  return (quantile(ascending, Math.min(1, 0.5 + off)) - quantile(ascending, Math.max(0, 0.5 - off))) / 2;
}

/** The value below which a fraction of rising `values` lies. */
function quantile(values: Scores, fraction: number): number {
  return values[Math.min(values.length - 1, Math.floor(fraction * values.length))];
}
