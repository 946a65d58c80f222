import type { Floats, WeightInfo } from '../addon.js';
import { sizeOf } from '../model/layout.js';

/** A weight by its name, in float32. */
export type NamedWeights = (name: string) => Float32Array;

/** Weights of a flat array by their names. */
export function namedWeights(layout: readonly WeightInfo[], flat: Floats): NamedWeights {
  const places = new Map(layout.map(info => [info.name, info]));
  return name => {
    const place = places.get(name);
    if (!place) throw new Error(`no weight ${name}`);
    const { offset, shape } = place;
    return Float32Array.from(flat.subarray(offset, offset + sizeOf(shape)));
  };
}

/** W [outputs, inputs], as PyTorch keeps it, to [inputs, outputs], as MatMul takes it. */
export function transpose(weight: Float32Array, outputs: number): Float32Array {
  const inputs = weight.length / outputs;
  return Float32Array.from(weight, (_, i) => weight[(i % outputs) * inputs + Math.floor(i / outputs)]);
}
