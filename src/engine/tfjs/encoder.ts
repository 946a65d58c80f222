import type { EncoderConfig, TokenRows } from '../../addon.js';
import { attention, type Kernels, type ProbabilityDropout } from '../../ops/attention.js';
import { layOut, type TokenLayout } from '../../ops/layout.js';
import { linear } from '../../ops/product.js';
import { layerNorm, sumOfEvents, takeRows } from '../../ops/rows.js';
import tf, { type Tensor, type Tensor1D, type Tensor2D } from '../../ops/tf.js';
import type { Weights } from './parameters.js';

/** Rows of features of some events in the order of a layout. */
export interface Tokens {
  readonly layout: TokenLayout;
  /** [layout.rows, features], 0 in padding. */
  readonly x: Float32Array;
}

/** What dropout keeps of the activations of a layer: 1 is kept. */
export interface LayerDropout {
  readonly probabilities: ProbabilityDropout;
  /** [rows, width], [rows, feedForward], [rows, width]. */
  readonly attention: Uint8Array;
  readonly hidden: Uint8Array;
  readonly output: Uint8Array;
}

/** Lays out rows of features [objects, features], one event after another. */
export function layOutTokens({ x, offsets }: TokenRows, features: number, bucketRows: number): Tokens {
  const layout = layOut(offsets, bucketRows);
  const rows = new Float32Array(layout.rows * features);
  layout.rowOf.forEach((row, object) => {
    for (let f = 0; f < features; f++) rows[row * features + f] = x[object * features + f];
  });
  return { layout, x: rows };
}

/**
 * The encoder of native/model/encoder.h in operations of TensorFlow.js.
 *
 * @param x the rows of `layout`; given apart, so that gradients with respect to it can be had
 * @returns representations of each event, in the order in which events were given: pooled [events, width], then each
 * head layer's output [events, output]
 */
export function encode(
  config: EncoderConfig,
  weights: Weights,
  x: Tensor2D,
  layout: TokenLayout,
  kernels: Kernels,
  dropout?: readonly LayerDropout[],
): Tensor2D[] {
  const { width, layers, headLayers, headNorm } = config;
  const pooled =
    layout.rows === 0
      ? (tf.zeros([layout.counts.length, width]) as Tensor2D)
      : pool(config, transform(config, weights, x, layout, kernels, layers, dropout), x, layout);
  const reps = [takeRows(pooled, layout.place, layout.order)];
  for (let l = 0; l < headLayers; l++) {
    const at = `norm_layers.${l}`;
    const before = headNorm
      ? layerNorm(reps[l], weights(`${at}.weight`) as Tensor1D, weights(`${at}.bias`) as Tensor1D)
      : reps[l];
    reps.push(linear(tf.relu(before), weights(`head_layers.${l}.weight`), weights(`head_layers.${l}.bias`)));
  }
  return reps;
}

function transform(
  config: EncoderConfig,
  weights: Weights,
  x: Tensor2D,
  layout: TokenLayout,
  kernels: Kernels,
  layers: number,
  dropout?: readonly LayerDropout[],
): Tensor2D {
  const keyBias = config.mask === 'continuous' ? continuousBias(x, layout) : undefined;
  let rows = linear(x, weights('embedding.weight'), weights('embedding.bias'));
  for (let l = 0; l < layers; l++) {
    const at = (name: string): Tensor => weights(`transformer.layers.${l}.${name}`);
    const norm = (sum: Tensor, which: string): Tensor2D =>
      layerNorm(sum as Tensor2D, at(`${which}.weight`) as Tensor1D, at(`${which}.bias`) as Tensor1D);
    const drop = dropout?.[l];
    // bytes go to the backend, a quarter of what the factors would be
    const kept = (y: Tensor2D, keep: Uint8Array | undefined): Tensor2D =>
      drop && keep
        ? tf.mul(y, tf.mul(tf.cast(tf.tensor2d(keep, y.shape, 'bool'), 'float32'), drop.probabilities.scale))
        : y;
    const qkv = linear(rows, at('self_attn.in_proj_weight'), at('self_attn.in_proj_bias'));
    const mixed = attention(qkv, layout, config.heads, kernels, { keyBias, dropout: drop?.probabilities });
    const attended = linear(mixed, at('self_attn.out_proj.weight'), at('self_attn.out_proj.bias'));
    rows = norm(tf.add(rows, kept(attended, drop?.attention)), 'norm1');
    const hidden = tf.relu(linear(rows, at('linear1.weight'), at('linear1.bias')));
    const fed = linear(kept(hidden, drop?.hidden), at('linear2.weight'), at('linear2.bias'));
    rows = norm(tf.add(rows, kept(fed, drop?.output)), 'norm2');
  }
  return rows;
}

/** 1 where a row holds an object, [rows, 1]. */
function occupied({ rows, rowOf }: TokenLayout): Float32Array {
  const flags = new Float32Array(rows);
  for (const row of rowOf) flags[row] = 1;
  return flags;
}

const ptOf = (x: Tensor2D): Tensor2D => tf.slice(x, [0, 0], [-1, 1]);

/** 0.5 ln pt' of each row; 0 in padding, which has none. */
function continuousBias(x: Tensor2D, layout: TokenLayout): Tensor1D {
  const padding = occupied(layout).map(flag => 1 - flag);
  return tf.reshape(tf.mul(tf.log(tf.add(ptOf(x), tf.tensor2d(padding, [layout.rows, 1]))), 0.5), [layout.rows]);
}

/** r_0 = sum_s c_s X_s, in the order of the layout; c is 1, or pt' with the continuous mask. */
function pool({ mask }: EncoderConfig, rows: Tensor2D, x: Tensor2D, layout: TokenLayout): Tensor2D {
  if (mask === 'continuous') return sumOfEvents(tf.mul(rows, ptOf(x)), layout);
  if (!layout.padded) return sumOfEvents(rows, layout);
  return sumOfEvents(tf.mul(rows, tf.tensor2d(occupied(layout), [layout.rows, 1])), layout);
}
