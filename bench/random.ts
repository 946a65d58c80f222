import { Draws } from '../src/events/philox.js';

/** Numbers between -0.5 and 0.5; those of a stream are always the same. */
export function random(count: number, stream: number): Float32Array {
  const draws = new Draws(1, 0, 0, stream);
  return Float32Array.from({ length: count }, () => draws.uniform() - 0.5);
}
