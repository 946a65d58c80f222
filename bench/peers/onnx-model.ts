import type { Floats, NativePreparation, NativeScorerConfig, WeightInfo } from '../../src/addon.js';
import { autoencoderLayout, encoderLayout, sizeOf } from '../../src/model/layout.js';
import { Graph } from './onnx-graph.js';

/** An encoder read at some columns, and what makes scores of these; the engine's ScorerConfig fits. */
export interface OnnxScorerConfig {
  readonly encoder: NonNullable<NativeScorerConfig['encoder']>;
  readonly preparation?: NativePreparation;
  readonly autoencoder?: Autoencoder;
}
type Autoencoder = Omit<NativeScorerConfig['autoencoder'], 'activateBottleneck'> & {
  readonly activateBottleneck?: boolean;
};
type Weights = (name: string) => Float32Array;

/**
 * The model as an ONNX file. Inputs, with events padded to so many slots:
 *
 *     features [batch, slots, features]   rows of featureRows, 0 in padding
 *     mask     [batch, 1, 1, slots]       added to the logits of a key: 0 for an object, -1e9 for padding
 *     pooling  [batch, slots, 1]          weight of a slot in the sum over an event: 1 for an object, 0 for padding
 *
 * @param what `rows` ends with the columns that the detector reads, [batch, columns]; `scores` with one number an event
 */
export function onnxModel(
  { encoder, preparation, autoencoder }: OnnxScorerConfig,
  what: 'rows' | 'scores',
): Uint8Array {
  const graph = new Graph();
  const rows = encode(graph, encoder);
  if (what === 'rows' || !autoencoder) return graph.bytes(rows, ['batch', encoder.to - encoder.from]);
  const prepared = preparation ? prepare(graph, preparation, rows) : rows;
  return graph.bytes(errors(graph, autoencoder, prepared), ['batch']);
}

function encode(graph: Graph, config: OnnxScorerConfig['encoder']): string {
  const { features, width, output, layers, from, to } = config;
  const weights = named(encoderLayout(config), config.weights);
  let x = graph.input('features', ['batch', 'slots', features]);
  graph.input('mask', ['batch', 1, 1, 'slots']);
  graph.input('pooling', ['batch', 'slots', 1]);
  graph.list('split', [0, 0, config.heads, width / config.heads]);
  graph.list('joined', [0, 0, width]);
  graph.constant('scale', Float32Array.of(Math.sqrt(width / config.heads)), []);
  x = graph.linear(x, 'embedding', weights('embedding.weight'), weights('embedding.bias'));
  for (let l = 0; l < layers; l++) x = layer(graph, `layer${l}`, x, of => weights(`transformer.layers.${l}.${of}`));
  const reps = [
    graph.node('ReduceSum', [graph.node('Mul', [x, 'pooling'], 'weighted'), graph.list('slotAxis', [1])], 'pooled', {
      keepdims: 0n,
    }),
  ];
  // layers of the head after the last column are left out, as the engines leave them
  const headLayers = Math.min(config.headLayers, Math.ceil(Math.max(0, to - width) / output));
  for (let l = 0; l < headLayers; l++) {
    const before = config.headNorm
      ? graph.layerNorm(reps[l], `head${l}.norm`, weights(`norm_layers.${l}.weight`), weights(`norm_layers.${l}.bias`))
      : reps[l];
    const positive = graph.node('Relu', [before], `head${l}.relu`);
    reps.push(graph.linear(positive, `head${l}`, weights(`head_layers.${l}.weight`), weights(`head_layers.${l}.bias`)));
  }
  if (headLayers === 0 && from === 0 && to === width) return reps[0];
  const all = graph.node('Concat', reps, 'representations', { axis: 1n });
  const bounds = [graph.list('from', [from]), graph.list('to', [to]), graph.list('columnAxis', [1])];
  return graph.node('Slice', [all, ...bounds], 'columns');
}

/**
 * One layer of the transformer, as ONNX Runtime fuses it: each sum with the norm after it, and the division with the
 * product before it. Its Attention operation, which is not standard ONNX, it does not make of this at opset 17, nor of
 * the form with an integer mask that BERT has; one product for q, k and v with a Split after it is not faster.
 */
function layer(graph: Graph, name: string, x: string, weights: Weights): string {
  const width = weights('norm1.bias').length;
  const split = ['q', 'k', 'v'].map((which, k) => {
    const weight = weights('self_attn.in_proj_weight').subarray(k * width * width, (k + 1) * width * width);
    const bias = weights('self_attn.in_proj_bias').subarray(k * width, (k + 1) * width);
    const flat = graph.linear(x, `${name}.${which}`, weight, bias);
    const perm = which === 'k' ? [0n, 2n, 3n, 1n] : [0n, 2n, 1n, 3n];
    return graph.node('Transpose', [graph.node('Reshape', [flat, 'split'], `${flat}.split`)], `${flat}.heads`, {
      perm,
    });
  });
  const scaled = graph.node('Div', [graph.node('MatMul', split.slice(0, 2), `${name}.qk`), 'scale'], `${name}.scaled`);
  const logits = graph.node('Add', [scaled, 'mask'], `${name}.logits`);
  const mixed = graph.node(
    'MatMul',
    [graph.node('Softmax', [logits], `${name}.shares`, { axis: -1n }), split[2]],
    `${name}.mixed`,
  );
  const back = graph.node('Transpose', [mixed], `${name}.back`, { perm: [0n, 2n, 1n, 3n] });
  const joined = graph.node('Reshape', [back, 'joined'], `${name}.joined`);
  const attended = graph.linear(
    joined,
    `${name}.out`,
    weights('self_attn.out_proj.weight'),
    weights('self_attn.out_proj.bias'),
  );
  const norm = (sum: string[], which: string): string =>
    graph.layerNorm(
      graph.node('Add', sum, `${name}.${which}.sum`),
      `${name}.${which}`,
      weights(`${which}.weight`),
      weights(`${which}.bias`),
    );
  const once = norm([x, attended], 'norm1');
  const hidden = graph.node(
    'Relu',
    [graph.linear(once, `${name}.up`, weights('linear1.weight'), weights('linear1.bias'))],
    `${name}.relu`,
  );
  return norm(
    [once, graph.linear(hidden, `${name}.down`, weights('linear2.weight'), weights('linear2.bias'))],
    'norm2',
  );
}

/** y = M (x - mean): centred before the product, and what float32 cannot hold of the mean through the matrix in double. */
function prepare(graph: Graph, { inputs, outputs, mean, matrix }: NativePreparation, x: string): string {
  if (!matrix) return x;
  const rounded = Float32Array.from(mean);
  const bias = Float32Array.from({ length: outputs }, (_, o) =>
    rounded.reduce((sum, m, i) => sum + matrix[o * inputs + i] * (m - mean[i]), 0),
  );
  const centred = graph.node('Sub', [x, graph.constant('mean', rounded, [inputs])], 'centred');
  return graph.linear(centred, 'prepared', Float32Array.from(matrix), bias);
}

const activations = {
  relu: ['Relu', {}],
  leaky_relu: ['LeakyRelu', { alpha: 0.01 }],
  elu: ['Elu', { alpha: 1 }],
} as const;

/** Mean squared error of the autoencoder on each row. */
function errors(
  graph: Graph,
  { widths, activation, activateBottleneck = false, weights: flat }: Autoencoder,
  x: string,
) {
  const weights = named(autoencoderLayout(widths), flat);
  const bottleneck = widths.indexOf(Math.min(...widths));
  const [kind, attributes] = activations[activation];
  let y = x;
  for (let l = 0; l + 1 < widths.length; l++) {
    y = graph.linear(y, `autoencoder${l}`, weights(`layers.${l}.weight`), weights(`layers.${l}.bias`));
    const last = l + 2 === widths.length;
    if (!last && (activateBottleneck || l + 1 !== bottleneck))
      y = graph.node(kind, [y], `${y}.${activation}`, attributes);
  }
  const difference = graph.node('Sub', [y, x], 'difference');
  const squared = graph.node('Mul', [difference, difference], 'squared');
  return graph.node('ReduceMean', [squared], 'scores', { axes: [1n], keepdims: 0n });
}

/** Weights by their names. */
function named(layout: readonly WeightInfo[], flat: Floats): Weights {
  const places = new Map(layout.map(info => [info.name, info]));
  return name => {
    const { offset, shape } = places.get(name)!;
    return Float32Array.from(flat.subarray(offset, offset + sizeOf(shape)));
  };
}
