import type { BenchCase, BenchReport } from '../../bench/report-types.js';

/** A case whose calls took so many microseconds each. */
export function caseOf(calls: readonly number[], given: Partial<BenchCase> = {}): BenchCase {
  const batch = given.batch ?? 512;
  const order = calls.toSorted((a, b) => a - b);
  const per = (us: number): number => (batch * 1e6) / us;
  const middle = order[order.length >> 1];
  return {
    name: 'score',
    model: 'width 160',
    engine: 'native',
    backend: 'avx512',
    precision: 'f32',
    batch,
    threads: 2,
    events_per_s: {
      median: per(middle),
      min: per(order.at(-1)!),
      max: per(order[0]),
      runs: calls.length,
      latency_us: { p50: middle, p99: order.at(-1)! },
      call_us: [...calls],
    },
    peak_rss_mb: 150,
    checked: true,
    ...given,
  };
}

export const tfjs = (backend: string, kernels: 'native' | 'pure'): Partial<BenchCase> => ({
  engine: 'tfjs',
  backend,
  kernels,
});

export const reportOf = (...cases: BenchCase[]): BenchReport => ({
  machine: {
    cpu: 'a processor',
    cores: 2,
    memory: 2 ** 34,
    node: '20.19.0',
    platform: 'linux x64',
    tfjs: '4.22.0',
    date: '2026-01-01T00:00:00.000Z',
    version: '0.1.0',
  },
  cases,
  notes: [],
});
