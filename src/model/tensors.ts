import type { Floats, WeightInfo } from '../addon.js';
import { AnomalyClrError } from '../errors.js';
import { sizeOf, weightCount } from './layout.js';
import type { Tensor } from './safetensors.js';

/** JSON from a header; null where it is none. */
export function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return null;
  }
}

/** Flat weights as named tensors. */
export function tensorsOf(layout: readonly WeightInfo[], flat: Floats): Map<string, Tensor> {
  const dtype = flat instanceof Float64Array ? 'F64' : 'F32';
  return new Map(
    layout.map(({ name, shape, offset }) => [name, { dtype, shape, data: flat.slice(offset, offset + sizeOf(shape)) }]),
  );
}

/** Named tensors as flat weights. @throws AnomalyClrError naming a tensor that is missing or has another shape */
export function flatFrom(
  file: string,
  layout: readonly WeightInfo[],
  tensors: Map<string, Tensor>,
  prefix = '',
): Floats {
  const first = tensors.get(prefix + layout[0].name);
  // all are checked before memory is taken: a damaged configuration may ask for any amount
  const parts = layout.map(({ name, shape }) => {
    const tensor = tensors.get(prefix + name);
    if (
      !tensor ||
      !/^F(32|64)$/.test(tensor.dtype) ||
      tensor.dtype !== first?.dtype ||
      tensor.shape.join() !== shape.join()
    )
      throw new AnomalyClrError(
        `${file}: tensor ${prefix}${name} should be float ${shape.join(' x ')}; the file is another model's`,
      );
    return tensor.data as Float32Array;
  });
  const flat: Floats =
    first?.dtype === 'F64' ? new Float64Array(weightCount(layout)) : new Float32Array(weightCount(layout));
  layout.forEach(({ offset }, i) => flat.set(parts[i], offset));
  return flat;
}
