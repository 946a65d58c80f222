import { shuffle } from '../events/philox.js';

/** The epoch that keys which events are held back, apart from every epoch of training. */
const splitEpoch = 0xfffffffe;

/** Positions of events, apart. */
export interface EventSplit {
  readonly training: Int32Array;
  /** Held back: the encoder never steps on them, they only tell which epoch was best. */
  readonly validation: Int32Array;
}

/**
 * Which of the `count` events that a run read it trains on and which it holds back, keyed by its seed.
 *
 * @param validation - share that is held back, 0 to below 1
 */
export function splitEvents(count: number, { seed, validation }: { seed: number; validation: number }): EventSplit {
  const order = shuffle(count, seed, splitEpoch);
  const held = Math.floor(count * validation);
  return { validation: order.slice(0, held), training: order.slice(held) };
}
