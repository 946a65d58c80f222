import { AnomalyClrError } from '../errors.js';
import { openThread, type Provider } from './session.js';
import { own, type OwnedTensors, type SessionThread, type Tensors } from './thread.js';

/** One computes while the next one waits in the thread, so that no thread stands idle between two runs. */
const mostPerThread = 2;

export interface PoolOptions {
  readonly provider: Provider;
  /** Of the processor, for all sessions together. */
  readonly cores: number;
  /**
   * 0 is one for every core, on one thread each. Events/s (default model, 2 cores, 4 runs under way) by events of a run,
   * 2 sessions of 1 thread against 1 session of 2: 5,400 and 4,000 at 1; 37,000 and 24,000 at 64; 83,000 and 47,000 at
   * 256; 81,000 and 53,000 at 1,024; 61,000 and 46,000 at 4,096.
   */
  readonly sessions: number;
}

interface Run {
  readonly feeds: OwnedTensors;
  readonly fetches: readonly string[];
  readonly resolve: (outputs: Promise<Tensors>) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Sessions of one model side by side. A run goes to the session that has least to do; those that find all full wait in
 * order. A thread that dies takes its runs with it, and another is started in its place.
 */
export class SessionPool {
  private readonly threads = new Set<SessionThread>();
  private readonly queue: Run[] = [];
  private starting = 0;
  private closed: AnomalyClrError | undefined;

  private constructor(
    private readonly model: Uint8Array,
    private readonly name: string,
    private readonly threadsEach: number,
  ) {}

  /** What computes. */
  provider: Exclude<Provider, 'auto'> = 'cpu';

  /** Opens the sessions. Errors as openThread. */
  static async open(model: Uint8Array, name: string, options: PoolOptions): Promise<SessionPool> {
    const { provider, cores, sessions } = options;
    const wanted = sessions > 0 ? sessions : cores;
    const pool = new SessionPool(model, name, Math.max(1, Math.floor(cores / wanted)));
    try {
      pool.provider = await pool.start(provider);
      // a GPU is filled by one
      const more = sessions === 0 && pool.provider !== 'cpu' ? 0 : wanted - 1;
      await Promise.all(Array.from({ length: more }, () => pool.start(pool.provider)));
      return pool;
    } catch (error) {
      await pool.dispose();
      throw error;
    }
  }

  get sessions(): number {
    return this.threads.size + this.starting;
  }

  /** The outputs `fetches` of a run. `feeds` are copied at once. */
  run(feeds: Tensors, fetches: readonly string[]): Promise<Tensors> {
    return new Promise((resolve, reject) => {
      this.queue.push({ feeds: own(feeds), fetches, resolve, reject });
      this.share();
    });
  }

  /** Ends all threads; runs under way and those that wait reject. May be called twice. */
  async dispose(): Promise<void> {
    this.fail(new AnomalyClrError(`${this.name}: was closed before this was computed`));
    await Promise.all(Array.from(this.threads, thread => thread.dispose()));
  }

  private async start(wanted: Provider): Promise<Exclude<Provider, 'auto'>> {
    this.starting += 1;
    try {
      let ended = false;
      const opened = await openThread(this.model, this.name, wanted, this.threadsEach, thread => {
        ended = true;
        if (this.threads.delete(thread)) this.replace();
      });
      if (this.closed) await opened.thread.dispose();
      else if (!ended) this.threads.add(opened.thread);
      return opened.provider;
    } finally {
      this.starting -= 1;
    }
  }

  private replace(): void {
    if (this.closed) return;
    this.start(this.provider).then(
      () => this.share(),
      (error: unknown) => {
        if (this.sessions === 0) this.fail(error as Error);
      },
    );
  }

  /** Gives waiting runs to threads that can take one. */
  private share(): void {
    if (this.closed) {
      for (const { reject } of this.queue.splice(0)) reject(this.closed);
      return;
    }
    for (let run = this.queue[0]; run !== undefined; run = this.queue[0]) {
      let free: SessionThread | undefined;
      for (const thread of this.threads) if (thread.pending < (free?.pending ?? mostPerThread)) free = thread;
      if (!free) return;
      this.queue.shift();
      const outputs = free.run(run.feeds, run.fetches);
      const again = () => this.share();
      outputs.then(again, again);
      run.resolve(outputs);
    }
  }

  private fail(reason: Error): void {
    this.closed ??= reason;
    this.share();
  }
}
