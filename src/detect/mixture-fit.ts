import { CholeskyDecomposition, inverse, Matrix } from 'ml-matrix';
import type { Engine, Floats } from '../engine/engine.js';
import { Draws } from '../events/philox.js';
import { squaredNorms } from './row-detector.js';

/** One Gaussian of a mixture over z [d]. */
export interface Component {
  /** [d] */
  readonly mean: Float64Array;
  /** [d, d]: the inverse of the covariance's Cholesky factor; |root (z - mean)|^2 is the squared Mahalanobis distance. */
  readonly root: Float64Array;
  /** Logarithm of weight times density at the mean. */
  readonly logPeak: number;
}

export interface Gaussians {
  readonly d: number;
  readonly components: readonly Component[];
}

/** Added to every variance: no component shrinks onto a few equal rows. Rows are whitened, so the unit is 1. */
const varianceFloor = 1e-4;
const mostSteps = 50;
/** Change of the mean log likelihood at which EM ends. */
const tolerance = 1e-3;
const kMeansSteps = 10;
/** A smaller share of a row changes nothing. */
const leastShare = 1e-9;
/** "gmix" in ASCII, so that no other draw shares it. */
const mixtureStream = 0x676d6978;

/** Fits a mixture of `count` Gaussians to z [n, d] by expectation and maximisation, from a start by k-means++. */
export async function fitComponents(
  engine: Engine,
  z: Float64Array,
  d: number,
  count: number,
  seed: number,
): Promise<Gaussians> {
  const n = z.length / d;
  const clusters = kMeans(z, d, count, new Draws(seed, 0, count, mixtureStream));
  const start = Array.from({ length: count }, (_, k) => Float64Array.from(clusters, c => (c === k ? 1 : 0)));
  let gaussians = maximise(z, d, start);
  for (let step = 0, before = -Infinity; step < mostSteps; step++) {
    const densities = await componentDensities(engine, gaussians, z);
    const totals = densities[0].map((_, r) => logSumAt(densities, r));
    const logLikelihood = totals.reduce((sum, total) => sum + total, 0) / n;
    if (logLikelihood - before < tolerance) break;
    before = logLikelihood;
    const shares = densities.map(density => density.map((value, r) => Math.exp(value - totals[r])));
    gaussians = maximise(z, d, shares);
  }
  return gaussians;
}

/** log p of rows z [n, d]. */
export async function logDensities(engine: Engine, gaussians: Gaussians, z: Floats): Promise<Float64Array> {
  const densities = await componentDensities(engine, gaussians, z);
  return densities[0].map((_, r) => logSumAt(densities, r));
}

/** Per component log (weight times density) of every row. [components][n] */
async function componentDensities(engine: Engine, { d, components }: Gaussians, z: Floats): Promise<Float64Array[]> {
  const densities: Float64Array[] = [];
  for (const { mean, root, logPeak } of components) {
    const distances = new Float64Array(z.length / d);
    squaredNorms(await engine.prepare({ inputs: d, outputs: d, mean, matrix: root }, z), d, distances);
    densities.push(distances.map(square => logPeak - square / 2));
  }
  return densities;
}

function logSumAt(densities: readonly Float64Array[], r: number): number {
  let largest = -Infinity;
  for (const density of densities) largest = Math.max(largest, density[r]);
  if (largest === -Infinity) return largest; // so far out that no density is above 0
  let sum = 0;
  for (const density of densities) sum += Math.exp(density[r] - largest);
  return largest + Math.log(sum);
}

/** Weights, means and covariances for the share that each component has in each row. [components][n] */
function maximise(z: Float64Array, d: number, shares: readonly Float64Array[]): Gaussians {
  const n = z.length / d;
  const components = shares
    .map(share => {
      const weight = share.reduce((sum, value) => sum + value, 0);
      const mean = new Float64Array(d);
      for (let r = 0; r < n; r++) for (let c = 0; c < d; c++) mean[c] += (share[r] * z[r * d + c]) / weight;
      return { weight, mean, covariance: covarianceOf(z, d, share, mean, weight) };
    })
    // one that no row is left for says nothing
    .filter(({ weight, covariance }) => weight > leastShare && covariance.every(Number.isFinite))
    .map(({ weight, mean, covariance }): Component => {
      const lower = new CholeskyDecomposition(Matrix.from1DArray(d, d, covariance)).lowerTriangularMatrix;
      const root = inverse(lower);
      let logRoot = 0;
      for (let c = 0; c < d; c++) logRoot += Math.log(root.get(c, c));
      const logPeak = Math.log(weight / n) + logRoot - (d / 2) * Math.log(2 * Math.PI);
      return { mean, root: Float64Array.from(root.to1DArray()), logPeak };
    });
  return { d, components };
}

function covarianceOf(
  z: Float64Array,
  d: number,
  share: Float64Array,
  mean: Float64Array,
  weight: number,
): Float64Array {
  const covariance = new Float64Array(d * d);
  const centred = new Float64Array(d);
  for (let r = 0; r < share.length; r++) {
    if (share[r] < leastShare) continue;
    for (let c = 0; c < d; c++) centred[c] = z[r * d + c] - mean[c];
    for (let a = 0; a < d; a++) {
      const left = (share[r] * centred[a]) / weight;
      for (let b = 0; b <= a; b++) covariance[a * d + b] += left * centred[b];
    }
  }
  for (let a = 0; a < d; a++) {
    for (let b = 0; b < a; b++) covariance[b * d + a] = covariance[a * d + b];
    covariance[a * d + a] += varianceFloor;
  }
  return covariance;
}

/**
 * The cluster of each row of z [n, d]: centres drawn with a chance that grows as the squared distance to the nearest one
 * so far (D. Arthur and S. Vassilvitskii, "k-means++", SODA 2007), then a few steps of Lloyd's.
 */
function kMeans(z: Float64Array, d: number, count: number, draws: Draws): Int32Array {
  const n = z.length / d;
  const centres: Float64Array[] = [];
  const nearest = new Float64Array(n).fill(1); // the first centre is any row
  while (centres.length < count) {
    let left = draws.uniform() * nearest.reduce((sum, value) => sum + value, 0);
    let row = 0;
    while (row + 1 < n && (left -= nearest[row]) > 0) row++;
    const centre = z.slice(row * d, (row + 1) * d);
    for (let r = 0; r < n; r++) {
      const square = squaredDistance(z, r, centre);
      nearest[r] = centres.length === 0 ? square : Math.min(nearest[r], square);
    }
    centres.push(centre);
  }
  const clusters = new Int32Array(n);
  for (let step = 0; step < kMeansSteps; step++) {
    for (let r = 0; r < n; r++) clusters[r] = nearestOf(z, r, centres);
    const sizes = new Float64Array(count);
    const sums = centres.map(() => new Float64Array(d));
    clusters.forEach((k, r) => {
      sizes[k]++;
      for (let c = 0; c < d; c++) sums[k][c] += z[r * d + c];
    });
    for (let k = 0; k < count; k++) if (sizes[k] > 0) centres[k] = sums[k].map(sum => sum / sizes[k]);
  }
  return clusters;
}

function nearestOf(z: Float64Array, r: number, centres: readonly Float64Array[]): number {
  let [best, least] = [0, Infinity];
  for (const [k, centre] of centres.entries()) {
    const square = squaredDistance(z, r, centre);
    if (square < least) [best, least] = [k, square];
  }
  return best;
}

function squaredDistance(z: Float64Array, r: number, centre: Float64Array): number {
  const d = centre.length;
  let square = 0;
  for (let c = 0; c < d; c++) square += (z[r * d + c] - centre[c]) ** 2;
  return square;
}
