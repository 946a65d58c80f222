import { Bench } from 'tinybench';
import type { Engine, Floats } from '../src/engine/index.js';
import { AnomalyClrError } from '../src/errors.js';

/** One thing that is measured. */
export interface Case {
  /** Cases of one name differ in `batch` or `model`. */
  readonly name: string;
  /** Events of one call. */
  readonly batch: number;
  /** What it runs on, in words. */
  readonly model: string;
  /** f32 unless said otherwise. */
  readonly precision?: 'bf16';
  /** Runs for minutes: only where it is asked for by its whole name. */
  readonly long?: true;
  /** Prepares it, outside of what is timed. */
  open(engine: Engine): Promise<Opened>;
}

export interface Opened {
  /** The call that is timed. */
  run(): Promise<unknown>;
  /** Operations of the dense layers in one call, two for a multiply-add: what is held against the machine's peak. */
  readonly flop?: number;
  /** Compares what the call gives with a reference. @throws AnomalyClrError where it is further off than it may be */
  check(): Promise<void>;
}

/** Rates of the calls of one case. */
export interface Rates {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Calls that were timed. */
  readonly runs: number;
  /** How long a call takes, where it is of one event: median and 99th percentile, microseconds. */
  readonly latency_us?: { readonly p50: number; readonly p99: number };
}

/**
 * Times calls of `run` for 1.5 s, five at least, after a warm-up; events/s of the median, slowest and fastest. A long case
 * is called once.
 */
export async function time(run: () => Promise<unknown>, batch: number, long = false): Promise<Rates> {
  const bench = new Bench(
    long
      ? { iterations: 1, time: 0, warmup: false, throws: true }
      : { iterations: 5, time: 1500, warmupIterations: 2, warmupTime: 300, throws: true },
  );
  const task = bench.add('case', run, { async: true }).tasks[0];
  await bench.run();
  if (task.result.state !== 'completed') throw new AnomalyClrError(`the timing ended as ${task.result.state}`);
  const { p50, p99, min, max, samplesCount } = task.result.latency; // ms
  return {
    median: (batch * 1000) / p50,
    min: (batch * 1000) / max,
    max: (batch * 1000) / min,
    runs: samplesCount,
    ...(batch === 1 ? { latency_us: { p50: p50 * 1000, p99: p99 * 1000 } } : {}),
  };
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

export const doubles = (x: Floats): Float64Array => Float64Array.from(x);
