import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadAddon, type Floats, type NativeGroup, type OptimiserState } from '../addon.js';
import type { Launch } from '../config/launch.js';
import type { Engine, RankShare } from '../engine/engine.js';
import { AnomalyClrError, RankError, Stopped, StopRequest, UsageError } from '../errors.js';

/** How long ranks wait for each other to start, and for one that has fallen silent, s. */
const meeting = 300;
const patience = 900;
/** Between two signs of life of a rank that does something alone, ms. */
const heartbeat = 1000;

/**
 * The processes that train together; one that stands alone is rank 0 of 1. All of them make the same calls in the same
 * order. What goes wrong on one of them ends all: the others get a RankError.
 */
export class Ranks {
  readonly rank: number;
  readonly ranks: number;
  private readonly stop = new AbortController();

  private constructor(
    private readonly asked: AbortSignal | undefined,
    private readonly group?: NativeGroup,
    launch?: Launch,
  ) {
    this.rank = launch?.rank ?? 0;
    this.ranks = launch?.ranks ?? 1;
  }

  /** A process of its own. `asked` is what tells it to stop. */
  static alone(asked?: AbortSignal): Ranks {
    return new Ranks(asked);
  }

  /**
   * Meets the other processes of a launch.
   *
   * @throws RankError where they do not come, or belong to another job
   */
  static async join(launch: Launch, asked?: AbortSignal): Promise<Ranks> {
    const { rank, ranks, address, port, job } = launch;
    const group = new (loadAddon().Group)({
      rank,
      ranks,
      address,
      port,
      token: createHash('sha256').update(job).digest(),
      seconds: meeting,
      patience,
      hint: `; ${launch.launcher} speaks of ${ranks} ranks: --ranks off trains in this process alone`,
    });
    const interrupt = (): void => group.dispose();
    asked?.addEventListener('abort', interrupt, { once: true });
    try {
      await group.connect().catch(RankError.rethrow);
    } finally {
      asked?.removeEventListener('abort', interrupt);
    }
    return new Ranks(asked, group, launch);
  }

  /** Whether this is the rank that reads, writes and speaks. */
  get first(): boolean {
    return this.rank === 0;
  }

  /** Fires on every rank at the same point of the program, once one of them was asked to stop. */
  get signal(): AbortSignal {
    return this.group ? this.stop.signal : (this.asked ?? this.stop.signal);
  }

  /** @throws AnomalyClrError once the signal has fired, for work between two steps that can be done again */
  stopIfAsked(): void {
    if (this.signal.aborted) throw new Stopped('stopped; the same command with --resume goes on', this.signal);
  }

  /** What every rank hands in, in order of ranks. */
  async gather(bytes: Uint8Array): Promise<Uint8Array[]> {
    return this.group ? this.group.gather({ bytes }).catch(RankError.rethrow) : [bytes];
  }

  /** Rank 0's value, as JSON has it. */
  async fromFirst<T>(value: T): Promise<T> {
    if (!this.group) return value;
    const [first] = await this.gather(this.first ? Buffer.from(JSON.stringify(value)) : new Uint8Array());
    return JSON.parse(Buffer.from(first).toString()) as T;
  }

  /** Rank 0's numbers. Those of other ranks say only how many and of what kind they are. */
  async floatsFromFirst<F extends Floats>(values: F): Promise<F> {
    if (!this.group) return values;
    const { buffer, byteOffset, byteLength } = values;
    const [first] = await this.gather(new Uint8Array(buffer, byteOffset, this.first ? byteLength : 0));
    if (first.length !== byteLength)
      throw new RankError(`rank 0 has ${first.length} bytes of weights, rank ${this.rank} ${byteLength}`);
    const copy = values.slice() as F;
    new Uint8Array(copy.buffer).set(first);
    return copy;
  }

  /** Ranks that would not do the same thing are refused by the first of `values` in which one differs from rank 0. */
  async mustAgree(values: Readonly<Record<string, unknown>>): Promise<void> {
    if (!this.group) return;
    const all = (await this.gather(Buffer.from(JSON.stringify(values)))).map(
      bytes => JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>,
    );
    all.forEach((other, rank) => {
      for (const name of new Set([...Object.keys(all[0]), ...Object.keys(other)]))
        if (JSON.stringify(other[name]) !== JSON.stringify(all[0][name]))
          throw new AnomalyClrError(
            `rank ${rank} has ${name} = ${JSON.stringify(other[name])}, rank 0 ${JSON.stringify(all[0][name])}; ` +
              'all ranks take the same options and the same events',
          );
    });
  }

  /**
   * Between two steps: whether any rank was asked to stop, which then `signal` says. With a `digest` of what must be the
   * same everywhere, that it is.
   */
  async agree(digest: Uint8Array = new Uint8Array()): Promise<void> {
    if (!this.group) return;
    const all = await this.gather(Uint8Array.of(requestOf(this.asked), ...digest));
    this.stopIfAnyAsked(all.map(([asked]) => asked));
    const other = all.findIndex(one => Buffer.compare(one.subarray(1), all[0].subarray(1)) !== 0);
    if (other > 0)
      throw new AnomalyClrError(
        `ranks 0 and ${other} have come to different weights; where their processors differ, ANOMALYCLR_TARGET gives all the same`,
      );
  }

  /**
   * Does what this rank has to do alone, and returns once every rank has done its own. Meanwhile they tell each other
   * that they are there; a rank that goes away, or is asked to stop, ends the work of all by `signal`.
   */
  async beside<T>(work: () => Promise<T>): Promise<T> {
    if (!this.group) return work();
    let done = false;
    const finished = work().then(value => {
      done = true;
      return value;
    });
    finished.catch(() => undefined); // it is awaited below, but for a rank that goes away first
    try {
      for (;;) {
        if (!done) await Promise.race([finished, sleep(heartbeat, undefined, { ref: false })]);
        const all = await this.gather(Uint8Array.of(done ? 1 : 0, requestOf(this.asked)));
        this.stopIfAnyAsked(all.map(([, asked]) => asked));
        if (all.every(([ready]) => ready === 1)) return await finished;
      }
    } catch (error) {
      this.stop.abort();
      await finished.catch(() => undefined);
      throw error;
    }
  }

  private stopIfAnyAsked(asked: readonly number[]): void {
    const by = requests[Math.max(...asked)];
    if (by) this.stop.abort(new StopRequest(by));
  }

  /** What an engine needs to train together; undefined for a process alone. */
  async share({ ranks: together }: Engine): Promise<RankShare | undefined> {
    const { group, rank, ranks } = this;
    if (!group) return undefined;
    const [id] = await this.gather((this.first && together?.id()) || new Uint8Array());
    return { rank, ranks, group, id };
  }

  /** Hangs up; the others are told why, where there is a reason. */
  async leave(error?: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : error === undefined ? '' : 'something went wrong';
    await this.group?.leave({ reason });
    this.group?.dispose();
  }
}

/** What a rank was asked, as it tells the others. */
const requests = [undefined, 'SIGINT', 'SIGTERM'] as const;

function requestOf(asked: AbortSignal | undefined): number {
  if (!asked?.aborted) return 0;
  return asked.reason instanceof StopRequest ? requests.indexOf(asked.reason.by) : 1;
}

/** Of all that an update changes. */
export function digestOf(weights: Floats, { m, v }: OptimiserState): Uint8Array {
  const hash = createHash('sha1');
  for (const { buffer, byteOffset, byteLength } of [weights, m, v])
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest();
}

/** @throws UsageError where an engine trains in one process only */
export function mustShare(engine: Engine, launch: Launch): void {
  if (!engine.ranks)
    throw new UsageError(
      `${launch.launcher} started ${launch.ranks} ranks, but the ${engine.name} engine trains in one process; ` +
        '--engine native shares a training, --ranks off trains in this process alone',
    );
}
