import { type Interval, MINIMUM_BACKGROUND, wilson } from './intervals.js';
import { efficiencyAtFpr, roc, type Scores, type SortedScores } from './roc.js';
import { combineIntervals } from './summary.js';

/**
 * Which events pass the threshold that lets at most floor(fpr n_b) background events pass: those behind
 * `efficiency_at_fpr`. [events], 1 for selected
 *
 * @returns null where fpr n_b is below {@link MINIMUM_BACKGROUND}
 * @throws AnomalyClrError on an empty class or a NaN
 */
export function selectAtFpr(background: SortedScores, scores: Scores, fpr: number): Uint8Array | null {
  if (fpr * background.ascending.length < MINIMUM_BACKGROUND - 1e-9) return null;
  const { threshold } = efficiencyAtFpr(roc(background, scores), fpr);
  return Uint8Array.from(scores, score => (score >= threshold ? 1 : 0));
}

/** What two selections of the same events have in common. A fraction of nothing is null. */
export interface Overlap {
  /** Of the events that the first selects, the fraction that the second selects too. */
  ofFirst: Interval | null;
  /** Of the events that the second selects, the fraction that the first selects too. */
  ofSecond: Interval | null;
  /** Of all events, the fraction that the first selects and the second does not. */
  firstAlone: Interval | null;
  secondAlone: Interval | null;
}

/** @param first, second - [events], 1 for selected */
export function overlap(first: Uint8Array, second: Uint8Array): Overlap {
  let [ones, twos, both] = [0, 0, 0];
  for (let e = 0; e < first.length; e++) {
    ones += first[e];
    twos += second[e];
    both += first[e] & second[e];
  }
  return {
    ofFirst: fraction(both, ones),
    ofSecond: fraction(both, twos),
    firstAlone: fraction(ones - both, first.length),
    secondAlone: fraction(twos - both, first.length),
  };
}

/** A share of events with Wilson's interval; null of none. */
export function fraction(count: number, total: number): Interval | null {
  if (total === 0) return null;
  const [low, high] = wilson(count, total);
  return { value: count / total, low, high };
}

/** Shares of the same events under several seeds; null where one is null or there is none. */
export function combineFractions(seeds: readonly (Interval | null)[]): Interval | null {
  return seeds.length > 1 ? combineIntervals(seeds, { lowest: 0, highest: 1 }) : (seeds.at(0) ?? null);
}
