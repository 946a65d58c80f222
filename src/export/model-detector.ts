import { perceptronLayout } from '../model/layout.js';
import type { DetectorMember, DetectorWeights } from '../score/detector.js';
import type { Graph } from './graph.js';
import { linear } from './model-dense.js';
import { namedWeights } from './weights.js';

const activations = {
  relu: ['Relu', {}],
  leaky_relu: ['LeakyRelu', { alpha: 0.01 }],
  elu: ['Elu', { alpha: 1 }],
} as const;

/** What is reconstructed without any error has no logarithm; as the engines have it. */
const leastError = 1e-30;

/** The detector on rows of a representation: preparation, networks, and the sum of these on each row, [batch]. */
export function addDetector(graph: Graph, { preparation, members }: DetectorWeights, rows: string): string {
  const x = addPreparation(graph, preparation, rows);
  const scores = members.map(member =>
    // the names that a lone autoencoder always had
    member.standard ? graph.within(member.kind, () => addMember(graph, member, x)) : addMember(graph, member, x),
  );
  return scores.reduce((sum, score) => graph.node('Add', [sum, score], 'sum'));
}

/** What a member adds, [batch]. */
function addMember(graph: Graph, member: DetectorMember, x: string): string {
  const score = member.kind === 'ratio' ? addLogOdds(graph, member, x) : addError(graph, member, x);
  const { standard } = member;
  if (!standard) return score;
  const f = member.kind === 'ratio' ? score : addLogarithm(graph, score);
  const centred = graph.node('Sub', [f, graph.scalar(standard.mean)], 'centred');
  return graph.node('Div', [centred, graph.scalar(standard.deviation)], 'standardised');
}

function addError(graph: Graph, member: DetectorMember, x: string): string {
  const { widths } = member;
  const difference = graph.node(
    'Sub',
    [addLayers(graph, member, x, widths.indexOf(Math.min(...widths))), x],
    'difference',
  );
  const squared = graph.node('Mul', [difference, difference], 'squared');
  return graph.node('ReduceMean', [squared], 'error', { axes: [1n], keepdims: 0n });
}

const addLogarithm = (graph: Graph, error: string): string =>
  graph.node('Log', [graph.node('Max', [error, graph.scalar(leastError)], 'bounded_error')], 'log_error');

const addLogOdds = (graph: Graph, member: DetectorMember, x: string): string =>
  graph.node('Squeeze', [addLayers(graph, member, x), graph.list(1)], 'log_odds');

/** Dense layers, the last linear, and that which gives width number `linearToo`. */
function addLayers(
  graph: Graph,
  { widths, activation, weights: flat }: DetectorMember,
  x: string,
  linearToo?: number,
): string {
  const weights = namedWeights(perceptronLayout(widths), flat);
  const [kind, attributes] = activations[activation];
  let y = x;
  for (let l = 0; l + 1 < widths.length; l++) {
    y = linear(graph, y, `layer${l}`, weights(`layers.${l}.weight`), weights(`layers.${l}.bias`));
    if (l + 2 < widths.length && l + 1 !== linearToo) y = graph.node(kind, [y], `layer${l}/${activation}`, attributes);
  }
  return y;
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
