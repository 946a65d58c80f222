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
 * Standard deviation to which columns that stand beside a representation are brought, in that of the representation: at 1 the
 * tails of linear momenta rule an autoencoder's error at the smallest rates, below a half hard events are lost (docs/physics.md).
 */
const scaleBeside = 0.5;
/** Of them, what is left in a direction after the representation counts from this share of the largest variance on. */
const floorBeside = 1e-5;

/**
 * Fits a preparation to x [n, d]. `standardise`: each column to mean 0 and variance 1. `whiten`: principal components,
 * largest first, each to variance 1; components without variance are dropped, so outputs may be below d.
 *
 * The last `beside` columns are no part of the representation. They follow it in the outputs, brought to a smaller variance;
 * `whiten` takes from them first what is linear in the representation.
 *
 * @throws AnomalyClrError where x holds a value that is not finite, or has no variance at all
 */
export function fitPreparation(kind: PreparationKind, x: Floats, d: number, beside = 0): Preparation {
  const n = x.length / d;
  const mean = new Float64Array(d);
  if (kind === 'none') return { kind, inputs: d, outputs: d, mean, matrix: undefined };
  for (let i = 0; i < x.length; i++) mean[i % d] += x[i] / n;
  if (!mean.every(Number.isFinite))
    throw new AnomalyClrError(
      'representations are not finite; the encoder has diverged, train with a lower learning rate',
    );
  const covariance = Matrix.from1DArray(d, d, covarianceOf(x, d, mean));
  const scale = kind === 'whiten' ? whitened : standardised;
  const size = d - beside;
  const own = scale(covariance.subMatrix(0, size - 1, 0, size - 1));
  if (own.rows === 0)
    throw new AnomalyClrError('all events have the same representation; there is nothing to detect with');
  const none = Array.from({ length: beside }, () => 0);
  const rows = own.to2DArray().map(row => [...row, ...none]);
  if (beside > 0) rows.push(...besideOf(covariance, mean, own, kind));
  return { kind, inputs: d, outputs: rows.length, mean, matrix: Float64Array.from(rows.flat()) };
}

/** The rows of the matrix for what stands beside a representation that `own` [outputs, size] prepares. Each [d] */
function besideOf(covariance: Matrix, mean: Float64Array, own: Matrix, kind: 'standardise' | 'whiten'): number[][] {
  const [size, d] = [own.columns, covariance.columns];
  const of = covariance.subMatrix(size, d - 1, size, d - 1);
  // a constant has what rounding of its mean leaves
  const least = floorBeside * Math.max(...of.diagonal().map((variance, i) => variance + 1e-6 * mean[size + i] ** 2));
  // what is linear in the prepared representation y is cov(beside, y) y, if y is white
  const slopes =
    kind === 'whiten'
      ? covariance.subMatrix(size, d - 1, 0, size - 1).mmul(own.transpose())
      : Matrix.zeros(d - size, own.rows);
  const scale = kind === 'whiten' ? whitened : standardised;
  const left = scale(of.sub(slopes.mmul(slopes.transpose())), least).mul(scaleBeside);
  const told = left.mmul(slopes).mmul(own);
  return left.to2DArray().map((row, i) => [...told.getRow(i).map(x => 0 - x), ...row]);
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

/** Principal components, largest first, each to variance 1; those of no more than `least` are left out. */
function whitened(covariance: Matrix, least?: number): Matrix {
  const { realEigenvalues: values, eigenvectorMatrix: vectors } = new EigenvalueDecomposition(covariance, {
    assumeSymmetric: true,
  });
  const kept = largerThan(values, least).toSorted((a, b) => values[b] - values[a]);
  return rowsOf(kept, values.length, i => vectors.getColumn(i).map(x => x / Math.sqrt(values[i])));
}

/** Each column by itself, to variance 1; those of no more than `least` are left out. */
function standardised(covariance: Matrix, least?: number): Matrix {
  const values = covariance.diagonal();
  return rowsOf(largerThan(values, least), values.length, i =>
    values.map((_, c) => (c === i ? 1 / Math.sqrt(values[i]) : 0)),
  );
}

/** Places of the variances that are more than rounding noise. */
const largerThan = (variances: readonly number[], least = varianceFloor * Math.max(...variances)): number[] =>
  variances.map((_, i) => i).filter(i => variances[i] > least);

const rowsOf = (places: readonly number[], columns: number, row: (place: number) => number[]): Matrix =>
  places.length > 0 ? new Matrix(places.map(row)) : Matrix.zeros(0, columns);
