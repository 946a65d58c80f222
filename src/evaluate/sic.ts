import { efficiencyAtFpr, type Roc, type WorkingPoint } from './roc.js';

/**
 * Significance improvement eps_s / sqrt(eps_b): the factor by which a cut multiplies S / sqrt(B).
 *
 * @returns one value per vertex, NaN where no background passes. [vertices]
 */
export function sicPerVertex(curve: Roc): Float64Array {
  const sic = new Float64Array(curve.fp.length);
  for (let i = 0; i < sic.length; i++) sic[i] = sicOf(curve, curve.fp[i], curve.tp[i]);
  return sic;
}

function sicOf({ background, signal }: Roc, fp: number, tp: number): number {
  return fp === 0 ? NaN : tp / signal / Math.sqrt(fp / background);
}

/**
 * The vertex of largest significance improvement, or null where none qualifies.
 *
 * @param minimumBackground background events that must pass; 10 gives a figure that a single event can't make
 */
export function maximumSic(curve: Roc, minimumBackground = 1): (WorkingPoint & { sic: number }) | null {
  let best = -Infinity;
  let at: number | undefined;
  curve.forEach((fp, tp, _fp, _tp, threshold) => {
    if (fp < Math.max(1, minimumBackground)) return;
    const sic = sicOf(curve, fp, tp);
    if (sic > best) [best, at] = [sic, threshold];
  });
  return at === undefined ? null : { ...curve.at(at), sic: best };
}

/** Efficiency at background rate `fpr` (no interpolation) over sqrt(fpr). */
export function sicAtFpr(curve: Roc, fpr: number): number {
  return efficiencyAtFpr(curve, fpr).tpr / Math.sqrt(fpr);
}
