import type { EncoderConfig, WeightInfo } from '../addon.js';

/**
 * Names, shapes and places of an encoder's weights in its flat array; the addon's own list is the same (tested). The
 * names are those of the published PyTorch model, so that its checkpoints load.
 */
export function encoderLayout(config: EncoderConfig): WeightInfo[] {
  const { features, width: d, feedForward, output, layers, headLayers, headNorm } = config;
  const list: [name: string, shape: number[]][] = [
    ['embedding.weight', [d, features]],
    ['embedding.bias', [d]],
  ];
  for (let l = 0; l < layers; l++) {
    const at = `transformer.layers.${l}`;
    list.push(
      [`${at}.self_attn.in_proj_weight`, [3 * d, d]],
      [`${at}.self_attn.in_proj_bias`, [3 * d]],
      [`${at}.self_attn.out_proj.weight`, [d, d]],
      [`${at}.self_attn.out_proj.bias`, [d]],
      [`${at}.linear1.weight`, [feedForward, d]],
      [`${at}.linear1.bias`, [feedForward]],
      [`${at}.linear2.weight`, [d, feedForward]],
      [`${at}.linear2.bias`, [d]],
      [`${at}.norm1.weight`, [d]],
      [`${at}.norm1.bias`, [d]],
      [`${at}.norm2.weight`, [d]],
      [`${at}.norm2.bias`, [d]],
    );
  }
  for (let l = 0; l < headLayers; l++) {
    const inputs = l === 0 ? d : output;
    list.push([`head_layers.${l}.weight`, [output, inputs]], [`head_layers.${l}.bias`, [output]]);
    if (headNorm) list.push([`norm_layers.${l}.weight`, [inputs]], [`norm_layers.${l}.bias`, [inputs]]);
  }
  return place(list);
}

/** The same for a dense network with these widths from input to output. */
export function perceptronLayout(widths: ArrayLike<number>): WeightInfo[] {
  return place(
    Array.from({ length: widths.length - 1 }, (_, l) => [
      [`layers.${l}.weight`, [widths[l + 1], widths[l]]] as [string, number[]],
      [`layers.${l}.bias`, [widths[l + 1]]] as [string, number[]],
    ]).flat(),
  );
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Length of the flat array of a layout. */
export function weightCount(layout: readonly WeightInfo[]): number {
  return layout.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

function place(list: [name: string, shape: number[]][]): WeightInfo[] {
  let offset = 0;
  return list.map(([name, shape]) => {
    const info = { name, shape, offset };
    offset += sizeOf(shape);
    return info;
  });
}
