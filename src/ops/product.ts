import tf, { type Tensor, type Tensor2D } from './tf.js';

/**
 * a b of matrices, or stacks of them, either transposed first where asked. The wasm backend has a fast kernel for single
 * matrices that are not: there they are transposed by themselves, which costs a tenth of what it spares.
 */
export function product<T extends Tensor>(a: T, b: T, transposeA = false, transposeB = false): T {
  if (tf.getBackend() !== 'wasm' || a.rank !== 2) return tf.matMul(a, b, transposeA, transposeB) as T;
  return tf.matMul(transposeA ? tf.transpose(a) : a, transposeB ? tf.transpose(b) : b);
}

/**
 * y = x W^T + b of x [n, in], W [out, in] and b [out].
 *
 * @returns [n, out]
 */
export function linear(x: Tensor2D, weight: Tensor, bias: Tensor): Tensor2D {
  const run = tf.customGrad((...args) => {
    const [rows, w, b, save] = args as unknown as [Tensor2D, Tensor2D, Tensor, tf.GradSaveFunc];
    save([rows, w]);
    return {
      value: tf.add<Tensor2D>(product(rows, w, false, true), b),
      gradFunc: (dy: Tensor2D, saved) => {
        const [input, by] = saved as Tensor2D[];
        return [product(dy, by), product(dy, input, true, false), tf.sum(dy, 0)];
      },
    };
  });
  return run(x, weight, bias);
}
