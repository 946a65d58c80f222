/** A count and the nanoseconds that it took, as Triton's statistics extension has them. */
class Duration {
  private count = 0;
  private ns = 0;

  add(ms: number): void {
    this.count += 1;
    this.ns += Math.round(ms * 1e6);
  }

  toJSON(): { count: number; ns: number } {
    return { count: this.count, ns: this.ns };
  }
}

/** What Triton's statistics extension tells of a model since it was loaded. */
export class ModelStatistics {
  private lastInference = 0;
  private events = 0;
  private executions = 0;
  private readonly success = new Duration();
  private readonly fail = new Duration();
  private readonly queue = new Duration();
  private readonly computeInput = new Duration();
  private readonly computeInfer = new Duration();
  private readonly computeOutput = new Duration();
  private readonly cacheHit = new Duration();

  /** A request was answered. All in ms: reading it, waiting and computing together, writing the answer. */
  answered(events: number, read: number, scored: number, written: number): void {
    this.lastInference = Date.now();
    this.events += events;
    this.success.add(read + scored + written);
    this.computeInput.add(read);
    this.computeOutput.add(written);
  }

  failed(ms: number): void {
    this.fail.add(ms);
  }

  /** A batch was computed. ms: how long its first request had waited, and the computation. */
  executed(waited: number, computed: number): void {
    this.executions += 1;
    this.queue.add(waited);
    this.computeInfer.add(computed);
  }

  json(name: string, version: string): object {
    return {
      name,
      version,
      last_inference: this.lastInference,
      inference_count: this.events,
      execution_count: this.executions,
      inference_stats: {
        success: this.success,
        fail: this.fail,
        queue: this.queue,
        compute_input: this.computeInput,
        compute_infer: this.computeInfer,
        compute_output: this.computeOutput,
        cache_hit: this.cacheHit,
      },
      batch_stats: [],
    };
  }
}
