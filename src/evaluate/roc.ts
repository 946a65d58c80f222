import { AnomalyClrError } from '../errors.js';

/** One score per event; higher is more anomalous. */
export type Scores = Float32Array | Float64Array;

/** Scores in rising order, checked to hold no NaN. Sort once, then compare with many others. */
export interface SortedScores {
  readonly ascending: Scores;
}

/**
 * The ROC curve as counts. Vertex i is what passes `score >= threshold[i]`; vertex 0 is "nothing passes", shown with
 * threshold +inf. One vertex per distinct score, thresholds falling, `fp` and `tp` never falling.
 */
export interface Roc {
  /** Number of background and signal events. */
  readonly background: number;
  readonly signal: number;
  /** [vertices] */
  readonly threshold: Float64Array;
  /** Background events passing. [vertices] */
  readonly fp: Int32Array;
  /** Signal events passing. [vertices] */
  readonly tp: Int32Array;
}

/** What a cut on the score keeps. */
export interface WorkingPoint {
  readonly threshold: number;
  readonly fp: number;
  readonly tp: number;
  /** fp / background */
  readonly fpr: number;
  /** tp / signal */
  readonly tpr: number;
}

// f * n is a count that rounding may leave just below an integer.
const COUNT_SLACK = 1e-9;

/**
 * Sorts a copy of `scores`. Infinite scores are ordinary extreme values.
 *
 * @param what how messages name these scores, for instance "background scores"
 * @throws AnomalyClrError on no scores, or on a NaN (named by its event)
 */
export function sortScores(scores: Scores, what = 'scores'): SortedScores {
  if (scores.length === 0) throw new AnomalyClrError(`no ${what}: a ROC curve needs background and signal events`);
  const ascending = scores.slice().sort();
  // Typed arrays sort NaN to the end.
  if (Number.isNaN(ascending[ascending.length - 1]))
    throw new AnomalyClrError(
      `${what}: event ${scores.findIndex(Number.isNaN)} has the score NaN; find out why it could not be scored`,
    );
  return { ascending };
}

/**
 * The ROC curve of scores, in O(n log n), or O(n) where they come sorted.
 *
 * @throws AnomalyClrError on an empty class or a NaN
 * @example
 * const curve = roc(Float64Array.of(0.1, 0.2, 0.35, 0.8), Float64Array.of(0.3, 0.6, 0.7, 0.9));
 * auc(curve); // 0.75
 */
export function roc(background: Scores | SortedScores, signal: Scores | SortedScores): Roc {
  const b = sorted(background, 'background scores');
  const s = sorted(signal, 'signal scores');
  const threshold = new Float64Array(b.length + s.length + 1);
  const fp = new Int32Array(threshold.length);
  const tp = new Int32Array(threshold.length);
  threshold[0] = Infinity;
  let [i, j, vertices] = [b.length - 1, s.length - 1, 1];
  while (i >= 0 || j >= 0) {
    const t = j < 0 || (i >= 0 && b[i] > s[j]) ? b[i] : s[j];
    while (i >= 0 && b[i] === t) i--;
    while (j >= 0 && s[j] === t) j--;
    threshold[vertices] = t;
    fp[vertices] = b.length - 1 - i;
    tp[vertices] = s.length - 1 - j;
    vertices++;
  }
  return {
    background: b.length,
    signal: s.length,
    threshold: threshold.subarray(0, vertices),
    fp: fp.subarray(0, vertices),
    tp: tp.subarray(0, vertices),
  };
}

function sorted(scores: Scores | SortedScores, what: string): Scores {
  return 'ascending' in scores ? scores.ascending : sortScores(scores, what).ascending;
}

/** The working point of vertex `i`. */
export function vertexAt(curve: Roc, i: number): WorkingPoint {
  const { threshold, fp, tp, background, signal } = curve;
  return { threshold: threshold[i], fp: fp[i], tp: tp[i], fpr: fp[i] / background, tpr: tp[i] / signal };
}

/** Last vertex that lets at most `count` background events pass: the largest efficiency at that price. */
export function lastVertexWithin(curve: Roc, count: number): number {
  return partition(curve.fp, fp => fp <= count) - 1;
}

/** First vertex that lets at least `count` signal events pass, or the last vertex where none does. */
export function firstVertexReaching(curve: Roc, count: number): number {
  return Math.min(
    partition(curve.tp, tp => tp < count),
    curve.tp.length - 1,
  );
}

/** How many leading entries of `values` satisfy a condition that, once false, stays false. */
function partition(values: Int32Array, holds: (v: number) => boolean): number {
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
  const { fp, tp, background, signal } = curve;
  const wanted = fpr * background;
  const i = lastVertexWithin(curve, Math.floor(wanted + COUNT_SLACK));
  const step = vertexAt(curve, i);
  if (i === fp.length - 1) return { ...step, linear: step.tpr };
  const along = Math.max(0, wanted - fp[i]) / (fp[i + 1] - fp[i]);
  return { ...step, linear: (tp[i] + along * (tp[i + 1] - tp[i])) / signal };
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
  const { fp, tp, background, signal } = curve;
  const wanted = efficiency * signal;
  const i = firstVertexReaching(curve, Math.ceil(wanted - COUNT_SLACK));
  const step = vertexAt(curve, i);
  const along = Math.min(1, (wanted - tp[i - 1]) / (tp[i] - tp[i - 1]));
  const fpLinear = fp[i - 1] + along * (fp[i] - fp[i - 1]);
  return { ...step, rejection: background / step.fp, linear: background / fpLinear };
}

function checkFraction(what: string, value: number): void {
  if (!(value > 0 && value <= 1)) throw new AnomalyClrError(`${what} ${value}: give a number above 0 and at most 1`);
}
