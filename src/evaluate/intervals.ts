import { auc, deLongError } from './auc.js';
import { efficiencyAtFpr, rejectionAtEfficiency, type Roc } from './roc.js';

/** A figure with its 95 % interval. */
export interface Interval {
  value: number;
  low: number;
  high: number;
  /** Sample standard deviation over training seeds, where there are several. */
  spread?: number;
}

/** Two-sided 95 % point of the normal distribution. */
export const Z95 = 1.959963984540054;

/**
 * Below this many background events a rate is one event's accident: figures that rest on fewer are null. For an
 * efficiency at rate f the events expected above threshold, f n_b, count; for a rejection those that pass.
 */
export const MINIMUM_BACKGROUND = 10;

/** Wilson's 95 % score interval for a fraction `count` / `total`. */
export function wilson(count: number, total: number): [low: number, high: number] {
  const p = count / total;
  const z2 = Z95 ** 2 / total;
  const centre = (p + z2 / 2) / (1 + z2);
  const half = Math.sqrt(p * (1 - p) * z2 + z2 ** 2 / 4) / (1 + z2);
  return [Math.max(0, Math.min(p, centre - half)), Math.min(1, Math.max(p, centre + half))];
}

/**
 * AUC with DeLong's error on the logit scale, which stays within (0, 1). A perfect or perfectly wrong separation has
 * no DeLong error; there the interval is Wilson's for the smaller of the two samples.
 *
 * @returns null with fewer than two events of a class
 */
export function aucInterval(curve: Roc): Interval | null {
  const value = auc(curve);
  const error = deLongError(curve, value);
  if (error === null) return null;
  if (value === 0 || value === 1) {
    const n = Math.min(curve.background, curve.signal);
    const [low, high] = wilson(value * n, n);
    return { value, low, high };
  }
  const logit = Math.log(value / (1 - value));
  const half = (Z95 * error) / (value * (1 - value));
  const expit = (x: number) => 1 / (1 + Math.exp(-x));
  return { value, low: expit(logit - half), high: expit(logit + half) };
}

/**
 * Signal efficiency at background rate `fpr`, from two independent uncertainties added in quadrature side by side
 * (Zou and Donner's MOVER): Wilson's interval of the signal count, and the threshold, which is known only as well as the
 * background count behind it. The threshold with true rate f lies, at 95 %, between the order statistics at
 * f n_b -+ 1.96 sqrt(f (1-f) n_b), so the efficiencies there bound it.
 *
 * @returns null where fpr n_b < {@link MINIMUM_BACKGROUND}
 */
export function efficiencyInterval(curve: Roc, fpr: number): Interval | null {
  const expected = fpr * curve.background;
  if (expected < MINIMUM_BACKGROUND - 1e-9) return null;
  const { tpr: value, tp } = efficiencyAtFpr(curve, fpr);
  const shift = Z95 * Math.sqrt(expected * (1 - fpr));
  const at = (count: number) => curve.within(count).tpr;
  const [low, high] = quadrature(value, wilson(tp, curve.signal), [
    at(Math.floor(expected - shift)),
    at(Math.ceil(expected + shift)),
  ]);
  return { value, low: Math.max(0, low), high: Math.min(1, high) };
}

/**
 * Rejection 1/eps_b at signal efficiency `efficiency`, in the same manner on the logarithm of eps_b: Wilson's interval of
 * the background count, and the rates where the signal count is shifted by its own binomial error. A rate of zero
 * counts as half an event.
 *
 * @returns null where fewer than {@link MINIMUM_BACKGROUND} background events pass
 */
export function rejectionInterval(curve: Roc, efficiency: number): Interval | null {
  const { fp, fpr } = rejectionAtEfficiency(curve, efficiency);
  if (fp < MINIMUM_BACKGROUND) return null;
  const expected = efficiency * curve.signal;
  const shift = Z95 * Math.sqrt(expected * (1 - efficiency));
  const logRate = (count: number) => Math.log(Math.max(0.5, curve.reaching(count).fp) / curve.background);
  const [wilsonLow, wilsonHigh] = wilson(fp, curve.background);
  const [low, high] = quadrature(
    Math.log(fpr),
    [Math.log(wilsonLow), Math.log(wilsonHigh)],
    [logRate(Math.floor(expected - shift)), logRate(Math.ceil(expected + shift))],
  );
  return { value: 1 / fpr, low: Math.max(1, Math.exp(-high)), high: Math.exp(-low) };
}

function quadrature(value: number, ...sources: [low: number, high: number][]): [low: number, high: number] {
  const side = (k: 0 | 1) => Math.hypot(...sources.map(s => s[k] - value));
  return [value - side(0), value + side(1)];
}

/** Two-sided 95 % point of Student's t with `df` degrees of freedom. */
export function studentT95(df: number): number {
  const small = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706];
  if (df <= small.length) return small[df - 1];
  // Cornish-Fisher expansion in 1/df (Abramowitz and Stegun 26.7.5), good to 2e-3 from df = 6.
  const z = Z95;
  const terms = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
  ];
  return terms.reduce((t, term, k) => t + term / df ** (k + 1), z);
}
