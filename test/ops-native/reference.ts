import { createHash } from 'node:crypto';
import { loadAddon, type Floats } from '../../src/addon.js';
import { Draws } from '../../src/events/philox.js';

// What the kernels are compared with: plain loops in float64.

/** `count` numbers between -1 and 1, the same for the same seed. */
export function uniform(count: number, seed: number): Float64Array {
  const draws = new Draws(seed, 0, 0, 0);
  return Float64Array.from({ length: count }, () => 2 * draws.uniform() - 1);
}

export function offsetsOf(sizes: readonly number[]): Int32Array {
  let sum = 0;
  return Int32Array.of(0, ...sizes.map(n => (sum += n)));
}
export const padded = (n: number): number => Math.ceil(n / 8) * 8;
/** How many probabilities `attention` gives. */
export const pairsOf = (sizes: readonly number[], heads: number): number =>
  sizes.reduce((sum, n) => sum + heads * n * padded(n), 0);

interface Attention {
  qkv: ArrayLike<number>;
  offsets: Int32Array;
  heads: number;
  keyBias?: ArrayLike<number>;
  keep?: ArrayLike<number>;
  keepScale?: number;
}

/** Calls `visit` for every head of every event: first token, tokens, head, place of its probabilities. */
function eachHead(
  { offsets, heads }: Attention,
  visit: (first: number, n: number, h: number, pair: number) => void,
): void {
  let pair = 0;
  for (let e = 0; e + 1 < offsets.length; e++) {
    const n = offsets[e + 1] - offsets[e];
    for (let h = 0; h < heads; h++, pair += n * padded(n)) visit(offsets[e], n, h, pair);
  }
}

export function attention(a: Attention): { out: Float64Array; probs: Float64Array } {
  const tokens = a.offsets.at(-1) as number;
  const d = a.qkv.length / 3 / tokens;
  const width = d / a.heads;
  const sizes = Array.from({ length: a.offsets.length - 1 }, (_, e) => a.offsets[e + 1] - a.offsets[e]);
  const out = new Float64Array(tokens * d);
  const probs = new Float64Array(pairsOf(sizes, a.heads));
  eachHead(a, (first, n, h, pair) => {
    for (let i = 0; i < n; i++) {
      const logits = Array.from({ length: n }, (_, j) => {
        let dot = 0;
        for (let c = 0; c < width; c++)
          dot += a.qkv[(first + i) * 3 * d + h * width + c] * a.qkv[(first + j) * 3 * d + d + h * width + c];
        return dot / Math.sqrt(width) + (a.keyBias?.[first + j] ?? 0);
      });
      const top = Math.max(...logits);
      const weights = logits.map(l => Math.exp(l - top));
      const sum = weights.reduce((x, y) => x + y, 0);
      for (let j = 0; j < n; j++) {
        const at = pair + i * padded(n) + j;
        probs[at] = weights[j] / sum;
        const weight = probs[at] * (a.keep ? (a.keep[at] ? (a.keepScale ?? 1) : 0) : 1);
        for (let c = 0; c < width; c++)
          out[(first + i) * d + h * width + c] += weight * a.qkv[(first + j) * 3 * d + 2 * d + h * width + c];
      }
    }
  });
  return { out, probs };
}

/** y = x weight^T + bias. */
export function dense(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
  inputs: number,
  outputs: number,
): Float64Array {
  return Float64Array.from({ length: (x.length / inputs) * outputs }, (_, at) => {
    const [row, o] = [Math.floor(at / outputs), at % outputs];
    let sum = bias?.[o] ?? 0;
    for (let i = 0; i < inputs; i++) sum += x[row * inputs + i] * weight[o * inputs + i];
    return sum;
  });
}

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

/** Slopes of `value` along each entry of `at` that is asked for, by central differences. */
export function slopes(at: Float64Array, entries: readonly number[], value: () => number, step = 1e-5): number[] {
  return entries.map(i => {
    const [kept, sides] = [at[i], [step, -step]];
    const [up, down] = sides.map(by => {
      at[i] = kept + by;
      return value();
    });
    at[i] = kept;
    return (up - down) / (2 * step);
  });
}

/** Every `step`th place of an array. */
export const places = (array: ArrayLike<unknown>, step: number): number[] =>
  Array.from({ length: Math.ceil(array.length / step) }, (_, i) => i * step);

/** `value` with a digest in place of every typed array: equal where all bits are. */
export function bits(value: unknown): unknown {
  if (ArrayBuffer.isView(value))
    return `${value.constructor.name} ${value.byteLength} ${createHash('sha1')
      .update(value as Uint8Array)
      .digest('hex')}`;
  if (Array.isArray(value)) return value.map(bits);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, bits(one)]));
}

/** What `run` gives on one, two and three threads. */
export function onThreads<R>(run: () => R): [R, R, R] {
  const addon = loadAddon();
  try {
    return [1, 2, 3].map(threads => {
      addon.setThreads(threads);
      return run();
    }) as [R, R, R];
  } finally {
    addon.setThreads(0);
  }
}

/** The same numbers within a larger buffer, not aligned to a cache line. */
export function shifted<T extends Floats>(array: T): T {
  const Type = array.constructor as new (buffer: ArrayBuffer, offset: number, length: number) => T;
  const out = new Type(new ArrayBuffer(array.byteLength + 64), 24, array.length);
  out.set(array);
  return out;
}
