import type { Engine, Floats } from '../src/engine/index.js';
import { AnomalyClrError } from '../src/errors.js';
import type { Subject } from './subjects.js';

/** Batches at which a case is measured on a subject. */
export interface Batches {
  /** In a run without options. */
  readonly usual: readonly number[];
  /** With --full, which also has the usual ones. */
  readonly full: readonly number[];
  /** Minutes each: only where asked for by name and batch. They are not checked, being larger ones of the others. */
  readonly long?: readonly number[];
}

/** One thing that is measured, on every subject that can do it. */
export interface Case {
  /** Cases of one name differ in `model`. */
  readonly name: string;
  /** What it runs on, in words. */
  readonly model: string;
  /** What the batch counts: events unless said otherwise. */
  readonly counts?: 'operations';
  /** What bench/peers/torch_cuda.py is asked for the same. */
  readonly torch?: readonly string[];
  /** Undefined where a subject cannot do it. */
  batches(subject: Subject): Batches | undefined;
  /** Prepares it, outside of what is timed. */
  open(place: Place): Promise<Opened>;
}

/** Where and at what size a case is opened. */
export interface Place {
  readonly subject: Subject;
  readonly batch: number;
  readonly threads: number;
  /** The engine of the subject, which a peer has none of. */
  readonly engine: () => Engine;
  /** The native engine on the processor, whose float64 results are the reference; undefined where it is not built. */
  readonly reference: () => Promise<Engine | undefined>;
}

export interface Opened {
  /** The call that is timed. */
  run(): Promise<unknown>;
  /** Operations of the dense layers in one call, two for a multiply-add: what is held against the machine's peak. */
  readonly flop?: number;
  /** Compares what the call gives with a reference. @throws AnomalyClrError where it is further off than it may be */
  check(reference: Engine): Promise<void>;
}

/**
 * Largest difference relative to the largest value of the reference, or to `scale` where that is larger.
 * @throws AnomalyClrError where it is above `tolerance`, or a value is not finite
 */
export function agree(
  what: string,
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  tolerance: number,
  scale = Number.MIN_VALUE,
): void {
  let difference = got.length === want.length ? 0 : Infinity;
  for (let i = 0; i < want.length; i++) {
    const d = Math.abs(got[i] - want[i]);
    difference = Number.isNaN(d) ? Infinity : Math.max(difference, d);
    scale = Math.max(scale, Math.abs(want[i]));
  }
  if (!(difference / scale <= tolerance))
    throw new AnomalyClrError(
      `${what}: off by ${(difference / scale).toExponential(1)} of its scale, allowed ${tolerance}`,
    );
}

/** What a result in that precision may differ from its float64 reference by. */
export const toleranceOf = ({ precision }: Subject): number => (precision === 'bf16' ? 2e-2 : 1e-5);

export const doubles = (x: Floats): Float64Array => Float64Array.from(x);

/** Arrays of a calculation, each with its name. */
export type Results = Readonly<Record<string, Floats>>;

/** One operation on one subject: the timed call, and what it comes to. */
export interface Operation {
  readonly run: () => Promise<unknown>;
  readonly results: () => Promise<Results>;
}

/** An operation as a case, each result of it compared with that of the same in float64. */
export function openOperation(
  { run, results }: Operation,
  subject: Subject,
  inDouble: () => Results | Promise<Results>,
  flop?: number,
): Opened {
  return {
    run,
    ...(flop === undefined ? {} : { flop }),
    async check() {
      const [got, want] = [await results(), await inDouble()];
      for (const [name, values] of Object.entries(want)) agree(name, got[name], values, toleranceOf(subject));
    },
  };
}
