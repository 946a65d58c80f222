/**
 * Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3" (SC11): ten rounds of multiplications mix a 128-bit counter under a 64-bit key. Twin of the native one: a draw
 * depends on its key and counter alone, never on threads or order.
 */
const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;

type Four = readonly [number, number, number, number];

/** High 32 bits of the 64-bit product of two uint32; every partial sum stays below 2^32. */
function high(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  return aHigh * bHigh + (middle >>> 16) + ((aLow * bHigh + (middle & 0xffff)) >>> 16);
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
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = high(multiplier0, c0);
    const high1 = high(multiplier1, c2);
    const low0 = Math.imul(multiplier0, c0);
    const low1 = Math.imul(multiplier1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + weyl0) >>> 0;
    k1 = (k1 + weyl1) >>> 0;
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0];
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
  private words: Four = [0, 0, 0, 0];
  private readonly key: readonly [number, number];

  /** @param seed whole number, 0 .. 2^53 - 1; `epoch`, `event`, `stream` are uint32 */
  constructor(
    seed: number,
    private readonly epoch: number,
    private readonly event: number,
    private readonly stream: number,
  ) {
    this.key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
  }

  /** The next word, a uint32. */
  next(): number {
    if (this.at === 4) {
      this.words = philox4x32([this.block, this.stream, this.event, this.epoch], this.key);
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
 * The order of the events in one epoch: a permutation of 0 .. n - 1 by Fisher and Yates.
 *
 * @param n number of events, below 2^31
 * @param seed as for {@link Draws}
 * @returns [n]
 */
export function shuffle(n: number, seed: number, epoch: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const draws = new Draws(seed, epoch, 0, shuffleStream);
  for (let i = n - 1; i > 0; i--) {
    // The product is exact below 2^53, that is for n < 2^21; past it, it is rounded but the quotient stays below i + 1.
    const j = Math.floor((draws.next() * (i + 1)) / 4294967296);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
