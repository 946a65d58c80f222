import { shuffle } from '../events/philox.js';

/** A long list that is read a stretch at a time. B is what some stretches of it are in memory. */
export interface Stretches<B> {
  /** Items in each stretch. */
  readonly counts: Int32Array;
  /** The items of some stretches, one stretch after another. */
  load(stretches: Int32Array): Promise<B>;
}

/** Items of a block, by their place in it. */
export interface Part<B> {
  readonly block: B;
  readonly index: Int32Array;
}

/** The part of an epoch's draws that the order of stretches is keyed by. */
const stretchOrder = 0xffffffff;

/**
 * A random order of a long list that reads it in stretches and never at random. Every epoch deals the stretches out
 * anew, at random, to blocks of as many as memory bears; a block is read, its items are shuffled as a whole, and batches
 * are taken of them, while the next block is read. With one block, that is where all fits, it is a plain shuffle.
 *
 * A list in order (of processes, say) shows in a batch only as far as `perBlock` random stretches are a small sample of
 * all S: the share p of what fills whole stretches varies from block to block with variance p (1 - p) (1/perBlock - 1/S).
 */
export class BlockShuffle<B> {
  /** All items: those of one epoch. */
  readonly items: number;
  readonly blocks: number;
  private only: Promise<B> | undefined;

  /** @param perBlock stretches, at least 1 */
  constructor(
    private readonly source: Stretches<B>,
    private readonly seed: number,
    perBlock: number,
  ) {
    this.items = source.counts.reduce((a, b) => a + b, 0);
    this.blocks = Math.max(1, Math.ceil(source.counts.length / Math.max(1, Math.floor(perBlock))));
  }

  /**
   * The batches of an epoch from item `from` on, each of one part or, across the border of blocks, more; the last may be
   * short. What is taken up in the middle goes on as if from the beginning.
   */
  async *batches(epoch: number, batch: number, from = 0): AsyncGenerator<Part<B>[], void, void> {
    const plan = this.plan(epoch);
    let b = 0;
    let skip = from;
    for (; b < plan.length && skip >= this.count(plan[b]); b++) skip -= this.count(plan[b]);
    let ahead = this.load(plan, b);
    let parts: Part<B>[] = [];
    let missing = batch;
    for (; b < plan.length; b++, skip = 0) {
      const block = (await ahead) as B;
      ahead = this.load(plan, b + 1);
      const order = shuffle(this.count(plan[b]), this.seed, epoch, b);
      for (let at = skip; at < order.length;) {
        const index = order.slice(at, at + missing);
        parts.push({ block, index });
        at += index.length;
        missing -= index.length;
        if (missing > 0) continue;
        yield parts;
        parts = [];
        missing = batch;
      }
    }
    if (parts.length > 0) yield parts;
  }

  /** The stretches of each block, rising. */
  private plan(epoch: number): Int32Array[] {
    const { length } = this.source.counts;
    const order = shuffle(length, this.seed, epoch, stretchOrder);
    const border = (b: number): number => Math.floor((b * length) / this.blocks);
    return Array.from({ length: this.blocks }, (_, b) => order.slice(border(b), border(b + 1)).sort());
  }

  private count(stretches: Int32Array): number {
    return stretches.reduce((sum, stretch) => sum + this.source.counts[stretch], 0);
  }

  private load(plan: readonly Int32Array[], b: number): Promise<B> | undefined {
    if (b >= plan.length) return undefined;
    if (this.only) return this.only;
    const loading = this.source.load(plan[b]);
    loading.catch(() => undefined); // told where it is awaited, which a training that stops never does
    if (this.blocks === 1) this.only = loading;
    return loading;
  }
}
