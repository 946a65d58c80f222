import type { TokenLayout } from './layout.js';
import tf, { type Tensor1D, type Tensor2D } from './tf.js';

/**
 * The rows of x [n, d] at `index`, each at most once; -1 is a row of zeros. `back` says where each row of x went, or -1:
 * the gradient is the rows at `back`, as that of tf.gather needs a kernel that not every backend has.
 *
 * @returns [index.length, d]
 */
export function takeRows(x: Tensor2D, index: Int32Array, back: Int32Array): Tensor2D {
  const taken = tf.customGrad((rows: unknown) => ({
    value: gather(rows as Tensor2D, index),
    gradFunc: (dy: Tensor2D) => gather(dy, back),
  }));
  return taken(x);
}

/** Pieces of so many rows each of x, one after another. Without a gradient: who calls it has one of its own. */
export function cutRows(x: Tensor2D, counts: readonly number[]): Tensor2D[] {
  const d = x.shape[1];
  if (counts.length === 1) return [x];
  // its tf.slice and tf.split copy all of x for each piece
  const values = tf.getBackend() === 'wasm' ? x.dataSync<'float32'>() : undefined;
  let first = 0;
  return counts.map(rows => {
    const piece = values
      ? tf.tensor2d(values.subarray(first * d, (first + rows) * d), [rows, d])
      : tf.slice(x, [first, 0], [rows, d]);
    first += rows;
    return piece;
  });
}

function gather(x: Tensor2D, index: Int32Array): Tensor2D {
  const [n, d] = x.shape;
  if (index.length === 0) return tf.zeros([0, d]);
  if (!index.includes(-1)) return tf.gather(x, tf.tensor1d(index, 'int32'));
  const places = index.map(row => (row < 0 ? n : row));
  return tf.gather(tf.concat([x, tf.zeros([1, d])]), tf.tensor1d(places, 'int32'));
}

/**
 * Normalises the rows of x [n, d] to mean 0 and (biased) variance 1, then times gain [d] plus offset [d]; epsilon 1e-5.
 * One operation with the closed form of its gradient, as its parts would keep eight matrices for the way back.
 */
export function layerNorm(x: Tensor2D, gain: Tensor1D, offset: Tensor1D): Tensor2D {
  const norm = tf.customGrad((...args) => {
    const [rows, g, o, save] = args as unknown as [Tensor2D, Tensor1D, Tensor1D, tf.GradSaveFunc];
    const centred = tf.sub(rows, tf.mean(rows, 1, true));
    const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(centred), 1, true), 1e-5));
    const normal = tf.mul(centred, rstd);
    save([normal, rstd, g]);
    return {
      value: tf.add(tf.mul(normal, g), o),
      gradFunc: (dy, saved) => {
        const [n, r, weight] = saved as [Tensor2D, Tensor2D, Tensor1D];
        const dn = tf.mul(dy, weight);
        const along = tf.mul(n, tf.mean(tf.mul(dn, n), 1, true));
        const dx = tf.mul(tf.sub(tf.sub(dn, tf.mean(dn, 1, true)), along), r);
        return [dx, tf.sum(tf.mul(dy, n), 0), tf.sum(dy, 0)];
      },
    };
  });
  return norm(x, gain, offset) as Tensor2D;
}

/**
 * u = x/|x| of the rows of x [n, d], by way of the largest entry, so that 1e25 and 1e-25 neither overflow nor vanish.
 * A zero row has no direction: it stays 0 and its gradient is 0. The gradient is (du - (du.u) u)/|x|.
 */
export function unitRows(x: Tensor2D): Tensor2D {
  const unit = tf.customGrad((...args) => {
    const [rows, save] = args as unknown as [Tensor2D, tf.GradSaveFunc];
    const largest = tf.max(tf.abs(rows), 1, true);
    const none = tf.equal(largest, 0);
    const one = tf.onesLike(largest);
    const scaled = tf.div(rows, tf.where(none, one, largest));
    const length = tf.sqrt(tf.sum(tf.square(scaled), 1, true));
    const u = tf.div(scaled, tf.where(none, one, length));
    // a zero row counts as infinitely long
    save([u, tf.where(none, tf.mul(one, Infinity), tf.mul(largest, length))]);
    return {
      value: u,
      gradFunc: (du, saved) => {
        const [direction, norm] = saved as [Tensor2D, Tensor2D];
        const along = tf.mul(direction, tf.sum(tf.mul(du, direction), 1, true));
        return tf.div(tf.sub(du, along), norm);
      },
    };
  });
  return unit(x) as Tensor2D;
}

/** The sums over the rows of x [rows, d] of each event, [events, d] in the order of the layout; padding must hold 0. */
export function sumOfEvents(x: Tensor2D, { rows, buckets }: TokenLayout): Tensor2D {
  const d = x.shape[1];
  const sum = tf.customGrad((given: unknown) => {
    const pieces = cutRows(
      given as Tensor2D,
      buckets.map(({ events, slots }) => events * slots),
    );
    return {
      value: tf.concat<Tensor2D>(
        pieces.map((piece, i) => {
          const { events, slots } = buckets[i];
          return slots === 0 ? tf.zeros([events, d]) : tf.sum(tf.reshape(piece, [events, slots, d]), 1);
        }),
      ),
      gradFunc: (dy: Tensor2D) => {
        const shares = cutRows(
          dy,
          buckets.map(({ events }) => events),
        );
        const spread = shares.map((share, i) => {
          const { events, slots } = buckets[i];
          return tf.reshape(tf.mul(tf.reshape(share, [events, 1, d]), tf.ones([1, slots, 1])), [events * slots, d]);
        });
        return spread.length === 0 ? tf.zeros([rows, d]) : tf.concat(spread);
      },
    };
  });
  return sum(x);
}
