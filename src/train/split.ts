import { shuffle } from '../events/philox.js';

/** The epoch that keys which events are held back, apart from every epoch of training. */
const splitEpoch = 0xfffffffe;
/** Events that share is taken of at a time: no list of all events is needed to know of one. */
const group = 8192;

/** Which events a run trains on and which it holds back. */
export interface SplitRule {
  readonly seed: number;
  /** Share that is held back, 0 to below 1. */
  readonly validation: number;
}

/** Places of events, apart, each rising. */
export interface EventSplit {
  readonly training: Int32Array;
  /** Held back: the encoder never steps on them, they only tell which epoch was best. */
  readonly validation: Int32Array;
}

/** Parts events by their place among all `count` that a run read: the same share of every 8192, drawn by the seed. */
export class Split {
  private known = -1;
  private held = new Uint8Array(group);

  constructor(
    private readonly count: number,
    private readonly rule: SplitRule,
  ) {}

  /** How many events are held back of all. */
  get validation(): number {
    const share = (events: number): number => Math.floor(events * this.rule.validation);
    return Math.floor(this.count / group) * share(group) + share(this.count % group);
  }

  get training(): number {
    return this.count - this.validation;
  }

  /** The events at places `from` to `to - 1`, as positions from `from`. */
  within(from: number, to: number): EventSplit {
    const training = new Int32Array(to - from);
    const validation = new Int32Array(to - from);
    let [trained, held] = [0, 0];
    for (let place = from; place < to; place++) {
      this.know(Math.floor(place / group));
      if (this.held[place % group]) validation[held++] = place - from;
      else training[trained++] = place - from;
    }
    return { training: training.subarray(0, trained), validation: validation.subarray(0, held) };
  }

  private know(which: number): void {
    if (which === this.known) return;
    const { seed, validation } = this.rule;
    const size = Math.min(group, this.count - which * group);
    this.held.fill(0);
    for (const position of shuffle(size, seed, splitEpoch, which).subarray(0, Math.floor(size * validation)))
      this.held[position] = 1;
    this.known = which;
  }
}
