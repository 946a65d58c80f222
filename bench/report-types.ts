import * as z from 'zod';

/** Throughput of the calls of one case, per second. */
const rates = z.object({
  median: z.number(),
  /** Of the slowest and the fastest call. */
  min: z.number(),
  max: z.number(),
  /** Calls that were timed. */
  runs: z.int(),
  /** How long a call takes, microseconds: median and 99th percentile. */
  latency_us: z.object({ p50: z.number(), p99: z.number() }),
  /** Call times in their order, microseconds; of more than 200 calls, medians of 200 groups. What --compare resamples. */
  call_us: z.array(z.number()).optional(),
});

const benchCase = z
  .object({
    /** `train-step`, `augment`, `loss-<name>`, `attention`, `dense`, `adam`, `score`, `score-one`, `score-files`. */
    name: z.string(),
    /** What it runs on, in words. Cases of one name and another model are other cases. */
    model: z.string(),
    /** cuda: the native engine on a GPU; torch: PyTorch on the same. */
    engine: z.enum(['native', 'tfjs', 'onnxruntime', 'cuda', 'torch']),
    /** native: its target (avx512 ..); tfjs: node, wasm, cpu, node-gpu; onnxruntime: cpu; cuda: cuda; torch: eager, compile. */
    backend: z.string(),
    /** Of the tfjs engine alone: who makes views, attention and losses. */
    kernels: z.enum(['native', 'pure']).optional(),
    precision: z.enum(['f32', 'bf16']),
    /** Events of one call. */
    batch: z.int(),
    threads: z.int(),
    /** One of the two: what a call works on is events, or (adam) it is one operation. */
    events_per_s: rates.optional(),
    ops_per_s: rates.optional(),
    /** Largest resident memory of the process that timed it, MiB. */
    peak_rss_mb: z.number(),
    /** Memory of the GPU that it holds in the end, MiB; undefined where it holds none, or computes on none. */
    device_mb: z.number().optional(),
    /** Of the machine's peak in that precision on as many threads; dense products alone count as operations. */
    share_of_peak: z.number().optional(),
    /** Whether its output was compared with the reference before it was timed. */
    checked: z.boolean(),
  })
  .refine(
    one => (one.events_per_s === undefined) !== (one.ops_per_s === undefined),
    'expected one of events_per_s and ops_per_s',
  );

const machine = z.object({
  cpu: z.string(),
  cores: z.int(),
  /** Bytes. */
  memory: z.number(),
  node: z.string(),
  platform: z.string(),
  /** Instructions that the native engine found; undefined where it is not built. */
  features: z.string().optional(),
  /** Versions; undefined where it is not installed. */
  tfjs: z.string(),
  tensorflow: z.string().optional(),
  onnxruntime: z.string().optional(),
  /** The GPU with its driver, and PyTorch on it. */
  gpu: z.string().optional(),
  torch: z.string().optional(),
  /** When the run began, ISO 8601. */
  date: z.string(),
  /** Of this package. */
  version: z.string(),
});

/** What `anomalyclr bench --json` writes. */
export const benchReportSchema = z.object({
  machine,
  cases: z.array(benchCase),
  /** What was left out and why, one line each. */
  notes: z.array(z.string()),
});

export type Rates = z.output<typeof rates>;
export type BenchCase = z.output<typeof benchCase>;
export type BenchMachine = z.output<typeof machine>;
export type BenchReport = z.output<typeof benchReportSchema>;

/** The throughput of a case, whatever it counts. */
export function ratesOf({ events_per_s: events, ops_per_s: ops }: BenchCase): Rates {
  return (events ?? ops)!;
}

/** Where a case computed, in words: `native f32`, `cuda bf16`, `tfjs/wasm pure`, `onnxruntime`, `torch/eager bf16`. */
export function subjectWords({ engine, backend, kernels, precision }: Where): string {
  if (engine === 'native' || engine === 'cuda') return `${engine} ${precision}`;
  if (engine === 'torch') return `torch/${backend} ${precision}`;
  return engine === 'tfjs' ? `tfjs/${backend} ${kernels}` : engine;
}

type Where = Pick<BenchCase, 'engine' | 'backend' | 'kernels' | 'precision'>;

/** What makes two results of one case comparable: all but the figures. */
export function caseKey(c: BenchCase): string {
  const { name, model, engine, backend, kernels = '', precision, batch, threads } = c;
  return JSON.stringify([name, model, engine, backend, kernels, precision, batch, threads]);
}
