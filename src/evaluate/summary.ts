import { AnomalyClrError } from '../errors.js';
import { aucInterval, efficiencyInterval, type Interval, rejectionInterval, studentT95 } from './intervals.js';
import { roc, type Scores, type SortedScores } from './roc.js';

/** The background rates at which efficiencies are quoted, as they are spelled in the JSON. */
export const falsePositiveRates = ['1e-2', '1e-3', '1e-4', '1e-5'] as const;
export type Fpr = (typeof falsePositiveRates)[number];

/** Figures of one signal, each null where the events can't bear it. */
export interface Summary {
  auc: Interval | null;
  /** 1/eps_b at eps_s = 0.3. */
  rejectionAtEff03: Interval | null;
  /** eps_s at background rate. */
  efficiencyAtFpr: Record<Fpr, Interval | null>;
  /** eps_s / sqrt(eps_b) at background rate. */
  sicAtFpr: Record<Fpr, Interval | null>;
}

/**
 * The figures of merit of one set of scores with their 95 % intervals (see `intervals.ts`).
 *
 * @param background sort it once with `sortScores` to compare it with several signals
 * @throws AnomalyClrError on an empty class or a NaN
 */
export function summarise(background: Scores | SortedScores, signal: Scores | SortedScores): Summary {
  const curve = roc(background, signal);
  const efficiencyAtFpr = perRate(rate => efficiencyInterval(curve, Number(rate)));
  return {
    auc: aucInterval(curve),
    rejectionAtEff03: rejectionInterval(curve, 0.3),
    efficiencyAtFpr,
    sicAtFpr: perRate(rate => scaled(efficiencyAtFpr[rate], 1 / Math.sqrt(Number(rate)))),
  };
}

/** A record over the quoted background rates. */
export function perRate<T>(make: (rate: Fpr) => T): Record<Fpr, T> {
  return Object.fromEntries(falsePositiveRates.map(rate => [rate, make(rate)])) as Record<Fpr, T>;
}

function scaled(interval: Interval | null, by: number): Interval | null {
  return interval && { value: interval.value * by, low: interval.low * by, high: interval.high * by };
}

/**
 * The mean over training seeds. With m seeds of values v, intervals [v - l, v + h] and sample standard deviation s:
 *
 *     low  = mean(v) - sqrt( mean(l)^2 + (t s / sqrt(m))^2 ),     t: Student's 95 % point for m - 1 degrees of freedom
 *     high = mean(v) + sqrt( mean(h)^2 + (t s / sqrt(m))^2 ),     cut off at the figure's own range
 *
 * All seeds meet the same events, so the statistical part does not shrink with m. For the rejection, a ratio, l, h and s
 * are those of its logarithm, and the edges are mean(v) times or over exp of the root. `spread` is s in the figure's own
 * units. One seed is returned as it is; a figure null for any seed is null.
 *
 * @param summaries one per seed
 * @throws AnomalyClrError on an empty list, or where the lists differ in length
 */
export function combineSeeds(summaries: readonly Summary[], seeds: readonly number[]): Summary {
  if (summaries.length === 0 || summaries.length !== seeds.length)
    throw new AnomalyClrError(
      `${summaries.length} summaries for ${seeds.length} seeds: give one for each, at least one`,
    );
  if (summaries.length === 1) return summaries[0];
  const combined = (of: (s: Summary) => Interval | null, range: Range) => combineIntervals(summaries.map(of), range);
  return {
    auc: combined(s => s.auc, { lowest: 0, highest: 1 }),
    rejectionAtEff03: combined(s => s.rejectionAtEff03, { lowest: 1, highest: Infinity, log: true }),
    efficiencyAtFpr: perRate(rate => combined(s => s.efficiencyAtFpr[rate], { lowest: 0, highest: 1 })),
    sicAtFpr: perRate(rate => combined(s => s.sicAtFpr[rate], { lowest: 0, highest: 1 / Math.sqrt(Number(rate)) })),
  };
}

interface Range {
  readonly lowest: number;
  readonly highest: number;
  /** Errors are added on the logarithm. */
  readonly log?: boolean;
}

/** One figure of several seeds, two or more, by the formula of {@link combineSeeds}; null where one is null. */
export function combineIntervals(
  intervals: readonly (Interval | null)[],
  { lowest, highest, log = false }: Range,
): Interval | null {
  const known = intervals.filter(i => i !== null);
  const m = known.length;
  if (m < intervals.length) return null;
  const on = (x: number) => (log ? Math.log(x) : x);
  const values = known.map(i => i.value);
  const ofMean = (studentT95(m - 1) * deviation(values.map(on))) / Math.sqrt(m);
  const below = Math.hypot(mean(known.map(i => on(i.value) - on(i.low))), ofMean);
  const above = Math.hypot(mean(known.map(i => on(i.high) - on(i.value))), ofMean);
  const value = mean(values);
  const [low, high] = log ? [value * Math.exp(-below), value * Math.exp(above)] : [value - below, value + above];
  return { value, low: Math.max(lowest, low), high: Math.min(highest, high), spread: deviation(values) };
}

function mean(values: number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}

/** Sample standard deviation (n - 1). */
function deviation(values: number[]): number {
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / (values.length - 1));
}
