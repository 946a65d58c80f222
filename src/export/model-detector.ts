import { autoencoderLayout } from '../model/layout.js';
import type { DetectorWeights } from '../score/detector.js';
import type { Graph } from './graph.js';
import { linear } from './model-dense.js';
import { namedWeights } from './weights.js';

const activations = {
  relu: ['Relu', {}],
  leaky_relu: ['LeakyRelu', { alpha: 0.01 }],
  elu: ['Elu', { alpha: 1 }],
} as const;

/** The detector on rows of a representation: preparation, autoencoder, and its mean squared error on each row, [batch]. */
export function addDetector(
  graph: Graph,
  { preparation, widths, activation, weights: flat }: DetectorWeights,
  rows: string,
): string {
  const weights = namedWeights(autoencoderLayout(widths), flat);
  const bottleneck = widths.indexOf(Math.min(...widths));
  const [kind, attributes] = activations[activation];
  const x = addPreparation(graph, preparation, rows);
  let y = x;
  for (let l = 0; l + 1 < widths.length; l++) {
    y = linear(graph, y, `layer${l}`, weights(`layers.${l}.weight`), weights(`layers.${l}.bias`));
    if (l + 2 < widths.length && l + 1 !== bottleneck) y = graph.node(kind, [y], `layer${l}/${activation}`, attributes);
  }
  const difference = graph.node('Sub', [y, x], 'difference');
  const squared = graph.node('Mul', [difference, difference], 'squared');
  return graph.node('ReduceMean', [squared], 'error', { axes: [1n], keepdims: 0n });
}

/** y = M (x - mean): centred before the product, and what float32 cannot hold of the mean through the matrix in double. */
function addPreparation(
  graph: Graph,
  { inputs, outputs, mean, matrix }: DetectorWeights['preparation'],
  x: string,
): string {
  if (!matrix) return x;
  const rounded = Float32Array.from(mean);
  const bias = Float32Array.from({ length: outputs }, (_, o) =>
    rounded.reduce((sum, m, i) => sum + matrix[o * inputs + i] * (m - mean[i]), 0),
  );
  const centred = graph.node('Sub', [x, graph.constant('mean', rounded, [inputs])], 'centred');
  return linear(graph, centred, 'prepared', Float32Array.from(matrix), bias);
}
