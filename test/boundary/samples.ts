import type {
  AttentionArgument,
  PerceptronConfig,
  Columns,
  DenseArgument,
  DoubleColumns,
  NativeGroupConfig,
  NativePreparation,
  NativeRecipe,
  NativeScorerConfig,
  TokenRows,
  TrainerConfig,
} from '../../src/addon.js';

// Arguments that the addon takes, made anew at each call.

/** Five events of 3, 0, 2, 1 and 4 objects. */
export function events(): Columns {
  return {
    pt: Float32Array.of(30, 40, 25, 12, 80, 55, 20, 35, 28, 17),
    eta: Float32Array.of(0, 1.1, -0.4, 0, 2.2, 0, 0, -1.5, 0.3, 0.8),
    phi: Float32Array.of(0.5, -2, 3, 1, -1, 0.2, -3, 2.5, 0.1, -0.7),
    kind: Uint8Array.of(1, 2, 4, 1, 4, 1, 1, 3, 4, 4),
    offsets: Int32Array.of(0, 3, 3, 5, 6, 10),
  };
}

/** The same events in float64. */
export function doubles({ pt, eta, phi, ...rest }: Columns): DoubleColumns {
  return { pt: Float64Array.from(pt), eta: Float64Array.from(eta), phi: Float64Array.from(phi), ...rest };
}

/** `count` events of 19 objects: enough to keep a session busy for a while. */
export function manyEvents(count: number): Columns {
  const objects = count * 19;
  const column = (of: (i: number) => number): Float32Array => Float32Array.from({ length: objects }, (_, i) => of(i));
  return {
    pt: column(i => 20 + ((i * 7919) % 100)),
    eta: column(i => ((i * 104729) % 41) / 20 - 1),
    phi: column(i => ((i * 1299709) % 61) / 10 - 3),
    kind: Uint8Array.from({ length: objects }, (_, i) => (i % 19 === 0 ? 1 : i % 19 < 5 ? 2 : i % 19 < 9 ? 3 : 4)),
    offsets: Int32Array.from({ length: count + 1 }, (_, i) => i * 19),
  };
}

/** A process alone, which need not meet anybody. */
export function groupConfig(changes: Partial<NativeGroupConfig> = {}): NativeGroupConfig {
  return {
    rank: 0, ranks: 1, address: '127.0.0.1', port: 29_500, token: new Uint8Array(32), seconds: 10, patience: 10, hint: '',
    ...changes,
  }; // prettier-ignore
}

export function trainerConfig(changes: Partial<TrainerConfig> = {}): TrainerConfig {
  return {
    precision: 'f32', features: 7, ptFeature: 'log', ptScale: 40, mask: 'hard', width: 8, heads: 2, layers: 1,
    feedForward: 6, output: 5, headLayers: 2, headNorm: true, dropout: 0.1, loss: 'anomclr+', temperature: 0.1,
    optimiser: { kind: 'adam' },
    ...changes,
  }; // prettier-ignore
}

export function perceptronConfig(changes: Partial<PerceptronConfig> = {}): PerceptronConfig {
  return {
    precision: 'f32', learns: 'row', widths: Int32Array.of(4, 3, 2, 3, 4), activation: 'relu', activateBottleneck: false,
    optimiser: { kind: 'adam' },
    ...changes,
  }; // prettier-ignore
}

/** Three numbers of four. */
export function preparation(inputs = 4): NativePreparation {
  const column = (count: number): Float64Array => Float64Array.from({ length: count }, (_, i) => Math.cos(i));
  return { inputs, outputs: 3, mean: column(inputs), matrix: column(3 * inputs) };
}

/** The encoder of `trainerConfig` read before its head and sums of jets, three numbers of these, an autoencoder and a classifier. */
export function scorerConfig(changes: Partial<NativeScorerConfig> = {}): NativeScorerConfig {
  const { precision, loss: _, temperature: __, optimiser: ___, ...encoder } = trainerConfig();
  return {
    precision,
    encoder: { ...encoder, weights: someWeights(595), from: 0, to: 5, sums: Int32Array.of(4) },
    preparation: preparation(8),
    members: [
      {
        learns: 'row', widths: Int32Array.of(3, 2, 3), activation: 'elu', activateBottleneck: false, weights: someWeights(17),
        logarithm: true, mean: -0.5, deviation: 0.3,
      },
      {
        learns: 'class', widths: Int32Array.of(3, 2, 1), activation: 'relu', activateBottleneck: false,
        weights: someWeights(11), logarithm: false, mean: 0.1, deviation: 2,
      },
    ],
    ...changes,
  }; // prettier-ignore
}

/** rotate_phi for the physical view, the anomalous one with one of two scenarios. */
export function recipe(): NativeRecipe {
  return [
    [],
    [{ weight: 1, steps: [{ augmentation: 0, parameters: new Float64Array(0) }] }],
    [
      { weight: 1, steps: [{ augmentation: 4, parameters: Float64Array.of(4, 4, 10, 1) }] },
      { weight: 2, steps: [{ augmentation: 7, parameters: Float64Array.of(0.5, 5) }] },
    ],
  ];
}

/** Rows of seven features of three events. */
export function tokens(): TokenRows {
  return { x: Float32Array.from({ length: 28 }, (_, i) => 0.1 + (i % 7) / 7), offsets: Int32Array.of(0, 1, 1, 4) };
}

/** Events of 1, 0 and 3 tokens, two heads of two columns, with dropout. */
export function attention(): AttentionArgument {
  const keep = Uint8Array.from({ length: 64 }, (_, i) => (i % 5 === 0 ? 0 : 1));
  return { qkv: rows(12), offsets: Int32Array.of(0, 1, 1, 4), heads: 2, keep, keepScale: 1.25 };
}

/** Six rows of three numbers to four. */
export function dense(): DenseArgument {
  return { x: rows(6).slice(0, 18), weight: rows(3), inputs: 3, outputs: 4 };
}

export function rows(count = 6): Float32Array {
  return Float32Array.from({ length: count * 4 }, (_, i) => Math.sin(i));
}

/** Weights that do something: the sessions begin with zeros. */
export function someWeights(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898) * 0.4);
}
