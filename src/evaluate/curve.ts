import type { Roc } from './roc.js';

/** Points of a plot of 1/eps_b against eps_s, both along the curve: efficiency rises, rejection falls. */
export interface CurvePoints {
  /** eps_s. [points] */
  readonly efficiency: number[];
  /** 1/eps_b. [points] */
  readonly rejection: number[];
}

/**
 * A ROC curve thinned for plotting: working points at background counts spaced evenly on a logarithmic scale, from one
 * event (or the first tied group) to all. Every point is a true vertex, none is interpolated.
 *
 * @param maximum most points returned
 */
export function curvePoints(curve: Roc, maximum = 400): CurvePoints {
  const points: { efficiency: number[]; rejection: number[] } = { efficiency: [], rejection: [] };
  let last = 0;
  for (let k = 0; k < maximum; k++) {
    const count = Math.round(curve.background ** (maximum > 1 ? k / (maximum - 1) : 1));
    const { fp, tpr } = curve.within(count);
    if (fp === last) continue;
    points.efficiency.push(tpr);
    points.rejection.push(curve.background / fp);
    last = fp;
  }
  return points;
}
