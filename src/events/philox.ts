/**
 * Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3" (SC11): ten rounds of multiplications mix a 128-bit counter under a 64-bit key. Twin of the native one: a draw
 * depends on its key and counter alone, never on threads or order.
 */
const { imul } = Math; // once: in a vm context, as tests run in, looking up a global costs more than the product
const [high0, low0] = [0xd251, 0x1f53]; // halves of the two multipliers
const [high1, low1] = [0xcd9e, 0x8d57];
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;

type Four = readonly [number, number, number, number];

/**
 * Writes one block of Philox4x32-10 over four uint32 of `words` from `at` on: {@link philox4x32} without making arrays,
 * for whoever draws many. `c0` .. `c3` are the counter, `k0` and `k1` the key; any number is taken modulo 2^32.
 */
export function philoxInto(
  words: Uint32Array,
  at: number,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
): void {
  // Each 64-bit product is made of four of 16-bit halves, all in int32 arithmetic: sums that pass 2^31 wrap and are
  // read as unsigned by >>>, none passes 2^32.
  for (let round = 0; round < 10; round++) {
    const a = imul(low0, c0 & 0xffff);
    const b = imul(high0, c0 & 0xffff);
    const c = imul(low0, c0 >>> 16);
    const middle0 = (b + (a >>> 16)) | 0;
    const product0 = (imul(high0, c0 >>> 16) + (middle0 >>> 16) + ((c + (middle0 & 0xffff)) >>> 16)) | 0;
    const d = imul(low1, c2 & 0xffff);
    const e = imul(high1, c2 & 0xffff);
    const g = imul(low1, c2 >>> 16);
    const middle1 = (e + (d >>> 16)) | 0;
    const product1 = (imul(high1, c2 >>> 16) + (middle1 >>> 16) + ((g + (middle1 & 0xffff)) >>> 16)) | 0;
    c0 = product1 ^ c1 ^ k0;
    c1 = (d + ((e + g) << 16)) | 0;
    c2 = product0 ^ c3 ^ k1;
    c3 = (a + ((b + c) << 16)) | 0;
    k0 = (k0 + weyl0) | 0;
    k1 = (k1 + weyl1) | 0;
  }
  words[at] = c0;
  words[at + 1] = c1;
  words[at + 2] = c2;
  words[at + 3] = c3;
}

/**
 * One block of Philox4x32-10.
 *
 * @param counter four words; any number is taken modulo 2^32
 * @param key two words, likewise
 * @returns four uint32
 * @example
 * philox4x32([0, 0, 0, 0], [0, 0]); // [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]
 */
export function philox4x32(counter: Four, key: readonly [number, number]): [number, number, number, number] {
  const words = new Uint32Array(4);
  philoxInto(words, 0, ...counter, ...key);
  return [words[0], words[1], words[2], words[3]];
}

/**
 * The draws of one purpose (`stream`) for one event in one epoch, in order: words of the blocks with counter
 * [block, stream, event, epoch] and key [seed low, seed high], block counting from 0.
 *
 * @example
 * const draws = new Draws(1, epoch, event, stream);
 * const phi = 2 * Math.PI * draws.uniform() - Math.PI;
 */
export class Draws {
  private block = 0;
  private at = 4;
  private readonly words = new Uint32Array(4);
  private readonly key0: number;
  private readonly key1: number;

  /** @param seed whole number, 0 .. 2^53 - 1; `epoch`, `event`, `stream` are uint32 */
  constructor(
    seed: number,
    private readonly epoch: number,
    private event: number,
    private stream: number,
  ) {
    this.key0 = seed >>> 0;
    this.key1 = Math.floor(seed / 2 ** 32) >>> 0;
  }

  /** Goes on with the first word of another event or stream of the same seed and epoch. */
  restart(event: number, stream: number): void {
    this.event = event;
    this.stream = stream;
    this.block = 0;
    this.at = 4;
  }

  /** The next word, a uint32. */
  next(): number {
    if (this.at === 4) {
      philoxInto(this.words, 0, this.block, this.stream, this.event, this.epoch, this.key0, this.key1);
      this.block += 1;
      this.at = 0;
    }
    return this.words[this.at++];
  }

  /** Uniform strictly between 0 and 1: the middle of one of 2^23 equal cells, exact in float32 too. */
  uniform(): number {
    return ((this.next() >>> 9) + 0.5) * 2 ** -23;
  }
}

/** "shuf" in ASCII, so that no augmentation shares it. */
const shuffleStream = 0x73687566;

/**
 * The order of the events in one epoch, or in one part of it: a permutation of 0 .. n - 1 by Fisher and Yates.
 *
 * @param n number of events, below 2^31
 * @param seed as for {@link Draws}
 * @param part uint32; the orders of different parts have nothing to do with each other
 * @returns [n]
 */
export function shuffle(n: number, seed: number, epoch: number, part = 0): Int32Array {
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  const draws = new Draws(seed, epoch, part, shuffleStream);
  for (let i = n - 1; i > 0; i--) {
    // The product is exact below 2^53, that is for n < 2^21; past it, it is rounded but the quotient stays below i + 1.
    const j = Math.floor((draws.next() * (i + 1)) / 4294967296);
    const here = order[i];
    order[i] = order[j];
    order[j] = here;
  }
  return order;
}
