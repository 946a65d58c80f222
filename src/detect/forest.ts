import { AnomalyClrError } from '../errors.js';
import { Draws } from '../events/philox.js';
import { type RowDetector, rowsIn } from './row-detector.js';

export interface ForestOptions {
  /** Default 100. */
  readonly trees?: number;
  /** Rows that each tree is grown from, drawn without replacement. Default 256, or all where there are fewer. */
  readonly sample?: number;
  readonly seed: number;
}

/** A tree, its nodes one after another. [nodes] each */
export interface IsolationTree {
  /** The feature that a node asks for; -1 at a leaf. */
  readonly feature: ArrayLike<number>;
  /** Rows with a value of at most this go left. */
  readonly threshold: ArrayLike<number>;
  readonly left: ArrayLike<number>;
  readonly right: ArrayLike<number>;
  /** Rows that came to the node when it was grown. */
  readonly size: ArrayLike<number>;
}

/** "isof" in ASCII, so that no other draw shares it. */
const forestStream = 0x69736f66;
const euler = 0.5772156649015329;

/**
 * The isolation forest of F. T. Liu, K. M. Ting and Z.-H. Zhou, "Isolation forest" (ICDM 2008): trees that split at random
 * until every row is alone; anomalous rows are alone soon. The score is 2^(-h / c), with h the mean path length over the
 * trees and c what it is for an unsuccessful search among as many rows.
 *
 * @param x [n, d]
 * @throws AnomalyClrError where there are fewer than two rows, or one is not finite
 */
export function fitForest(
  x: Float32Array,
  d: number,
  { trees = 100, sample = 256, seed }: ForestOptions,
): RowDetector & { readonly trees: readonly IsolationTree[] } {
  const n = rowsIn(x, d, 2);
  if (!x.every(Number.isFinite)) throw new AnomalyClrError('rows to grow an isolation forest from are not finite');
  const size = Math.min(sample, n);
  const grown = Array.from({ length: trees }, (_, t) => grow(x, d, n, size, new Draws(seed, 0, t, forestStream)));
  return {
    name: 'forest',
    inputs: d,
    trees: grown,
    score: async rows => forestScores(grown, size, rows, d),
  };
}

/** The scores that trees, each grown from `sample` rows, give rows [n, d]. */
export function forestScores(
  trees: readonly IsolationTree[],
  sample: number,
  rows: Float32Array,
  d: number,
): Float32Array {
  const n = rowsIn(rows, d, 0);
  const depths = new Float64Array(n);
  for (const { feature, threshold, left, right, size } of trees)
    for (let r = 0; r < n; r++) {
      let [node, depth] = [0, 0];
      for (; feature[node] >= 0; depth++)
        node = rows[r * d + feature[node]] <= threshold[node] ? left[node] : right[node];
      depths[r] += depth + averagePath(size[node]);
    }
  const scale = trees.length * averagePath(sample);
  return Float32Array.from(depths, depth => 2 ** (-depth / scale));
}

/** Mean length of an unsuccessful search in a binary tree of n rows: 2 H(n - 1) - 2 (n - 1) / n, with H(i) = ln i + gamma. */
export function averagePath(n: number): number {
  if (n <= 1) return 0;
  return n === 2 ? 1 : 2 * (Math.log(n - 1) + euler) - (2 * (n - 1)) / n;
}

interface Growing {
  feature: number[];
  threshold: number[];
  left: number[];
  right: number[];
  size: number[];
}

function grow(x: Float32Array, d: number, n: number, sample: number, draws: Draws): IsolationTree {
  const tree: Growing = { feature: [], threshold: [], left: [], right: [], size: [] };
  const deepest = Math.ceil(Math.log2(sample));
  const node = (rows: number[], depth: number): number => {
    const at = tree.size.push(rows.length) - 1;
    const split = depth < deepest ? splitOf(x, d, rows, draws) : undefined;
    tree.feature[at] = split?.feature ?? -1;
    tree.threshold[at] = split?.threshold ?? 0;
    tree.left[at] = tree.right[at] = -1;
    if (!split) return at;
    const goesLeft = (row: number): boolean => x[row * d + split.feature] <= split.threshold;
    tree.left[at] = node(rows.filter(goesLeft), depth + 1);
    tree.right[at] = node(
      rows.filter(row => !goesLeft(row)),
      depth + 1,
    );
    return at;
  };
  node(distinct(sample, n, draws), 0);
  return tree;
}

/** A feature in which the rows differ, and a threshold between its extremes; undefined where they differ in none. */
function splitOf(
  x: Float32Array,
  d: number,
  rows: readonly number[],
  draws: Draws,
): { feature: number; threshold: number } | undefined {
  const open = Array.from({ length: rows.length > 1 ? d : 0 }, (_, c) => c);
  while (open.length > 0) {
    const [feature] = open.splice(Math.floor(draws.uniform() * open.length), 1);
    let [low, high] = [Infinity, -Infinity];
    for (const row of rows) {
      const value = x[row * d + feature];
      if (value < low) low = value;
      if (value > high) high = value;
    }
    // below `high` even where rounding would reach it: both sides get a row
    if (low < high) return { feature, threshold: Math.min(low + (high - low) * draws.uniform(), prior(high)) };
  }
  return undefined;
}

/** The largest number below x that is told apart from it. */
const prior = (x: number): number => x - Math.max(Math.abs(x) * Number.EPSILON, Number.MIN_VALUE);

/** `count` different numbers of 0 .. n - 1. */
function distinct(count: number, n: number, draws: Draws): number[] {
  if (count === n) return Array.from({ length: n }, (_, i) => i);
  const found = new Set<number>();
  while (found.size < count) found.add(Math.floor((draws.next() / 2 ** 32) * n));
  return [...found];
}
