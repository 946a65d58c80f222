import type { Engine, Floats } from '../engine/engine.js';
import { AnomalyClrError } from '../errors.js';
import { shuffle } from '../events/philox.js';
import { fitPreparation, type Preparation } from '../score/prepare.js';
import { type Component, fitComponents, type Gaussians, logDensities } from './mixture-fit.js';
import { inBlocks, type RowDetector, rowsAt, rowsIn } from './row-detector.js';

export interface MixtureOptions {
  /**
   * Rising numbers of components to try, until the likelihood of held-back rows falls; the largest before stays. Default
   * 1, 2, 4, 8, 16.
   */
  readonly components?: readonly number[];
  /** Most principal components of the whitened rows that it reads, those of largest variance. Default 32. */
  readonly dimensions?: number;
  /** Most rows that are fitted; drawn by the seed where there are more. A quarter as many are held back. Default 20,000. */
  readonly rows?: number;
  readonly seed: number;
}

/** A Gaussian mixture as a detector, and how it came to its number of components. */
export interface MixtureDetector extends RowDetector {
  readonly components: number;
  /** Mean log likelihood of the held-back rows, in the whitened space, by number of components. */
  readonly heldOut: readonly { readonly components: number; readonly logLikelihood: number }[];
}

/** Keys the draw of the rows, apart from every epoch of training. */
const mixtureEpoch = 0xfffffffc;
const blockRows = 8192;

/**
 * A mixture of Gaussians of full covariance on whitened rows. The score is 2 (log U - log p(x)), where U = sum of the
 * components' peak densities bounds p: it ranks as -log p, is never negative, and with one component is the squared
 * Mahalanobis distance.
 *
 * @param x [n, d]
 * @throws AnomalyClrError where x has too few rows, is not finite, or does not vary
 */
export async function fitMixture(
  engine: Engine,
  x: Float32Array,
  d: number,
  { components = [1, 2, 4, 8, 16], dimensions = 32, rows = 20_000, seed }: MixtureOptions,
): Promise<MixtureDetector> {
  const n = rowsIn(x, d, 10);
  const preparation = truncated(fitPreparation('whiten', x, d), dimensions);
  const size = preparation.outputs;
  const order = shuffle(n, seed, mixtureEpoch).subarray(0, Math.min(n, Math.floor((rows * 5) / 4)));
  const fitted = Math.ceil(order.length * 0.8);
  const prepared = async (index: Int32Array): Promise<Float64Array> =>
    Float64Array.from(await engine.prepare(preparation, rowsAt(x, d, index)));
  const [fit, held] = [await prepared(order.subarray(0, fitted)), await prepared(order.subarray(fitted))];
  const heldOut: { components: number; logLikelihood: number }[] = [];
  let best: { gaussians: Gaussians; logLikelihood: number } | undefined;
  for (const count of components) {
    // a component needs more rows than it has directions
    if (count > 1 && fitted < 2 * count * size) break;
    const gaussians = await fitComponents(engine, fit, size, count, seed);
    const logLikelihood = mean(await logDensities(engine, gaussians, held));
    heldOut.push({ components: count, logLikelihood });
    if (best && logLikelihood < best.logLikelihood) break; // more would fit the rows, not what they come from
    best = { gaussians, logLikelihood };
  }
  if (!best || !Number.isFinite(best.logLikelihood))
    throw new AnomalyClrError('no mixture fits these rows; they are too few, or not finite');
  const { gaussians } = best;
  const bound = logSum(gaussians.components.map(({ logPeak }: Component) => logPeak));
  return {
    name: 'mixture',
    inputs: d,
    components: gaussians.components.length,
    heldOut,
    score: events =>
      inBlocks(events, d, blockRows, async (block, out) => {
        const densities = await logDensities(engine, gaussians, await engine.prepare(preparation, block));
        for (let r = 0; r < out.length; r++) out[r] = Math.max(0, 2 * (bound - densities[r]));
      }),
  };
}

/** The first outputs of a whitening alone: those of largest variance. */
function truncated(preparation: Preparation, outputs: number): Preparation {
  const { inputs, matrix } = preparation;
  if (preparation.outputs <= outputs) return preparation;
  return { ...preparation, outputs, matrix: matrix?.slice(0, outputs * inputs) };
}

const mean = (values: Floats): number =>
  (values as Float64Array).reduce((sum, value) => sum + value, 0) / values.length;

function logSum(values: readonly number[]): number {
  const largest = Math.max(...values);
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}
