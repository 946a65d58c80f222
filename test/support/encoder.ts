import type { EncoderConfig, Floats, NativeTrainer, TokenRows, TrainerConfig, WeightInfo } from '../../src/addon.js';

/** Small, with every part that an encoder can have. */
export const smallEncoder: EncoderConfig = {
  features: 8,
  ptFeature: 'log',
  ptScale: 30,
  mask: 'hard',
  width: 32,
  heads: 4,
  layers: 2,
  feedForward: 48,
  output: 16,
  headLayers: 3,
  headNorm: true,
  dropout: 0.2,
};

/** An encoder configuration in the addon's terms from that of a golden file. */
export function encoderConfig(
  config: any,
  mask: 'hard' | 'continuous',
  headLayers: number,
  headNorm: boolean,
): EncoderConfig {
  return {
    features: config.input_dim,
    ptFeature: 'linear',
    ptScale: 40,
    mask,
    width: config.model_dim,
    heads: config.n_heads,
    layers: config.n_layers,
    feedForward: config.dim_feedforward,
    output: config.output_dim,
    headLayers,
    headNorm,
    dropout: 0,
  };
}

export const trainerDefaults: Pick<TrainerConfig, 'loss' | 'temperature' | 'optimiser'> = {
  loss: 'anomclr+',
  temperature: 0.1,
  optimiser: { kind: 'adam' },
};

/** Flat weights of `trainer` by name from a golden file. */
export function flatWeights(
  trainer: NativeTrainer,
  tensor: (name: string) => ArrayLike<number>,
  Floats: any = Float64Array,
): Floats {
  const flat = trainer.weights();
  for (const { name, offset } of trainer.layout()) flat.set(Array.from(tensor(name)), offset);
  return new Floats(flat);
}

export function weightOf(flat: Floats, info: WeightInfo): Floats {
  return flat.subarray(info.offset, info.offset + info.shape.reduce((a, b) => a * b, 1));
}

/** Rows of the occupied slots of x [events, slots, features], and which slots they are. */
export function packSlots(
  x: Float64Array,
  [events, slots, features]: readonly number[],
  keepEmpty: boolean,
  Floats: any = Float64Array,
) {
  const rows: number[] = [];
  const slot: number[] = [];
  const offsets = new Int32Array(events + 1);
  for (let e = 0; e < events; e++) {
    for (let s = 0; s < slots; s++) {
      const at = (e * slots + s) * features;
      if (!keepEmpty && x[at] === 0) continue;
      rows.push(...x.subarray(at, at + features));
      slot.push(e * slots + s);
    }
    offsets[e + 1] = slot.length;
  }
  return { tokens: { x: new Floats(rows), offsets } satisfies TokenRows, slot };
}
