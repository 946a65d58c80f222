import type { Bundle, BundleOutputs } from '../bundle/bundle.js';
import { Refusal } from './refusal.js';

/** A bundle in use: what the batcher needs of a loaded model. */
export interface Lane {
  readonly bundle: Bundle;
  /** Batches that its sessions have now. */
  running: number;
}

export interface BatcherSettings {
  /** Most events of one batch. */
  readonly maxBatch: number;
  /** ms that a request waits at most for others where a session is idle. */
  readonly latencyBudget: number;
  /** Most events that wait. */
  readonly queue: number;
}

/** What the batcher tells of each batch, for metrics. */
export interface BatchReport {
  readonly lane: Lane;
  readonly objects: Float32Array;
  readonly events: number;
  readonly slots: number;
  readonly outputs: BundleOutputs;
  /** How long its first request had waited, and how long it took, its wait for a session included. ms */
  readonly waitedMs: number;
  readonly computedMs: number;
}

/** A request's events on their way through. */
export interface Job {
  readonly lane: Lane;
  /** [events, slots, 4] */
  readonly objects: Float32Array;
  readonly events: number;
  readonly slots: number;
  readonly representation: boolean;
}

/** A request that the batcher has taken. */
export interface Ticket {
  readonly outputs: Promise<BundleOutputs>;
  /** Gives the request up: its place is free at once, and `outputs` rejects with the reason. */
  readonly drop: (reason: Error) => void;
}

interface Entry extends Job {
  readonly resolve: (outputs: BundleOutputs) => void;
  readonly reject: (error: Error) => void;
  readonly arrived: number;
  /** Events that were given to a session. */
  taken: number;
  /** Events whose outputs are here. */
  scored: number;
  /** Where it was cut up: the outputs of all its pieces. */
  outputs: BundleOutputs | undefined;
  dropped: boolean;
}

/** The events `from` to `to - 1` of an entry, as a part of a batch. */
interface Piece {
  readonly entry: Entry;
  readonly from: number;
  readonly to: number;
}

/** Padded slots that cost nothing worth a batch of its own. */
const cheapSlots = 4096;
/** Batches that a model has beside those that its sessions compute: the next one is there when a session is done. */
const ahead = 1;

/**
 * Puts requests together into batches for the sessions of a bundle, and takes the results apart again.
 *
 * Requests are served in the order of their arrival; while all sessions are busy they gather, up to `maxBatch` events.
 * Where nothing runs the first one starts at once. Larger requests are cut up. Events of different slot counts are
 * padded to the largest where that costs little. No more than `queue` events wait.
 */
export class Batcher {
  private readonly entries: Entry[] = [];
  private waitingEvents = 0;
  private planned = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly rate = new Rate();

  constructor(
    private readonly settings: BatcherSettings,
    /** Must not throw. */
    private readonly onBatch: (report: BatchReport) => void,
  ) {}

  /** Events that wait. */
  get queuedEvents(): number {
    return this.waitingEvents;
  }

  /** Requests that wait, those of which a part is computed already among them. */
  get queuedRequests(): number {
    return this.entries.length;
  }

  get full(): boolean {
    return this.waitingEvents >= this.settings.queue;
  }

  /**
   * Scores the events of one request.
   *
   * @throws Refusal (503) where the queue is full
   */
  submit(job: Job): Ticket {
    if (this.waitingEvents + job.events > this.settings.queue) throw this.fullRefusal();
    let entry: Entry | undefined;
    const outputs = new Promise<BundleOutputs>((resolve, reject) => {
      const arrived = performance.now();
      entry = { ...job, resolve, reject, arrived, taken: 0, scored: 0, outputs: undefined, dropped: false };
      this.entries.push(entry);
    });
    this.waitingEvents += job.events;
    this.plan();
    return { outputs, drop: reason => entry && this.drop(entry, reason) };
  }

  /** What a request that finds no place is told: to come back when what waits now will be done. */
  fullRefusal(): Refusal {
    const seconds = Math.min(60, Math.max(1, Math.ceil(this.waitingEvents / this.rate.perSecond())));
    return new Refusal(503, 'full', `${this.waitingEvents} events wait; try again in ${seconds} s`, seconds);
  }

  private drop(entry: Entry, reason: Error): void {
    if (entry.dropped) return;
    entry.dropped = true;
    const at = this.entries.indexOf(entry);
    if (at >= 0) {
      this.entries.splice(at, 1);
      this.waitingEvents -= entry.events - entry.taken;
    }
    entry.reject(reason);
  }

  /**
   * Starts batches after this turn of the event loop, so that requests that came together are scored together.
   *
   * @param wait - ms until then
   */
  private plan(wait = 0): void {
    // timers know whole milliseconds; a turn of the event loop takes whatever comes in and then asks again
    if (wait >= 1) {
      this.timer = setTimeout(() => this.start(), wait);
      return;
    }
    if (this.planned) return;
    this.planned = true;
    setImmediate(() => {
      this.planned = false;
      this.start();
    });
  }

  private start(): void {
    clearTimeout(this.timer);
    while (this.entries.length > 0) {
      const [{ lane, arrived }] = this.entries;
      const { running, bundle } = lane;
      if (running >= bundle.sessions + ahead) return;
      const gathered = Math.min(this.waitingEvents, this.settings.maxBatch);
      // Whoever joins a batch that is large already gains next to nothing, and a busy session makes the next one wait.
      if (running > 0 && gathered < this.settings.maxBatch / 4) {
        if (running >= bundle.sessions) return;
        const left = this.settings.latencyBudget - (performance.now() - arrived);
        if (left > 0) return this.plan(left);
      }
      this.run(lane, this.gather());
    }
  }

  /** Takes the next batch off the queue. */
  private gather(): Piece[] {
    const pieces: Piece[] = [];
    const [{ lane }] = this.entries;
    let events = 0;
    let slots = 0;
    let own = 0; // slots of the events themselves, without padding
    while (this.entries.length > 0 && events < this.settings.maxBatch) {
      const [entry] = this.entries;
      if (entry.lane !== lane) break;
      const take = Math.min(entry.events - entry.taken, this.settings.maxBatch - events);
      // whoever fits into one batch is not cut
      if (events > 0 && take < entry.events - entry.taken && entry.events <= this.settings.maxBatch) break;
      const padded = (events + take) * Math.max(slots, entry.slots);
      if (events > 0 && padded > cheapSlots && padded > 1.5 * (own + take * entry.slots)) break;
      pieces.push({ entry, from: entry.taken, to: entry.taken + take });
      events += take;
      slots = Math.max(slots, entry.slots);
      own += take * entry.slots;
      entry.taken += take;
      this.waitingEvents -= take;
      if (entry.taken === entry.events) this.entries.shift();
    }
    return pieces;
  }

  private run(lane: Lane, pieces: readonly Piece[]): void {
    const events = pieces.reduce((sum, { from, to }) => sum + to - from, 0);
    const slots = Math.max(...pieces.map(({ entry }) => entry.slots));
    const objects = joined(pieces, events, slots);
    const representation = pieces.some(({ entry }) => entry.representation);
    const begun = performance.now();
    const waitedMs = begun - pieces[0].entry.arrived;
    lane.running += 1;
    lane.bundle
      .run(objects, events, slots, { representation })
      .finally(() => (lane.running -= 1))
      .then(outputs => {
        const computedMs = performance.now() - begun;
        this.rate.add(events);
        handOut(pieces, outputs, lane.bundle.card.representation.size);
        this.onBatch({ lane, objects, events, slots, outputs, waitedMs, computedMs });
      })
      .catch((error: unknown) => {
        for (const { entry } of pieces) this.drop(entry, error as Error);
      })
      .finally(() => this.start());
  }
}

/** The events of a batch in one array, padded to the same slots. */
function joined(pieces: readonly Piece[], events: number, slots: number): Float32Array {
  const [{ entry, from, to }] = pieces;
  if (pieces.length === 1) return entry.objects.subarray(from * slots * 4, to * slots * 4);
  const all = new Float32Array(events * slots * 4);
  let at = 0;
  for (const piece of pieces) {
    const width = piece.entry.slots * 4;
    const { objects } = piece.entry;
    if (piece.entry.slots === slots) {
      all.set(objects.subarray(piece.from * width, piece.to * width), at * width);
      at += piece.to - piece.from;
    } else
      for (let e = piece.from; e < piece.to; e++)
        all.set(objects.subarray(e * width, (e + 1) * width), at++ * slots * 4);
  }
  return all;
}

/** Gives each request of a batch its outputs. */
function handOut(pieces: readonly Piece[], outputs: BundleOutputs, size: number): void {
  let at = 0;
  for (const { entry, from, to } of pieces) {
    const part = slice(outputs, at, at + to - from, size);
    at += to - from;
    if (entry.dropped) continue;
    if (to - from === entry.events) {
      entry.resolve(part);
      continue;
    }
    entry.outputs ??= emptyOutputs(entry.events, part, entry.representation ? size : 0);
    put(entry.outputs, part, from, entry.representation ? size : 0);
    entry.scored += to - from;
    if (entry.scored === entry.events) entry.resolve(entry.outputs);
  }
}

/** Numbers of `crossed` that an event has. */
const cellsOf = ({ crossed, inDomain }: BundleOutputs): number => crossed.length / inDomain.length;

function slice(outputs: BundleOutputs, from: number, to: number, size: number): BundleOutputs {
  return {
    score: outputs.score?.subarray(from, to),
    representation: outputs.representation.subarray(from * size, to * size),
    inDomain: outputs.inDomain.subarray(from, to),
    distance: outputs.distance.subarray(from, to),
    crossed: outputs.crossed.subarray(from * cellsOf(outputs), to * cellsOf(outputs)),
  };
}

function emptyOutputs(events: number, like: BundleOutputs, size: number): BundleOutputs {
  return {
    score: like.score && new Float32Array(events),
    representation: new Float32Array(events * size),
    inDomain: new Uint8Array(events),
    distance: new Float32Array(events),
    crossed: new Int32Array(events * cellsOf(like)),
  };
}

function put(all: BundleOutputs, part: BundleOutputs, at: number, size: number): void {
  if (part.score) all.score?.set(part.score, at);
  if (size > 0) all.representation.set(part.representation, at * size);
  all.inDomain.set(part.inDomain, at);
  all.distance.set(part.distance, at);
  all.crossed.set(part.crossed, at * cellsOf(part));
}

/** Events per second over the last seconds in which there were any. */
class Rate {
  private events = 0;
  private since = performance.now();
  private last = 1000;

  add(events: number): void {
    this.events += events;
    const seconds = (performance.now() - this.since) / 1000;
    if (seconds < 1) return;
    this.last = Math.max(1, this.events / seconds);
    this.events = 0;
    this.since = performance.now();
  }

  perSecond(): number {
    return this.last;
  }
}
