import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import type { Floats, NativePreparation } from '../addon.js';
import { AnomalyClrError } from '../errors.js';

export type PreparationKind = 'none' | 'standardise' | 'whiten';

/** How rows are brought to one scale before the detector: y = matrix (x - mean), fitted on background alone. */
export interface Preparation extends NativePreparation {
  readonly kind: PreparationKind;
}

/** Directions whose variance is below this share of the largest are rounding noise and are left out. */
const varianceFloor = 1e-9;

/**
 * Fits a preparation to x [n, d]. `standardise`: each column to mean 0 and variance 1. `whiten`: principal components,
 * largest first, each to variance 1; components without variance are dropped, so outputs may be below d.
 *
 * @throws AnomalyClrError where x holds a value that is not finite, or has no variance at all
 */
export function fitPreparation(kind: PreparationKind, x: Floats, d: number): Preparation {
  const n = x.length / d;
  const mean = new Float64Array(d);
  if (kind === 'none') return { kind, inputs: d, outputs: d, mean, matrix: undefined };
  for (let i = 0; i < x.length; i++) mean[i % d] += x[i] / n;
  if (!mean.every(Number.isFinite))
    throw new AnomalyClrError(
      'representations are not finite; the encoder has diverged, train with a lower learning rate',
    );
  const covariance = covarianceOf(x, d, mean);
  const { values, vectors } = kind === 'whiten' ? eigen(covariance, d) : columns(covariance, d);
  const floor = varianceFloor * Math.max(...values);
  if (!(floor > 0))
    throw new AnomalyClrError('all events have the same representation; there is nothing to detect with');
  const kept = values.map((_, i) => i).filter(i => values[i] > floor);
  const matrix = new Float64Array(kept.length * d);
  kept.forEach((component, row) => {
    for (let c = 0; c < d; c++) matrix[row * d + c] = vectors[component][c] / Math.sqrt(values[component]);
  });
  return { kind, inputs: d, outputs: kept.length, mean, matrix };
}

/** [d, d], from at most some 100,000 rows evenly taken: more change no figure that matters. */
function covarianceOf(x: Floats, d: number, mean: Float64Array): Float64Array {
  const n = x.length / d;
  const stride = Math.max(1, Math.floor(n / 100_000));
  const covariance = new Float64Array(d * d);
  const centred = new Float64Array(d);
  let rows = 0;
  for (let r = 0; r < n; r += stride, rows++) {
    for (let c = 0; c < d; c++) centred[c] = x[r * d + c] - mean[c];
    for (let a = 0; a < d; a++) {
      const left = centred[a];
      for (let b = a; b < d; b++) covariance[a * d + b] += left * centred[b];
    }
  }
  for (let a = 0; a < d; a++)
    for (let b = a; b < d; b++) covariance[b * d + a] = covariance[a * d + b] /= Math.max(1, rows - 1);
  return covariance;
}

interface Components {
  values: number[];
  /** vectors[i] belongs to values[i]. */
  vectors: ArrayLike<number>[];
}

function eigen(covariance: Float64Array, d: number): Components {
  const decomposition = new EigenvalueDecomposition(Matrix.from1DArray(d, d, covariance), { assumeSymmetric: true });
  const order = decomposition.realEigenvalues
    .map((_, i) => i)
    .sort((a, b) => decomposition.realEigenvalues[b] - decomposition.realEigenvalues[a]);
  return {
    values: order.map(i => decomposition.realEigenvalues[i]),
    vectors: order.map(i => decomposition.eigenvectorMatrix.getColumn(i)),
  };
}

function columns(covariance: Float64Array, d: number): Components {
  const unit = (i: number) => Float64Array.from({ length: d }, (_, c) => (c === i ? 1 : 0));
  return {
    values: Array.from({ length: d }, (_, i) => covariance[i * d + i]),
    vectors: Array.from({ length: d }, (_, i) => unit(i)),
  };
}
