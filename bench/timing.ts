import { Bench } from 'tinybench';
import { AnomalyClrError } from '../src/errors.js';
import type { Rates } from './report-types.js';

/** A call that takes longer is called twice only, or once; ms. */
const [slow, verySlow] = [3000, 30_000];
const mostTimes = 200;

/**
 * Times calls of `run` for so many seconds, five at least, after a warm-up; per second of the median, slowest and fastest.
 * Calls of more than 3 s are timed twice, of more than 30 s once.
 *
 * @param batch what one call counts for
 */
export async function time(run: () => Promise<unknown>, batch: number, seconds: number): Promise<Rates> {
  const times: number[] = []; // in their order, which tinybench does not keep
  const once = async (): Promise<number> => {
    const start = performance.now();
    await run();
    return times[times.push(performance.now() - start) - 1];
  };
  let took = await once();
  if (took < slow) took = await once(); // the first call also compiles and allocates
  const few = took > slow;
  const bench = new Bench({
    throws: true,
    ...(few
      ? { iterations: took > verySlow ? 1 : 2, time: 0, warmup: false }
      : { iterations: 5, time: seconds * 1000, warmupIterations: 1, warmupTime: Math.min(300, seconds * 200) }),
  });
  const task = bench.add('case', once, { async: true }).tasks[0];
  await bench.run();
  if (task.result.state !== 'completed') throw new AnomalyClrError(`the timing ended as ${task.result.state}`);
  const { p50, p99, min, max, samplesCount } = task.result.latency; // ms
  return {
    median: (batch * 1000) / p50,
    min: (batch * 1000) / max,
    max: (batch * 1000) / min,
    runs: samplesCount,
    latency_us: { p50: p50 * 1000, p99: p99 * 1000 },
    call_us: thinned(times.slice(-samplesCount)).map(ms => Number((ms * 1000).toPrecision(6))),
  };
}

/** The same of calls that were timed elsewhere, ms each. */
export function ratesOfCalls(times: readonly number[], batch: number): Rates {
  const order = times.toSorted((a, b) => a - b);
  const at = (share: number): number => order[Math.min(order.length - 1, Math.floor(share * order.length))];
  const p50 = median(times);
  return {
    median: (batch * 1000) / p50,
    min: (batch * 1000) / order[order.length - 1],
    max: (batch * 1000) / order[0],
    runs: times.length,
    latency_us: { p50: p50 * 1000, p99: at(0.99) * 1000 },
    call_us: thinned(times).map(ms => Number((ms * 1000).toPrecision(6))),
  };
}

/** At most 200 times in their order: of more, the medians of as many groups of neighbours. */
export function thinned(times: readonly number[]): number[] {
  if (times.length <= mostTimes) return [...times];
  return Array.from({ length: mostTimes }, (_, i) => {
    const [from, to] = [i, i + 1].map(at => Math.floor((at * times.length) / mostTimes));
    return median(times.slice(from, to));
  });
}

export function median(values: readonly number[]): number {
  const order = values.toSorted((a, b) => a - b);
  const middle = order.length >> 1;
  return order.length % 2 === 1 ? order[middle] : (order[middle - 1] + order[middle]) / 2;
}
