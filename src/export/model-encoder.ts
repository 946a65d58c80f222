import type { Card } from '../bundle/card.js';
import type { EncoderConfig } from '../addon.js';
import { encoderLayout } from '../model/layout.js';
import type { Graph } from './graph.js';
import type { Dense } from './model-dense.js';
import type { ObjectValues } from './model-objects.js';
import { addFeatures, packedRows, paddedRows, type Rows } from './model-rows.js';
import type { ModelParts } from './model.js';
import { namedWeights, type NamedWeights } from './weights.js';

/** Added to a logit that must not count. */
const never = -3e4;

/** Objects to the columns of the representation that the detector reads, [batch, columns]. */
export function addEncoder(
  graph: Graph,
  dense: Dense,
  { encoder: { config, weights: flat }, columns: [from, to] }: ModelParts,
  layout: Card['layout'],
  objects: ObjectValues,
): string {
  const weights = namedWeights(encoderLayout(config), flat);
  const rows = graph.within('features', () => {
    const ofSlots = addFeatures(graph, config, objects);
    return layout === 'packed'
      ? packedRows(graph, ofSlots, objects.real, config.features)
      : paddedRows(graph, ofSlots, objects.real);
  });
  const { mask, pool } = graph.within('mask', () => addMask(graph, config, rows));
  let x = dense.smallLayer(rows.features, 'embedding', weights('embedding.weight'), weights('embedding.bias'));
  for (let l = 0; l < config.layers; l++)
    x = addLayer(graph, dense, config, rows, mask, `layer${l}`, x, of => weights(`transformer.layers.${l}.${of}`));
  const pooled = graph.within('pool', () => {
    const weighted = graph.node('Mul', [rows.toPlaces(x, 'objects'), pool], 'weighted');
    return graph.node('ReduceSum', [weighted, graph.list(1)], 'sum', { keepdims: 0n });
  });
  return graph.within('head', () => addHead(graph, dense, config, pooled, [from, to], weights));
}

/** What is added to the logits of a key, [1, batch, 1, places], and the weight of an object in the sum, [batch, places, 1]. */
function addMask(graph: Graph, config: EncoderConfig, rows: Rows): { mask: string; pool: string } {
  const n = graph.node.bind(graph);
  let [logit, weight] = [graph.scalar(0), graph.scalar(1)];
  if (config.mask === 'continuous') {
    const first = n(
      'Slice',
      [rows.toPlaces(rows.features, 'features'), graph.list(0), graph.list(1), graph.list(2)],
      'pt_column',
    );
    weight = n('Squeeze', [first, graph.list(2)], 'pt');
    const safe = n('Where', [rows.filled, weight, graph.scalar(1)], 'pt_or_1');
    logit = n('Mul', [n('Log', [safe], 'log_pt'), graph.scalar(0.5)], 'half_log_pt');
  }
  const added = n('Where', [rows.filled, logit, graph.scalar(never)], 'added');
  const share = n('Where', [rows.filled, weight, graph.scalar(0)], 'weights');
  return {
    mask: n('Unsqueeze', [added, graph.list(0, 2)], 'of_keys'),
    pool: n('Unsqueeze', [share, graph.list(2)], 'of_objects'),
  };
}

/**
 * One layer of the transformer, post-norm. In the forms that ONNX Runtime fuses: product and sum to Gemm, sum and norm to
 * SkipLayerNormalization, the turned keys into their product. The logits' scale is in the query's weights.
 */
function addLayer(
  graph: Graph,
  dense: Dense,
  { width, heads }: EncoderConfig,
  rows: Rows,
  mask: string,
  name: string,
  x: string,
  weights: NamedWeights,
): string {
  const size = width / heads;
  const scale = 1 / Math.sqrt(size);
  const n = graph.node.bind(graph);
  const attended = graph.within(`${name}/attention`, () => {
    const [query, key, value] = ['query', 'key', 'value'].map((which, k) => {
      const times = k === 0 ? scale : 1;
      const part = (of: Float32Array, length: number): Float32Array =>
        of.slice(k * length, (k + 1) * length).map(w => w * times);
      const weight = part(weights('self_attn.in_proj_weight'), width * width);
      const projected = dense.layer(x, which, weight, part(weights('self_attn.in_proj_bias'), width));
      return rows.toHeads(projected, heads, size, `${which}_heads`);
    });
    const turned = n('Transpose', [key], 'keys_turned', { perm: [0n, 1n, 3n, 2n] });
    const logits = n('Add', [n('MatMul', [query, turned], 'products'), mask], 'logits');
    const mixed = n('MatMul', [n('Softmax', [logits], 'shares', { axis: -1n }), value], 'mixed');
    const joined = rows.fromHeads(mixed, heads, size, 'joined');
    return dense.layer(joined, 'output', weights('self_attn.out_proj.weight'), weights('self_attn.out_proj.bias'));
  });
  return graph.within(name, () => {
    const norm = (sum: readonly string[], which: string): string =>
      graph.layerNorm(
        n('Add', sum, `${which}/sum`),
        which,
        graph.constant(`${which}/gain`, weights(`${which}.weight`), [width]),
        graph.constant(`${which}/offset`, weights(`${which}.bias`), [width]),
      );
    const once = norm([attended, x], 'norm1');
    const up = dense.layer(once, 'feed_forward/up', weights('linear1.weight'), weights('linear1.bias'));
    const hidden = n('Relu', [up], 'feed_forward/relu');
    return norm(
      [dense.layer(hidden, 'feed_forward/down', weights('linear2.weight'), weights('linear2.bias')), once],
      'norm2',
    );
  });
}

/** The columns [from, to) of pooled vector and head layers; layers after the last column are left out. */
function addHead(
  graph: Graph,
  dense: Dense,
  { width, output, headLayers, headNorm }: EncoderConfig,
  pooled: string,
  [from, to]: readonly [number, number],
  weights: NamedWeights,
): string {
  const needed = Math.min(headLayers, Math.ceil(Math.max(0, to - width) / output));
  const all = [pooled];
  for (let l = 0; l < needed; l++) {
    let x = all[l];
    if (headNorm) {
      const [gain, offset] = ['weight', 'bias'].map(of => weights(`norm_layers.${l}.${of}`));
      x = graph.layerNorm(
        x,
        `norm${l}`,
        graph.constant(`norm${l}/gain`, gain, [gain.length]),
        graph.constant(`norm${l}/offset`, offset, [offset.length]),
      );
    }
    const positive = graph.node('Relu', [x], `relu${l}`);
    all.push(
      dense.smallLayer(positive, `layer${l}`, weights(`head_layers.${l}.weight`), weights(`head_layers.${l}.bias`)),
    );
  }
  if (needed === 0 && from === 0 && to === width) return pooled;
  const joined = all.length === 1 ? pooled : graph.node('Concat', all, 'levels', { axis: 1n });
  return graph.node('Slice', [joined, graph.list(from), graph.list(to), graph.list(1)], 'columns');
}
