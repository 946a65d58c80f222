import type { Floats, Precision, WeightInfo } from '../addon.js';
import { Draws } from '../events/philox.js';
import { sizeOf, weightCount } from './layout.js';

/** "init" in ASCII. */
const initStream = 0x696e6974;

export function zeros(count: number, precision: Precision): Floats {
  return precision === 'f64' ? new Float64Array(count) : new Float32Array(count);
}

/**
 * Random starting weights, a stream of draws for each tensor: every layer starts differently (the published code starts
 * all encoder layers as copies of one).
 *
 * As PyTorch's modules do: in_proj uniform within sqrt(6/(in + out)) (Glorot), other matrices and their biases within
 * 1/sqrt(in), biases of attention 0, normalisation gain 1 and offset 0.
 */
export function initialWeights(layout: readonly WeightInfo[], seed: number, precision: Precision): Floats {
  const flat = zeros(weightCount(layout), precision);
  let inputs = 1;
  layout.forEach(({ name, shape, offset }, tensor) => {
    const size = sizeOf(shape);
    const draws = new Draws(seed, 0, tensor, initStream);
    if (shape.length === 2) inputs = shape[1];
    if (/norm/.test(name)) {
      if (name.endsWith('weight')) flat.fill(1, offset, offset + size);
    } else if (!/(in_proj|out_proj)[._]bias/.test(name)) {
      const bound = /in_proj/.test(name) ? Math.sqrt(6 / (shape[0] + shape[1])) : 1 / Math.sqrt(inputs);
      for (let i = 0; i < size; i++) flat[offset + i] = bound * (2 * draws.uniform() - 1);
    }
  });
  return flat;
}
