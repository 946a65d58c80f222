import type { CurvePoints } from '../../src/evaluate/curve.js';
import { type Interval, wilson, Z95 } from '../../src/evaluate/intervals.js';
import { falsePositiveRates } from '../../src/evaluate/summary.js';

type Scores = Float32Array | Float64Array;

/**
 * The figures of merit as they were first written: arrays with one entry per vertex, read by place. Slow and large, and
 * the oracle for what looks vertices up in sorted scores.
 */
export interface ArrayRoc {
  readonly background: number;
  readonly signal: number;
  readonly threshold: number[];
  readonly fp: number[];
  readonly tp: number[];
}

export function arrayRoc(background: Scores, signal: Scores): ArrayRoc {
  const [b, s] = [background.slice().sort(), signal.slice().sort()];
  const curve = { background: b.length, signal: s.length, threshold: [Infinity], fp: [0], tp: [0] };
  let [i, j] = [b.length - 1, s.length - 1];
  while (i >= 0 || j >= 0) {
    const t = j < 0 || (i >= 0 && b[i] > s[j]) ? b[i] : s[j];
    while (i >= 0 && b[i] === t) i--;
    while (j >= 0 && s[j] === t) j--;
    curve.threshold.push(t);
    curve.fp.push(b.length - 1 - i);
    curve.tp.push(s.length - 1 - j);
  }
  return curve;
}

function arrayAuc({ fp, tp, background, signal }: ArrayRoc): number {
  let twiceArea = 0;
  for (let i = 1; i < fp.length; i++) twiceArea += (fp[i] - fp[i - 1]) * (tp[i] + tp[i - 1]);
  return twiceArea / (2 * background * signal);
}

function arrayError(curve: ArrayRoc): number | null {
  const { fp, tp, background, signal } = curve;
  if (background < 2 || signal < 2) return null;
  const area = arrayAuc(curve);
  let [signalSquares, backgroundSquares] = [0, 0];
  for (let i = 1; i < fp.length; i++) {
    const ofSignal = 1 - (fp[i] + fp[i - 1]) / (2 * background);
    const ofBackground = (tp[i] + tp[i - 1]) / (2 * signal);
    signalSquares += (tp[i] - tp[i - 1]) * (ofSignal - area) ** 2;
    backgroundSquares += (fp[i] - fp[i - 1]) * (ofBackground - area) ** 2;
  }
  return Math.sqrt(signalSquares / (signal - 1) / signal + backgroundSquares / (background - 1) / background);
}

const lastWithin = (curve: ArrayRoc, count: number) => curve.fp.findLastIndex(fp => fp <= count);
const firstReaching = (curve: ArrayRoc, count: number) => {
  const found = curve.tp.findIndex(tp => tp >= count);
  return found < 0 ? curve.tp.length - 1 : found;
};

export function arrayEfficiency({ fp, tp, ...curve }: ArrayRoc, fpr: number) {
  const wanted = fpr * curve.background;
  const i = lastWithin({ fp, tp, ...curve }, Math.floor(wanted + 1e-9));
  const step = {
    threshold: curve.threshold[i],
    fp: fp[i],
    tp: tp[i],
    fpr: fp[i] / curve.background,
    tpr: tp[i] / curve.signal,
  };
  if (i === fp.length - 1) return { ...step, linear: step.tpr };
  const along = Math.max(0, wanted - fp[i]) / (fp[i + 1] - fp[i]);
  return { ...step, linear: (tp[i] + along * (tp[i + 1] - tp[i])) / curve.signal };
}

export function arrayRejection({ fp, tp, ...curve }: ArrayRoc, efficiency: number) {
  const wanted = efficiency * curve.signal;
  const i = firstReaching({ fp, tp, ...curve }, Math.ceil(wanted - 1e-9));
  const along = Math.min(1, (wanted - tp[i - 1]) / (tp[i] - tp[i - 1]));
  return {
    threshold: curve.threshold[i],
    fp: fp[i],
    tp: tp[i],
    fpr: fp[i] / curve.background,
    tpr: tp[i] / curve.signal,
    rejection: curve.background / fp[i],
    linear: curve.background / (fp[i - 1] + along * (fp[i] - fp[i - 1])),
  };
}

const quadrature = (value: number, ...sources: [number, number][]): [number, number] => [
  value - Math.hypot(...sources.map(s => s[0] - value)),
  value + Math.hypot(...sources.map(s => s[1] - value)),
];

function aucInterval(curve: ArrayRoc): Interval | null {
  const error = arrayError(curve);
  if (error === null) return null;
  const value = arrayAuc(curve);
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

function efficiencyInterval(curve: ArrayRoc, fpr: number): Interval | null {
  const expected = fpr * curve.background;
  if (expected < 10 - 1e-9) return null;
  const { tpr: value, tp } = arrayEfficiency(curve, fpr);
  const shift = Z95 * Math.sqrt(expected * (1 - fpr));
  const at = (count: number) => curve.tp[lastWithin(curve, count)] / curve.signal;
  const [low, high] = quadrature(value, wilson(tp, curve.signal), [
    at(Math.floor(expected - shift)),
    at(Math.ceil(expected + shift)),
  ]);
  return { value, low: Math.max(0, low), high: Math.min(1, high) };
}

function rejectionInterval(curve: ArrayRoc, efficiency: number): Interval | null {
  const { fp, fpr } = arrayRejection(curve, efficiency);
  if (fp < 10) return null;
  const expected = efficiency * curve.signal;
  const shift = Z95 * Math.sqrt(expected * (1 - efficiency));
  const logRate = (count: number) => Math.log(Math.max(0.5, curve.fp[firstReaching(curve, count)]) / curve.background);
  const [wilsonLow, wilsonHigh] = wilson(fp, curve.background);
  const [low, high] = quadrature(
    Math.log(fpr),
    [Math.log(wilsonLow), Math.log(wilsonHigh)],
    [logRate(Math.floor(expected - shift)), logRate(Math.ceil(expected + shift))],
  );
  return { value: 1 / fpr, low: Math.max(1, Math.exp(-high)), high: Math.exp(-low) };
}

/** As `evaluate --json` has the figures of one signal and one seed. */
export function arrayFigures(background: Scores, signal: Scores) {
  const curve = arrayRoc(background, signal);
  const efficiency = falsePositiveRates.map(rate => [rate, efficiencyInterval(curve, Number(rate))] as const);
  const over = (i: Interval | null, by: number) => i && { value: i.value * by, low: i.low * by, high: i.high * by };
  return {
    events: signal.length,
    auc: aucInterval(curve),
    'rejection_at_eff_0.3': rejectionInterval(curve, 0.3),
    efficiency_at_fpr: Object.fromEntries(efficiency),
    sic_at_fpr: Object.fromEntries(efficiency.map(([rate, i]) => [rate, over(i, 1 / Math.sqrt(Number(rate)))])),
  };
}

export function arrayCurvePoints(curve: ArrayRoc, maximum = 400): CurvePoints {
  const points: { efficiency: number[]; rejection: number[] } = { efficiency: [], rejection: [] };
  let last = 0;
  for (let k = 0; k < maximum; k++) {
    const i = lastWithin(curve, Math.round(curve.background ** (k / (maximum - 1))));
    if (curve.fp[i] === last) continue;
    points.efficiency.push(curve.tp[i] / curve.signal);
    points.rejection.push(curve.background / curve.fp[i]);
    last = curve.fp[i];
  }
  return points;
}

/** Score histograms as `spectrum` made them from samples in the order of their events. */
export function arraySpectrum(method: string, samples: readonly { label: string; scores: Scores }[], bins = 40) {
  const ordered = samples
    .map(s =>
      Array.from(s.scores)
        .filter(Number.isFinite)
        .toSorted((a, b) => a - b),
    )
    .filter(s => s.length > 0);
  const at = (s: number[], p: number) => s[Math.round(p * (s.length - 1))];
  if (ordered.length === 0) ordered.push([0]);
  const low = at(ordered[0], 0.0005);
  let high = Math.max(...ordered.map((s, i) => at(s, i === 0 ? 0.9995 : 0.99)));
  if (!(high > low)) high = low + (Math.abs(low) || 1);
  const log = low > 0 && high / low > 20;
  const [to, from] = log ? [Math.log10, (x: number) => 10 ** x] : [(x: number) => x, (x: number) => x];
  const [start, width] = [to(low), (to(high) - to(low)) / bins];
  const edges = Array.from({ length: bins + 1 }, (_, k) => from(start + k * width));
  const series = samples.map(({ label, scores }) => {
    const counts = new Float64Array(bins);
    for (const score of scores) {
      const k = Math.floor((to(score) - start) / width);
      counts[k > 0 ? Math.min(k, bins - 1) : 0] += 1;
    }
    return { label, events: scores.length, fraction: Array.from(counts, c => c / Math.max(1, scores.length)) };
  });
  return { method, log, edges, series };
}
