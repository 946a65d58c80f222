import type { Engine } from '../engine/engine.js';
import { shuffle } from '../events/philox.js';
import { fitPreparation, type PreparationKind } from '../score/prepare.js';
import { inBlocks, type RowDetector, rowsAt, rowsIn } from './row-detector.js';

export interface NeighbourOptions {
  /** Neighbours whose distances are averaged. Default 10. */
  readonly k?: number;
  /** Most rows to look for neighbours among; drawn by the seed where there are more. Default 20,000. */
  readonly reference?: number;
  /** The scale that distances are taken on. Default `whiten`. */
  readonly preparation?: PreparationKind;
  readonly seed: number;
}

/** Keys the draw of the reference, apart from every epoch of training. */
const referenceEpoch = 0xfffffffd;
/** Queries and references whose products are there at once: 4 MB, which stays in the cache. */
const queryRows = 1024;
const referenceRows = 1000;

/**
 * The mean Euclidean distance to the k nearest of a sample of background, by brute force: q.r - |r|^2 / 2 is largest for
 * the nearest r, and is a matrix product. The distances themselves are worked out for the k alone, in double.
 *
 * @param x [n, d]
 * @throws AnomalyClrError where there are fewer than k rows, or they are not finite
 */
export async function fitNeighbours(
  engine: Engine,
  x: Float32Array,
  d: number,
  { k = 10, reference = 20_000, preparation: kind = 'whiten', seed }: NeighbourOptions,
): Promise<RowDetector> {
  const n = rowsIn(x, d, k);
  const preparation = fitPreparation(kind, x, d);
  const index = n <= reference ? undefined : shuffle(n, seed, referenceEpoch).subarray(0, reference).sort();
  const prepared = await engine.prepare(preparation, index ? rowsAt(x, d, index) : x);
  const sample = new Sample(engine, Float32Array.from(prepared), preparation.outputs, k);
  return {
    name: 'neighbours',
    inputs: d,
    score: rows =>
      inBlocks(rows, d, queryRows, async (block, out) =>
        sample.distances(Float32Array.from(await engine.prepare(preparation, block)), out),
      ),
  };
}

/** The rows that neighbours are looked for among. */
class Sample {
  private readonly count: number;
  /** [d + 1]: of the sample, and 0 */
  private readonly mean: Float64Array;
  /** [count, d + 1]: r - mean, and -|r - mean|^2 / 2 */
  private readonly matrix: Float64Array;

  constructor(
    private readonly engine: Engine,
    private readonly rows: Float32Array,
    private readonly d: number,
    private readonly k: number,
  ) {
    this.count = rows.length / d;
    this.mean = new Float64Array(d + 1);
    rows.forEach((value, i) => (this.mean[i % d] += value / this.count));
    this.matrix = new Float64Array(this.count * (d + 1));
    for (let r = 0; r < this.count; r++) {
      let square = 0;
      for (let c = 0; c < d; c++) {
        const centred = rows[r * d + c] - this.mean[c];
        this.matrix[r * (d + 1) + c] = centred;
        square += centred * centred;
      }
      this.matrix[r * (d + 1) + d] = -square / 2;
    }
  }

  /** The mean distances of queries [n, d] to their k nearest, into `out` [n]. */
  async distances(queries: Float32Array, out: Float32Array): Promise<void> {
    const { engine, d, k, mean } = this;
    const n = out.length;
    const extended = new Float32Array(n * (d + 1)).fill(1);
    for (let q = 0; q < n; q++) extended.set(queries.subarray(q * d, (q + 1) * d), q * (d + 1));
    const nearest: Nearest = { k, closeness: new Float64Array(n * k).fill(-Infinity), row: new Int32Array(n * k) };
    for (let from = 0; from < this.count; from += referenceRows) {
      const outputs = Math.min(referenceRows, this.count - from);
      const matrix = this.matrix.subarray(from * (d + 1), (from + outputs) * (d + 1));
      const closeness = await engine.prepare({ inputs: d + 1, outputs, mean, matrix }, extended);
      keepNearest(closeness as Float32Array, outputs, from, nearest);
    }
    for (let q = 0; q < n; q++) {
      let sum = 0;
      for (let i = 0; i < k; i++) sum += this.distance(queries, q, nearest.row[q * k + i]);
      out[q] = sum / k;
    }
  }

  private distance(queries: Float32Array, q: number, r: number): number {
    const { rows, d } = this;
    let square = 0;
    for (let c = 0; c < d; c++) square += (queries[q * d + c] - rows[r * d + c]) ** 2;
    return Math.sqrt(square);
  }
}

/** For every query its k largest closenesses so far, falling, and the rows that they are of. [n, k] each */
interface Nearest {
  readonly k: number;
  readonly closeness: Float64Array;
  readonly row: Int32Array;
}

/** @param found [n, count], of the rows `first` and on */
function keepNearest(found: Float32Array, count: number, first: number, { k, closeness, row }: Nearest): void {
  const n = found.length / count;
  for (let q = 0; q < n; q++) {
    const last = q * k + k - 1;
    let least = closeness[last];
    for (let j = 0; j < count; j++) {
      const value = found[q * count + j];
      if (!(value > least)) continue;
      let at = last;
      for (; at > q * k && closeness[at - 1] < value; at--) {
        closeness[at] = closeness[at - 1];
        row[at] = row[at - 1];
      }
      closeness[at] = value;
      row[at] = first + j;
      least = closeness[last];
    }
  }
}
