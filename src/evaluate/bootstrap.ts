import { AnomalyClrError } from '../errors.js';
import { type Roc, roc, type Scores } from './roc.js';

/** Which events one replica is made of, each class drawn from itself. */
export interface Draw {
  /** Positions in the background scores. [n_b] */
  readonly background: Int32Array;
  /** Positions in the signal scores. [n_s] */
  readonly signal: Int32Array;
}

/**
 * Draws with replacement, background first, as many of each class as there are.
 *
 * @param random uniform on [0, 1); seed it for figures that can be had again
 */
export function* draws(background: number, signal: number, replicas: number, random: () => number): Generator<Draw> {
  const pick = (n: number) => Int32Array.from({ length: n }, () => Math.floor(random() * n));
  for (let r = 0; r < replicas; r++) yield { background: pick(background), signal: pick(signal) };
}

/**
 * A figure of the ROC curve over resampled events. [replicas]
 *
 * @example
 * const values = bootstrap(b, s, auc, draws(b.length, s.length, 1000, random));
 * bootstrapError(values).std;
 */
export function bootstrap(
  background: Scores,
  signal: Scores,
  figure: (curve: Roc) => number,
  replicas: Iterable<Draw>,
): Float64Array {
  const values: number[] = [];
  for (const draw of replicas) {
    const b = Float64Array.from(draw.background, i => background[i]);
    const s = Float64Array.from(draw.signal, i => signal[i]);
    values.push(figure(roc(b, s)));
  }
  return Float64Array.from(values);
}

/** Mean, standard deviation (n - 1) and central 68 % of bootstrap values, percentiles interpolated linearly. */
export function bootstrapError(values: Float64Array): { mean: number; std: number; p16: number; p84: number } {
  if (values.length < 2) throw new AnomalyClrError(`${values.length} bootstrap replicas: two are the least`);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const std = Math.sqrt(values.reduce((a, v) => a + (v - mean) ** 2, 0) / (values.length - 1));
  const order = values.slice().sort();
  return { mean, std, p16: percentile(order, 0.16), p84: percentile(order, 0.84) };
}

function percentile(order: Float64Array, p: number): number {
  const at = p * (order.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, order.length - 1);
  return order[below] + (at - below) * (order[above] - order[below]);
}
