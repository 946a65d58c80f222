import { efficiencyAtFpr, type Roc, vertexAt, type WorkingPoint } from './roc.js';

/**
 * Significance improvement eps_s / sqrt(eps_b): the factor by which a cut multiplies S / sqrt(B).
 *
 * @returns one value per vertex, NaN where no background passes. [vertices]
 */
export function sicPerVertex(curve: Roc): Float64Array {
  const sic = new Float64Array(curve.fp.length);
  for (let i = 0; i < sic.length; i++) sic[i] = sicOf(curve, i);
  return sic;
}

function sicOf({ fp, tp, background, signal }: Roc, i: number): number {
  return fp[i] === 0 ? NaN : tp[i] / signal / Math.sqrt(fp[i] / background);
}

/**
 * The vertex of largest significance improvement, or null where none qualifies.
 *
 * @param minimumBackground background events that must pass; 10 gives a figure that a single event can't make
 */
export function maximumSic(curve: Roc, minimumBackground = 1): (WorkingPoint & { sic: number }) | null {
  let [best, at] = [-Infinity, -1];
  for (let i = 0; i < curve.fp.length; i++) {
    if (curve.fp[i] < Math.max(1, minimumBackground)) continue;
    const sic = sicOf(curve, i);
    if (sic > best) [best, at] = [sic, i];
  }
  return at < 0 ? null : { ...vertexAt(curve, at), sic: best };
}

/** Efficiency at background rate `fpr` (no interpolation) over sqrt(fpr). */
export function sicAtFpr(curve: Roc, fpr: number): number {
  return efficiencyAtFpr(curve, fpr).tpr / Math.sqrt(fpr);
}
