import { Draws } from '../events/philox.js';
import { log, sinCos } from './math.js';

const { fround: f, floor, sqrt } = Math;
const turn = f(2 * Math.PI);
const angle = new Float32Array(2); // sine, cosine
const both = new Float32Array(2);

/** What a stream is for. An augmentation stream also carries the view and the step in the recipe. */
export const Purpose = { augment: 1, dropout: 2 } as const;

/** The stream of the draws of one purpose, view and step. */
export function streamId(purpose: (typeof Purpose)[keyof typeof Purpose], view: number, step: number): number {
  return (purpose << 28) | ((view & 0xf) << 24) | (step & 0xffffff);
}

/** The numbers that augmentations ask for, as `Numbers<float>` of native/core/rng.h makes them: float32, to the bit. */
export class Numbers {
  private readonly draws: Draws;

  /** @param seed whole number, 0 .. 2^53 - 1; `epoch` is uint32 */
  constructor(seed: number, epoch: number) {
    this.draws = new Draws(seed, epoch, 0, 0);
  }

  /** Goes to the first number of a stream of an event. */
  restart(event: number, stream: number): void {
    this.draws.restart(event, stream);
  }

  /** On (0, 1), never an end point: the middle of one of 2^23 equal cells. */
  unit(): number {
    return this.draws.uniform();
  }

  uniform(low: number, high: number): number {
    return f(low + f(f(high - low) * this.unit()));
  }

  /** Uniform on 0 .. n inclusive: the high word of a 64-bit product, whose halves are exact below 2^53. */
  integer(n: number): number {
    const word = this.draws.next();
    return floor(((word >>> 16) * (n + 1) + floor(((word & 0xffff) * (n + 1)) / 65536)) / 65536);
  }

  /** Mean 1. */
  exponential(): number {
    return -log(this.unit());
  }

  /** Two independent standard normals (Box and Muller, 1958). */
  normals(to: Float32Array): void {
    const radius = f(sqrt(f(-2 * log(this.unit()))));
    sinCos(f(turn * this.unit()), angle);
    to[0] = angle[1] * radius;
    to[1] = angle[0] * radius;
  }

  /** The first of two. */
  normal(): number {
    this.normals(both);
    return both[0];
  }
}
