import { Draws } from '../src/events/philox.js';
import { caseKey, ratesOf, type BenchCase, type BenchReport } from './report-types.js';
import { median } from './timing.js';

/** How a case of one report compares with itself in an older one. */
export interface Comparison {
  readonly now: BenchCase;
  /** Of the throughputs, now over then, with its interval of 95 %. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  /** `regressed`: slower past the limit beyond doubt, which is what makes a run fail. */
  readonly verdict: 'regressed' | 'slower' | 'unchanged' | 'faster';
}

export interface ComparedReports {
  readonly comparisons: readonly Comparison[];
  readonly onlyThen: readonly BenchCase[];
  readonly onlyNow: readonly BenchCase[];
}

/**
 * Compares the cases that two reports share.
 *
 * @param limit share of its throughput that a case may lose, such as 0.1
 * @param seed of the resampling that the intervals come from
 * @example
 * const { comparisons } = compareReports(then, now, { limit: 0.1, seed: 1 });
 * const failed = comparisons.some(({ verdict }) => verdict === 'regressed');
 */
export function compareReports(
  then: Pick<BenchReport, 'cases'>,
  now: Pick<BenchReport, 'cases'>,
  { limit, seed }: { limit: number; seed: number },
): ComparedReports {
  const [old, fresh] = [then, now].map(({ cases }) => new Map(cases.map(one => [caseKey(one), one])));
  const comparisons = [...fresh].flatMap(([key, one], i) => {
    const before = old.get(key);
    return before ? [compareCase(before, one, limit, new Draws(seed, 0, i, 0))] : [];
  });
  return {
    comparisons,
    onlyThen: [...old].flatMap(([key, one]) => (fresh.has(key) ? [] : [one])),
    onlyNow: [...fresh].flatMap(([key, one]) => (old.has(key) ? [] : [one])),
  };
}

function compareCase(then: BenchCase, now: BenchCase, limit: number, draws: Draws): Comparison {
  const ratio = ratesOf(now).median / ratesOf(then).median;
  const [low, high] = intervalOf(callsOf(then), callsOf(now), draws);
  const verdict = high < 1 - limit ? 'regressed' : high < 1 ? 'slower' : low > 1 ? 'faster' : 'unchanged';
  return { now, ratio, low: Math.min(low, ratio), high: Math.max(high, ratio), verdict };
}

const replicas = 1000;

/**
 * The central 95 % of the ratio of median call times, then over now, over resampled calls. Whole blocks of neighbours are
 * drawn, as what else the machine does slows neighbours alike.
 */
function intervalOf(then: readonly number[], now: readonly number[], draws: Draws): [number, number] {
  const resampledMedian = (calls: readonly number[]): number => {
    const block = Math.ceil(Math.sqrt(calls.length));
    const drawn: number[] = [];
    while (drawn.length < calls.length) {
      const from = Math.floor(draws.uniform() * calls.length);
      for (let i = 0; i < block && drawn.length < calls.length; i++) drawn.push(calls[(from + i) % calls.length]);
    }
    return median(drawn);
  };
  const ratios = Array.from({ length: replicas }, () => resampledMedian(then) / resampledMedian(now));
  ratios.sort((a, b) => a - b);
  return [ratios[Math.floor(0.025 * replicas)], ratios[Math.ceil(0.975 * replicas) - 1]];
}

/** Call times, microseconds; of a report without them the three that its rates tell. */
function callsOf(one: BenchCase): readonly number[] {
  const { median: middle, min, max, call_us: calls } = ratesOf(one);
  return calls && calls.length > 0 ? calls : [max, middle, min].map(rate => (one.batch * 1e6) / rate);
}
