import { AnomalyClrError } from '../errors.js';

/** What gives rows of features [n, d] an anomaly score, fitted on rows of background alone. */
export interface RowDetector {
  readonly name: string;
  /** Features of a row. */
  readonly inputs: number;
  /** @param rows [n, inputs] @returns [n], higher is more anomalous; never negative, so that a logarithm can be taken */
  score(rows: Float32Array): Promise<Float32Array>;
}

/**
 * The number of rows in x [n, d].
 *
 * @throws AnomalyClrError where there are fewer than `least`, or x is no whole number of rows
 */
export function rowsIn(x: ArrayLike<number>, d: number, least: number): number {
  const n = x.length / d;
  if (!Number.isInteger(n)) throw new AnomalyClrError(`${x.length} numbers are no rows of ${d}`);
  if (n < least) throw new AnomalyClrError(`${n} rows to fit a detector on; it takes at least ${least}`);
  return n;
}

/** Copies of the rows of x [n, d] at `index`. */
export function rowsAt(x: Float32Array, d: number, index: ArrayLike<number>): Float32Array {
  const out = new Float32Array(index.length * d);
  for (let k = 0; k < index.length; k++) out.set(x.subarray(index[k] * d, (index[k] + 1) * d), k * d);
  return out;
}

/** Scores in blocks of at most `size` rows, so that what a block needs beside its rows stays small. */
export async function inBlocks(
  x: Float32Array,
  d: number,
  size: number,
  score: (rows: Float32Array, to: Float32Array) => Promise<void>,
): Promise<Float32Array> {
  const n = rowsIn(x, d, 0);
  const out = new Float32Array(n);
  for (let from = 0; from < n; from += size) {
    const to = Math.min(n, from + size);
    await score(x.subarray(from * d, to * d), out.subarray(from, to));
  }
  return out;
}

/** Per row of y [n, d] the sum of its squares. */
export function squaredNorms(y: ArrayLike<number>, d: number, out: Float32Array | Float64Array): void {
  for (let r = 0; r < out.length; r++) {
    let sum = 0;
    for (let c = r * d; c < (r + 1) * d; c++) sum += y[c] * y[c];
    out[r] = sum;
  }
}
