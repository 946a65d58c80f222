import type { Roc } from './roc.js';

/** Area under the ROC curve, P(s > b) + P(s = b) / 2: the trapezoid area, exact in integers up to the last division. */
export function auc(curve: Roc): number {
  let twiceArea = 0;
  curve.forEach((fp, tp, fpBefore, tpBefore) => {
    twiceArea += (fp - fpBefore) * (tp + tpBefore);
  });
  return twiceArea / (2 * curve.background * curve.signal);
}

/**
 * Standard error of the AUC after DeLong, DeLong and Clarke-Pearson (1988), without a model of the scores.
 *
 * For each event its placement is the share of the other class that it beats, ties half; the variance is that of the
 * signal placements over n_s plus that of the background placements over n_b.
 *
 * @param area - the curve's AUC, where it is known
 * @returns null with fewer than two events of a class
 */
export function deLongError(curve: Roc, area = auc(curve)): number | null {
  const { background, signal } = curve;
  if (background < 2 || signal < 2) return null;
  let [signalSquares, backgroundSquares] = [0, 0];
  curve.forEach((fp, tp, fpBefore, tpBefore) => {
    // Events tied at this vertex share one placement; both kinds average to the AUC.
    const ofSignal = 1 - (fp + fpBefore) / (2 * background);
    const ofBackground = (tp + tpBefore) / (2 * signal);
    signalSquares += (tp - tpBefore) * (ofSignal - area) ** 2;
    backgroundSquares += (fp - fpBefore) * (ofBackground - area) ** 2;
  });
  return Math.sqrt(signalSquares / (signal - 1) / signal + backgroundSquares / (background - 1) / background);
}

/** Standard error of an AUC after Hanley and McNeil (1982), from the AUC and the event counts alone. */
export function hanleyMcNeilError(area: number, background: number, signal: number): number {
  const q1 = area / (2 - area);
  const q2 = (2 * area * area) / (1 + area);
  const variance = area * (1 - area) + (signal - 1) * (q1 - area ** 2) + (background - 1) * (q2 - area ** 2);
  return Math.sqrt(Math.max(0, variance) / (background * signal));
}
