import { loadAddon } from '../addon.js';
import { AnomalyClrError } from '../errors.js';
import { layOut, type Bucket, type TokenLayout } from './layout.js';
import { cutRows, takeRows } from './rows.js';
import tf, { type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, type Tensor4D } from './tf.js';

/** Who computes an operation: the addon's C++ kernels, or TensorFlow.js alone. */
export type Kernels = 'native' | 'pure';

/** Dropout on the probabilities of attention. */
export interface ProbabilityDropout {
  /** 1 is kept: for each event, in the order of the layout, heads matrices [n, n rounded up to a multiple of 8]. */
  readonly keep: Uint8Array;
  /** What kept ones are multiplied by. */
  readonly scale: number;
}

export interface AttentionOptions {
  /** Added to the logits of that key. [rows] */
  readonly keyBias?: Tensor1D | undefined;
  readonly dropout?: ProbabilityDropout | undefined;
}

/** Keys in a row of the addon's probabilities come in groups of so many. */
const keyLanes = 8;
export const paddedKeys = (n: number): number => Math.ceil(n / keyLanes) * keyLanes;
/** Takes a key out of a softmax without making its row NaN. */
const never = -1e30;

/**
 * Multi-head self-attention of each event on its own objects: softmax(q.k/sqrt(d/H) + bias) v for each head.
 *
 * @param qkv [rows, 3d]: q, k and v side by side; head h owns columns h d/H .. (h+1) d/H - 1 of each
 * @param layout which rows belong together, of {@link layOut}; `native` needs one without padding
 * @returns [rows, d]; rows of padding hold nothing of meaning
 * @throws AnomalyClrError where shapes do not fit, or `native` is asked for and the addon is missing
 * @example
 * const layout = layOut(events.offsets, 0);
 * const mixed = attention(qkv, layout, 4, 'native'); // differentiable like any other operation
 */
export function attention(
  qkv: Tensor2D,
  layout: TokenLayout,
  heads: number,
  kernels: Kernels,
  options: AttentionOptions = {},
): Tensor2D {
  const [rows, wide] = qkv.shape;
  if (rows !== layout.rows)
    throw new AnomalyClrError(`attention: qkv has ${rows} rows, the layout of its events has ${layout.rows}`);
  if (wide % (3 * heads) !== 0)
    throw new AnomalyClrError(`attention: qkv has ${wide} columns, which ${heads} heads of q, k and v do not divide`);
  if (kernels === 'native' && layout.padded)
    throw new AnomalyClrError('attention: native kernels need a layout without padding: layOut(offsets, 0)');
  const run = kernels === 'native' ? nativeAttention : pureAttention;
  const bias = options.keyBias ?? tf.zeros([rows]);
  return run(qkv, bias, layout, heads, options.keyBias !== undefined, options.dropout);
}

type Run = (
  qkv: Tensor2D,
  keyBias: Tensor1D,
  layout: TokenLayout,
  heads: number,
  biased: boolean,
  dropout: ProbabilityDropout | undefined,
) => Tensor2D;

const nativeAttention: Run = (input, bias, layout, heads, biased, dropout) => {
  const addon = loadAddon();
  const offsets = new Int32Array(layout.counts.length + 1);
  layout.counts.forEach((n, i) => (offsets[i + 1] = offsets[i] + n));
  const keeps = dropout ? { keep: dropout.keep, keepScale: dropout.scale } : {};
  const run = tf.customGrad((...args) => {
    const [x, b, save] = args as unknown as [Tensor2D, Tensor1D, tf.GradSaveFunc];
    const qkv = x.dataSync<'float32'>();
    const keyBias = biased ? { keyBias: b.dataSync<'float32'>() } : {};
    const { out, probs } = addon.attention({ qkv, offsets, heads, ...keyBias, ...keeps });
    save([x]);
    return {
      value: tf.tensor2d(out as Float32Array, [x.shape[0], x.shape[1] / 3]),
      gradFunc: dy => {
        const dout = dy.dataSync<'float32'>();
        const back = addon.attentionBackward({ qkv, offsets, heads, probs, dout, ...keeps });
        return [tf.tensor2d(back.dqkv as Float32Array, x.shape), tf.tensor1d(back.dkeyBias as Float32Array)];
      },
    };
  });
  return run(input, bias) as Tensor2D;
};

const pureAttention: Run = (input, bias, layout, heads, biased, dropout) => {
  const buckets = layout.buckets.filter(({ slots }) => slots > 0);
  const rowsOf = buckets.map(({ events, slots }) => events * slots);
  const run = tf.customGrad((...args) => {
    const [x, b, save] = args as unknown as [Tensor2D, Tensor1D, tf.GradSaveFunc];
    const d = x.shape[1] / 3;
    const keeps = dropout && keepTensors(layout, buckets, heads, dropout);
    const cuts = cutRows(x, rowsOf);
    const tape: Tensor4D[] = [];
    const mixed = buckets.map((bucket, i) => {
      const bias = [...(biased ? [ofKeys(b, bucket)] : []), ...(bucket.padded ? [paddingBias(layout, bucket)] : [])];
      return mix(splitHeads(cuts[i], bucket, heads, 3), bias, keeps?.[i], tape);
    });
    save([...tape, ...(keeps ?? [])]);
    return {
      value: joined(mixed, [0, d]),
      gradFunc: (dy: Tensor2D, saved: Tensor[]) => {
        const rest = [...(saved as Tensor4D[])];
        const kept = keeps ? rest.splice(-buckets.length) : undefined;
        const dcuts = cutRows(dy, rowsOf);
        const back = buckets.map((bucket, i) => {
          const [dmixed] = splitHeads(dcuts[i], bucket, heads, 1);
          return mixBackward(dmixed, kept?.[i], alone(bucket) ? undefined : rest.splice(0, 4));
        });
        const dqkv = back.map(({ dqkv: parts }) => joinHeads(parts));
        const dbias = back.map(({ dlogits, dqkv: [, , dv] }) =>
          // of each key: over heads and queries
          dlogits ? tf.reshape(tf.sum(tf.sum(dlogits, 2), 1), [-1]) : tf.zeros([dv.shape[0]]),
        );
        return [joined(dqkv, [0, 3 * d]), biased ? joined(dbias, [0]) : tf.zeros([layout.rows])];
      },
    };
  });
  return run(input, bias);
};

/** Attention of one bucket, [events * slots, d]; q, k, v and probabilities go on the tape, unless objects are alone. */
function mix([q, k, v]: Tensor4D[], bias: Tensor4D[], keep: Tensor4D | undefined, tape: Tensor4D[]): Tensor2D {
  const [, , slots, width] = q.shape;
  if (slots === 1) return mergeHeads(keep ? tf.mul(v, keep) : v);
  const logits: Tensor4D = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(width));
  const probs: Tensor4D = tf.softmax(bias.reduce((sum, part) => tf.add<Tensor4D>(sum, part), logits));
  tape.push(q, k, v, probs);
  return mergeHeads(tf.matMul(keep ? tf.mul(probs, keep) : probs, v));
}

/** From the gradient of what `mix` gave, and what it put on the tape. */
function mixBackward(
  dmixed: Tensor4D,
  keep: Tensor4D | undefined,
  tape: Tensor4D[] | undefined,
): { dqkv: [Tensor, Tensor, Tensor]; dlogits?: Tensor } {
  if (!tape) {
    const none = tf.zerosLike(dmixed);
    return { dqkv: [none, none, keep ? tf.mul(dmixed, keep) : dmixed] };
  }
  const [q, k, v, probs] = tape;
  const dropped = keep ? tf.mul(probs, keep) : probs;
  const weighed = tf.mul(dropped, tf.matMul(dmixed, v, false, true));
  // softmax: dlogit = p (dp - sum p dp); with dropout both carry its factors
  const dlogits = tf.sub(weighed, tf.mul(probs, tf.sum(weighed, 3, true)));
  const scaled = tf.mul(dlogits, 1 / Math.sqrt(q.shape[3]));
  const dv = tf.matMul(dropped, dmixed, true, false);
  return { dqkv: [tf.matMul(scaled, k), tf.matMul(scaled, q, true, false), dv], dlogits };
}

/** The one object of an event attends to itself whatever the logits. */
const alone = ({ slots }: Bucket): boolean => slots === 1;

function joined<T extends Tensor>(parts: T[], empty: [number] | [number, number]): T {
  return (parts.length === 0 ? tf.zeros<tf.Rank>(empty) : tf.concat(parts, 0)) as T;
}

/** The rows x of a bucket as [events, heads, slots, width], for each of their `parts` blocks of columns. */
function splitHeads(x: Tensor2D, { events, slots }: Bucket, heads: number, parts: number): Tensor4D[] {
  const d = x.shape[1] / parts;
  const rows = events * slots;
  // to cut columns is slow on some backends, to cut outer slices fast on all
  const apart = parts === 1 ? [x] : tf.unstack(tf.transpose(tf.reshape(x, [rows, parts, d]), [1, 0, 2]));
  return apart.map(part => tf.transpose(tf.reshape(part, [events, slots, heads, d / heads]), [0, 2, 1, 3]));
}

/** Back: q, k and v of a bucket to its rows [events * slots, 3d]. */
function joinHeads(qkv: Tensor[]): Tensor2D {
  const parts = qkv.map(mergeHeads);
  const [rows, d] = parts[0].shape;
  return tf.reshape(tf.transpose(tf.stack(parts), [1, 0, 2]), [rows, 3 * d]);
}

/** Back to [events * slots, heads * width]. */
function mergeHeads(x: Tensor): Tensor2D {
  const [events, heads, slots, width] = x.shape;
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [events * slots, heads * width]);
}

/** Numbers of the rows of a bucket, [events, 1, 1, slots]. */
function ofKeys(x: Tensor1D, { first, events, slots }: Bucket): Tensor4D {
  return tf.reshape(tf.slice(x, [first], [events * slots]), [events, 1, 1, slots]);
}

function paddingBias(layout: TokenLayout, { events, slots, firstEvent }: Bucket): Tensor4D {
  const bias = new Float32Array(events * slots);
  for (let e = 0; e < events; e++) bias.fill(never, e * slots + layout.counts[firstEvent + e], (e + 1) * slots);
  return tf.tensor4d(bias, [events, 1, 1, slots]);
}

/** What multiplies the probabilities of each bucket, [events, heads, slots, slots]. */
function keepTensors(
  { counts }: TokenLayout,
  buckets: readonly Bucket[],
  heads: number,
  { keep, scale }: ProbabilityDropout,
): Tensor4D[] {
  let at = 0;
  return buckets.map(({ events, slots, firstEvent }) => {
    const factors = new Float32Array(events * heads * slots * slots);
    for (let e = 0; e < events; e++) {
      const n = counts[firstEvent + e];
      const row = paddedKeys(n);
      for (let h = 0; h < heads; h++)
        for (let i = 0; i < n; i++, at += row)
          for (let j = 0; j < n; j++)
            factors[((e * heads + h) * slots + i) * slots + j] = keep[at + j] !== 0 ? scale : 0;
    }
    return tf.tensor4d(factors, [events, heads, slots, slots]);
  });
}

/**
 * The same for events padded to one length.
 *
 * @param qkv [events, slots, 3d]
 * @param mask [events * slots]: 1 where there is an object
 * @returns [events, slots, d], 0 where there is none
 * @throws AnomalyClrError where shapes do not fit, or `native` is asked for and the addon is missing
 * @example
 * const mixed = maskedAttention(qkv, Uint8Array.of(1, 1, 0, 1, 0, 0), 4, 'native'); // two events of three slots
 */
export function maskedAttention(qkv: Tensor3D, mask: ArrayLike<number>, heads: number, kernels: Kernels): Tensor3D {
  const [events, slots, wide] = qkv.shape;
  if (mask.length !== events * slots)
    throw new AnomalyClrError(`attention: the mask has ${mask.length} entries for ${events} x ${slots} slots`);
  const occupied = Array.from(mask, (flag, slot) => (flag !== 0 ? slot : -1)).filter(slot => slot >= 0);
  const offsets = new Int32Array(events + 1);
  for (const slot of occupied) offsets[Math.floor(slot / slots) + 1]++;
  for (let e = 0; e < events; e++) offsets[e + 1] += offsets[e];
  const layout = layOut(offsets, 0);
  const from = new Int32Array(layout.rows);
  const to = new Int32Array(events * slots).fill(-1);
  occupied.forEach((slot, object) => {
    from[layout.rowOf[object]] = slot;
    to[slot] = layout.rowOf[object];
  });
  const rows = takeRows(tf.reshape(qkv, [events * slots, wide]), from, to);
  return tf.reshape(takeRows(attention(rows, layout, heads, kernels), to, from), [events, slots, wide / 3]);
}
