import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Batcher } from './batcher.js';
import type { Live, ServerFigures } from './live.js';
import type { ModelSlot } from './model-slot.js';

const latencyBuckets = [0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const batchBuckets = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16_384, 65_536];
/** Latencies that the figures of the page are made of. */
const keptLatencies = 2048;
/** ms for which a snapshot of the monitor stands: the metrics ask for it several times in a row. */
const snapshotLife = 200;
/** Seconds that its rate is over. */
const rateSeconds = 10;

/** What the server counts: for Prometheus and for the page. */
export class Metrics {
  readonly registry = new Registry();
  private readonly requests: Counter<'route' | 'status'>;
  private readonly latency: Histogram<'route'>;
  private readonly refused: Counter<'reason'>;
  private readonly events: Counter;
  private readonly batches: Histogram;
  private readonly runs: Histogram;
  private readonly loads: Counter<'result'>;
  private readonly latencies = new Float64Array(keptLatencies);
  private readonly perSecond = new Uint32Array(rateSeconds + 1);
  private second = 0;
  private answered = 0;
  private inferences = 0;
  private refusals = 0;
  private errors = 0;
  private snapshot: Live | undefined;
  private snapshotAt = -Infinity;
  private readonly started = performance.now();

  constructor(
    private readonly batcher: Batcher,
    private readonly slot: ModelSlot,
  ) {
    const registers = [this.registry];
    const made = { registers };
    collectDefaultMetrics({ register: this.registry });
    this.requests = new Counter({
      name: 'anomalyclr_requests_total',
      help: 'Requests answered, by route and HTTP status.',
      labelNames: ['route', 'status'],
      ...made,
    });
    this.latency = new Histogram({
      name: 'anomalyclr_request_seconds',
      help: 'Seconds from the arrival of a request to the end of its answer.',
      labelNames: ['route'],
      buckets: latencyBuckets,
      ...made,
    });
    this.refused = new Counter({
      name: 'anomalyclr_refused_total',
      help: 'Requests answered with an error, by reason.',
      labelNames: ['reason'],
      ...made,
    });
    this.events = new Counter({ name: 'anomalyclr_events_total', help: 'Events scored.', ...made });
    this.batches = new Histogram({
      name: 'anomalyclr_batch_events',
      help: 'Events of a batch.',
      buckets: batchBuckets,
      ...made,
    });
    this.runs = new Histogram({
      name: 'anomalyclr_batch_seconds',
      help: 'Seconds that a batch takes, its wait for a session included.',
      buckets: latencyBuckets,
      ...made,
    });
    this.loads = new Counter({
      name: 'anomalyclr_model_loads_total',
      help: 'Loads of the bundle, by result.',
      labelNames: ['result'],
      ...made,
    });
    this.addState(registers);
    this.addMonitored(registers);
  }

  /** A request was answered. `latencyMs` counts for the page where it was one for scores. */
  request(route: string, status: number, latencyMs: number, inference: boolean): void {
    this.requests.inc({ route, status: String(status) });
    this.latency.observe({ route }, latencyMs / 1000);
    this.answered += 1;
    if (status >= 500 && status !== 503) this.errors += 1;
    this.perSecond[this.tick() % this.perSecond.length] += 1;
    if (inference && status < 400) this.latencies[this.inferences++ % keptLatencies] = latencyMs;
  }

  refuse(reason: string): void {
    this.refused.inc({ reason });
    if (reason === 'full' || reason === 'memory' || reason === 'stopping') this.refusals += 1;
  }

  batch(events: number, seconds: number): void {
    this.events.inc(events);
    this.batches.observe(events);
    this.runs.observe(seconds);
  }

  load(result: 'loaded' | 'failed'): void {
    this.loads.inc({ result });
  }

  /** What `GET /live` adds to the figures of the monitor. */
  figures(version: string): ServerFigures {
    const now = this.tick();
    const passed = Math.min(rateSeconds, now);
    let recent = 0;
    for (let s = now - passed; s < now; s++) recent += this.perSecond[s % this.perSecond.length];
    const bundle = this.slot.current?.bundle;
    return {
      requests: this.answered,
      refused: this.refusals,
      errors: this.errors,
      requestsPerSecond: passed > 0 ? recent / passed : 0,
      latencyMs: this.latencyMs(),
      queueEvents: this.batcher.queuedEvents,
      version,
      uptimeSeconds: (performance.now() - this.started) / 1000,
      provider: bundle?.provider ?? '',
      sessions: bundle?.sessions ?? 0,
    };
  }

  private recent(): Live | undefined {
    if (performance.now() - this.snapshotAt > snapshotLife) {
      this.snapshot = this.slot.current?.monitor.snapshot();
      this.snapshotAt = performance.now();
    }
    return this.snapshot;
  }

  private latencyMs(): ServerFigures['latencyMs'] {
    const count = Math.min(this.inferences, keptLatencies);
    if (count === 0) return null;
    const sorted = this.latencies.slice(0, count).sort();
    const at = (p: number): number => sorted[Math.min(count - 1, Math.floor(p * count))];
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
  }

  /** The whole seconds since the start; those gone by are emptied for their next use. */
  private tick(): number {
    const now = Math.floor((performance.now() - this.started) / 1000);
    const stale = Math.min(now - this.second, this.perSecond.length);
    for (let i = 1; i <= stale; i++) this.perSecond[(now - stale + i) % this.perSecond.length] = 0;
    this.second = now;
    return now;
  }

  private addState(registers: Registry[]): void {
    const gauge = (name: string, help: string, value: () => number): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    };
    gauge('anomalyclr_queue_events', 'Events that wait.', () => this.batcher.queuedEvents);
    gauge('anomalyclr_queue_requests', 'Requests that wait.', () => this.batcher.queuedRequests);
    gauge('anomalyclr_sessions', 'Sessions that compute.', () => this.slot.current?.bundle.sessions ?? 0);
    gauge('anomalyclr_model_version', 'Loads of the bundle that went well so far.', () =>
      Number(this.slot.current?.version ?? 0),
    );
  }

  /** Of the monitor, read when they are asked for. */
  private addMonitored(registers: Registry[]): void {
    const recent = (): Live | undefined => this.recent();
    new Gauge({
      name: 'anomalyclr_score',
      help: 'Quantiles of the recent scores.',
      labelNames: ['quantile'],
      registers,
      collect() {
        this.reset();
        const quantiles = recent()?.scores?.quantiles;
        for (const [name, value] of Object.entries(quantiles ?? {}))
          this.set({ quantile: `0.${name.slice(1).replace(/0$/, '')}` }, value);
      },
    });
    new Gauge({
      name: 'anomalyclr_threshold_share',
      help: 'Share of the recent events at or above a threshold, by the background efficiency that it was set for.',
      labelNames: ['rate'],
      registers,
      collect() {
        this.reset();
        for (const { rate, recent: share } of recent()?.scores?.thresholds ?? [])
          if (share) this.set({ rate }, share.value);
      },
    });
    new Gauge({
      name: 'anomalyclr_out_of_domain_share',
      help: 'Share of the recent events that lie outside the training domain.',
      registers,
      collect() {
        this.set(recent()?.outOfDomain.recent?.value ?? NaN);
      },
    });
    for (const statistic of ['psi', 'ks'] as const)
      new Gauge({
        name: `anomalyclr_drift_${statistic}`,
        help: `${statistic.toUpperCase()} of recent events against the training sample, by feature.`,
        labelNames: ['feature'],
        registers,
        collect() {
          this.reset();
          for (const one of recent()?.drift ?? [])
            if (one[statistic] !== null) this.set({ feature: one.feature }, one[statistic]);
        },
      });
  }
}
