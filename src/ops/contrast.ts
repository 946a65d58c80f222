import { loadAddon } from '../addon.js';
import { AnomalyClrError, UsageError } from '../errors.js';
import type { Kernels } from './attention.js';
import { pureLosses, type PureLoss } from './losses.js';
import { product } from './product.js';
import { unitRows } from './rows.js';
import tf, { type Scalar, type Tensor1D, type Tensor2D } from './tf.js';

export interface ContrastOptions {
  /** As `--loss`. */
  readonly loss: string;
  readonly temperature: number;
  /** Factors on the attraction of the physical view and the repulsion of the anomalous one; 1 is the published loss. */
  readonly invarianceWeight?: number | undefined;
  readonly anomalyWeight?: number | undefined;
}

/** Rows of cosines that stand in memory at once: it grows with the batch, not with its square. */
const tileRows = 1024;
/** Takes an entry out of a sum of exponentials without making its row NaN. */
const never = -1e30;

/**
 * A contrastive loss of the anchors z [N, d], their physical views and, where the loss uses them, their anomalous views.
 * A zero row has cosines and gradient 0.
 *
 * @returns a scalar, differentiable in all views
 * @throws UsageError for an unknown loss; AnomalyClrError where shapes do not fit, the loss is undefined (one event
 * without negatives), or `native` is asked for and the addon is missing
 * @example
 * const { value, grads } = tf.variableGrads(() =>
 *   contrastiveLoss(encode(anchor), encode(physical), encode(anomalous), { loss: 'anomclr+', temperature: 0.1 }, 'native'));
 */
export function contrastiveLoss(
  z: Tensor2D,
  zPhysical: Tensor2D,
  zAnomalous: Tensor2D | undefined,
  options: ContrastOptions,
  kernels: Kernels,
): Scalar {
  const form = pureLosses[options.loss];
  const usesAnomalous =
    kernels === 'pure'
      ? form?.usesAnomalous
      : loadAddon().losses().find(({ name }) => name === options.loss)?.usesAnomalous; // prettier-ignore
  if (usesAnomalous === undefined) throw new UsageError(`there is no contrastive loss ${options.loss}`);
  const views = [z, zPhysical, ...(usesAnomalous ? [zAnomalous] : [])].map(view => {
    if (view?.shape[0] !== z.shape[0] || view.shape[1] !== z.shape[1])
      throw new AnomalyClrError(`${options.loss}: its views are not all of the shape [${z.shape.join(', ')}]`);
    return view;
  });
  return kernels === 'native' ? nativeContrast(views, options) : pureContrast(form, views, options);
}

function nativeContrast(
  views: Tensor2D[],
  { loss, temperature, invarianceWeight, anomalyWeight }: ContrastOptions,
): Scalar {
  const addon = loadAddon();
  const [events, dim] = views[0].shape;
  const run = tf.customGrad((...args) => {
    args.pop(); // what saves tensors: the gradients are there already
    const [z, zPhysical, zAnomalous] = (args as Tensor2D[]).map(view => view.dataSync<'float32'>());
    const { loss: value, gradients } = addon.contrastiveLossNow({
      loss,
      z,
      zPhysical,
      ...(zAnomalous ? { zAnomalous } : {}),
      events,
      dim,
      temperature,
      ...(invarianceWeight === undefined ? {} : { invarianceWeight }),
      ...(anomalyWeight === undefined ? {} : { anomalyWeight }),
    });
    return {
      value: tf.scalar(value),
      gradFunc: dy => gradients.map(g => tf.mul(tf.tensor2d(g as Float32Array, [events, dim]), dy)),
    };
  });
  return run(...views) as Scalar;
}

function pureContrast(form: PureLoss, views: Tensor2D[], options: ContrastOptions): Scalar {
  const [u, v, w] = views.map(unitRows);
  const n = u.shape[0];
  const inverseTemperature = 1 / options.temperature;
  if (n === 1 && form.denominator === 'required')
    throw new AnomalyClrError(`${options.loss} is undefined for a single event: it has no negatives`);
  const negatives =
    form.denominator === 'none' ? undefined : logSumExpOfNegatives(tf.concat([u, v]), inverseTemperature);
  const none = tf.zeros([n]) as Tensor1D;
  const [lseU, lseV] = negatives ? (tf.split(negatives, 2) as Tensor1D[]) : [none, none];
  const rows = form.row({
    uv: tf.sum(tf.mul(u, v), 1),
    uw: w ? tf.sum(tf.mul(u, w), 1) : none,
    lseU,
    lseV,
    inverseTemperature,
    invariance: options.invarianceWeight ?? 1,
    anomaly: options.anomalyWeight ?? 1,
  });
  return tf.mean(rows);
}

/**
 * log sum_b exp(u_a.u_b / temperature) over all b but a and its partner (N rows away), for each row a of u [2N, d]. Tile
 * by tile; the way back makes each tile again.
 */
function logSumExpOfNegatives(unit: Tensor2D, inverseTemperature: number): Tensor1D {
  const all = unit.shape[0];
  const tiles = Array.from({ length: Math.ceil(all / tileRows) }, (_, t) => t * tileRows);
  const logits = (u: Tensor2D, first: number): Tensor2D => {
    const rows = Math.min(tileRows, all - first);
    const cosines = product(tf.slice(u, [first, 0], [rows, -1]), u, false, true);
    const marked = (shift: number) =>
      tf.oneHot(
        tf.tensor1d(
          Int32Array.from({ length: rows }, (_, r) => (first + r + shift) % all),
          'int32',
        ),
        all,
      );
    const pair = tf.add(marked(0), marked(all / 2));
    return tf.add(tf.mul(cosines, inverseTemperature), tf.mul(tf.cast(pair, 'float32'), never));
  };
  const run = tf.customGrad((...args) => {
    const [u, save] = args as unknown as [Tensor2D, tf.GradSaveFunc];
    const value = tf.concat(tiles.map(first => tf.tidy(() => tf.logSumExp(logits(u, first), 1)))) as Tensor1D;
    save([u, value]);
    return {
      value,
      gradFunc: (dy, saved) => {
        const [unitAgain, lse] = saved as [Tensor2D, Tensor1D];
        const scaled = tf.mul(dy, inverseTemperature);
        // row a of a tile weighs its own gradient and that of every b
        let spread: Tensor2D | undefined;
        const own = tiles.map(first => {
          const size = [Math.min(tileRows, all - first)];
          const [mine, others] = tf.tidy(() => {
            const column = (x: Tensor1D) => tf.expandDims(tf.slice(x, [first], size), 1);
            const p = tf.exp(tf.sub(logits(unitAgain, first), column(lse)));
            const weights = tf.mul(p, column(scaled as Tensor1D)) as Tensor2D;
            const rows = tf.slice(unitAgain, [first, 0], [size[0], -1]);
            return [product(weights, unitAgain), product(weights, rows, true, false)];
          });
          spread = spread ? tf.add(spread, others) : others;
          return mine;
        });
        return tf.add(tf.concat(own), spread ?? tf.zerosLike(unitAgain));
      },
    };
  });
  return run(unit) as Tensor1D;
}
