import { AnomalyClrError } from '../errors.js';

/** One score per event; higher is more anomalous. */
export type Scores = Float32Array | Float64Array;

/** Scores in rising order, checked to hold no NaN. Sort once, then compare with many others. */
export interface SortedScores {
  readonly ascending: Scores;
}

/** What a cut on the score keeps: one vertex of a ROC curve. */
export interface WorkingPoint {
  readonly threshold: number;
  readonly fp: number;
  readonly tp: number;
  /** fp / background */
  readonly fpr: number;
  /** tp / signal */
  readonly tpr: number;
}

/** Every vertex of a ROC curve as columns. [vertices] each */
interface Vertices {
  readonly threshold: Float64Array;
  /** Background events passing. */
  readonly fp: Int32Array;
  /** Signal events passing. */
  readonly tp: Int32Array;
}

// f * n is a count that rounding may leave just below an integer.
const COUNT_SLACK = 1e-9;

/**
 * The ROC curve as counts. A vertex is what passes `score >= threshold`; the first is "nothing passes", shown with
 * threshold +inf. One vertex per distinct score, thresholds falling, `fp` and `tp` never falling.
 *
 * It holds the sorted scores alone and looks vertices up in them. The columns `threshold`, `fp` and `tp`, 16 bytes a
 * vertex, are made when they are first asked for.
 */
export class Roc {
  /** Number of background and signal events. */
  readonly background: number;
  readonly signal: number;
  private columns: Vertices | undefined;

  /** @param b, s - background and signal scores, rising */
  constructor(
    private readonly b: Scores,
    private readonly s: Scores,
  ) {
    this.background = b.length;
    this.signal = s.length;
  }

  get threshold(): Float64Array {
    return this.vertices().threshold;
  }
  get fp(): Int32Array {
    return this.vertices().fp;
  }
  get tp(): Int32Array {
    return this.vertices().tp;
  }

  /** Visits every vertex but the first, with the counts of the one before it. */
  forEach(visit: (fp: number, tp: number, fpBefore: number, tpBefore: number, threshold: number) => void): void {
    const { b, s } = this;
    let [i, j] = [b.length - 1, s.length - 1];
    while (i >= 0 || j >= 0) {
      const [fpBefore, tpBefore] = [b.length - 1 - i, s.length - 1 - j];
      const t = j < 0 || (i >= 0 && b[i] > s[j]) ? b[i] : s[j];
      while (i >= 0 && b[i] === t) i--;
      while (j >= 0 && s[j] === t) j--;
      visit(b.length - 1 - i, s.length - 1 - j, fpBefore, tpBefore, t);
    }
  }

  /** The vertex of threshold `t`, a score of the curve; +inf without such a score is "nothing passes". */
  at(t: number): WorkingPoint {
    return this.point(t, this.b.length - countBelow(this.b, t), this.s.length - countBelow(this.s, t));
  }

  /** The last vertex that lets at most `count` background events pass: the largest efficiency at that price. */
  within(count: number): WorkingPoint {
    const { b, s } = this;
    if (count >= b.length) return this.at(Math.min(b[0], s[0]));
    return this.above(b[b.length - 1 - Math.max(0, count)]); // the first background score that must not pass
  }

  /** The first vertex that lets at least `count` signal events pass, or the last vertex where none does. */
  reaching(count: number): WorkingPoint {
    const { b, s } = this;
    if (count <= 0) return this.point(Infinity, 0, 0);
    return this.at(count > s.length ? Math.min(b[0], s[0]) : s[s.length - count]);
  }

  /** The vertex after one, undefined after the last. */
  after({ fp, tp }: WorkingPoint): WorkingPoint | undefined {
    const [i, j] = [this.b.length - 1 - fp, this.s.length - 1 - tp];
    if (i < 0 && j < 0) return undefined;
    return this.at(Math.max(i < 0 ? -Infinity : this.b[i], j < 0 ? -Infinity : this.s[j]));
  }

  /** The vertex before one; the first stays. */
  before({ fp, tp, threshold }: WorkingPoint): WorkingPoint {
    return fp === 0 && tp === 0 ? this.point(Infinity, 0, 0) : this.above(threshold);
  }

  /** The last vertex with a threshold above `t`. */
  private above(t: number): WorkingPoint {
    const [i, j] = [countUpTo(this.b, t), countUpTo(this.s, t)];
    const threshold = Math.min(i < this.b.length ? this.b[i] : Infinity, j < this.s.length ? this.s[j] : Infinity);
    return this.point(threshold, this.b.length - i, this.s.length - j);
  }

  private point(threshold: number, fp: number, tp: number): WorkingPoint {
    return { threshold, fp, tp, fpr: fp / this.background, tpr: tp / this.signal };
  }

  private vertices(): Vertices {
    if (this.columns) return this.columns;
    const threshold = new Float64Array(this.b.length + this.s.length + 1);
    const fp = new Int32Array(threshold.length);
    const tp = new Int32Array(threshold.length);
    threshold[0] = Infinity;
    let count = 1;
    this.forEach((b, s, _b, _s, t) => {
      threshold[count] = t;
      fp[count] = b;
      tp[count] = s;
      count++;
    });
    this.columns = { threshold: threshold.subarray(0, count), fp: fp.subarray(0, count), tp: tp.subarray(0, count) };
    return this.columns;
  }
}

/**
 * Sorts a copy of `scores`. Infinite scores are ordinary extreme values.
 *
 * @param what how messages name these scores, for instance "background scores"
 * @throws AnomalyClrError on no scores, or on a NaN (named by its event)
 */
export function sortScores(scores: Scores, what = 'scores'): SortedScores {
  return sortInPlace(scores.slice(), what);
}

/** As {@link sortScores}, without a copy: for scores so many that two of each would not fit. */
export function sortInPlace(scores: Scores, what = 'scores'): SortedScores {
  if (scores.length === 0) throw new AnomalyClrError(`no ${what}: a ROC curve needs background and signal events`);
  for (let event = 0; event < scores.length; event++)
    if (Number.isNaN(scores[event]))
      throw new AnomalyClrError(`${what}: event ${event} has the score NaN; find out why it could not be scored`);
  return { ascending: scores.sort() };
}

/**
 * The ROC curve of scores, in O(n log n), or at once where they come sorted.
 *
 * @throws AnomalyClrError on an empty class or a NaN
 * @example
 * const curve = roc(Float64Array.of(0.1, 0.2, 0.35, 0.8), Float64Array.of(0.3, 0.6, 0.7, 0.9));
 * auc(curve); // 0.75
 */
export function roc(background: Scores | SortedScores, signal: Scores | SortedScores): Roc {
  return new Roc(sorted(background, 'background scores'), sorted(signal, 'signal scores'));
}

function sorted(scores: Scores | SortedScores, what: string): Scores {
  return 'ascending' in scores ? scores.ascending : sortScores(scores, what).ascending;
}

/** How many of rising `values` are below `t`. */
function countBelow(values: Scores, t: number): number {
  return partition(values, v => v < t);
}

/** How many of rising `values` are at most `t`. */
function countUpTo(values: Scores, t: number): number {
  return partition(values, v => v <= t);
}

/** How many leading entries of `values` satisfy a condition that, once false, stays false. */
export function partition(values: Scores, holds: (v: number) => boolean): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const mid = (low + high) >>> 1;
    if (holds(values[mid])) low = mid + 1;
    else high = mid;
  }
  return low;
}

/**
 * Signal efficiency at background rate `fpr`: the working point with at most floor(fpr n_b) background events and the
 * largest efficiency (`tpr`, no interpolation: use this one), and `linear`, read off a straight line between vertices.
 */
export function efficiencyAtFpr(curve: Roc, fpr: number): WorkingPoint & { linear: number } {
  checkFraction('background rate', fpr);
  const wanted = fpr * curve.background;
  const step = curve.within(Math.floor(wanted + COUNT_SLACK));
  const next = curve.after(step);
  if (!next) return { ...step, linear: step.tpr };
  const along = Math.max(0, wanted - step.fp) / (next.fp - step.fp);
  return { ...step, linear: (step.tp + along * (next.tp - step.tp)) / curve.signal };
}

/**
 * Background rejection 1/eps_b at signal efficiency `efficiency`: at the first vertex that reaches it (`rejection`; use
 * this one), and `linear`, where a straight line between vertices reaches it. Infinite where no background passes.
 */
export function rejectionAtEfficiency(
  curve: Roc,
  efficiency: number,
): WorkingPoint & { rejection: number; linear: number } {
  checkFraction('signal efficiency', efficiency);
  const { background } = curve;
  const wanted = efficiency * curve.signal;
  const step = curve.reaching(Math.ceil(wanted - COUNT_SLACK));
  const last = curve.before(step);
  const along = Math.min(1, (wanted - last.tp) / (step.tp - last.tp));
  const fpLinear = last.fp + along * (step.fp - last.fp);
  return { ...step, rejection: background / step.fp, linear: background / fpLinear };
}

function checkFraction(what: string, value: number): void {
  if (!(value > 0 && value <= 1)) throw new AnomalyClrError(`${what} ${value}: give a number above 0 and at most 1`);
}
