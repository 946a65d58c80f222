import { AnomalyClrError } from '../errors.js';
import type { Domain } from '../events/domain.js';
import { range, type EventBatch } from '../events/event-batch.js';
import type { Bundle, BundleOutputs, OpenBundleOptions } from './bundle.js';
import { openBundle } from './open.js';
import { padEvents } from './pad.js';

/**
 * Events of one run. Shorter runs fill all sessions sooner and stay in the processor's cache: of 64, 256, 1,024 and 4,096
 * events, 256 were fastest (see pool.ts). Sorting events by multiplicity first gained nothing that could be measured.
 */
const eventsPerRun = 256;
/** Runs given to each session at once, so that it never waits for the next to be padded. */
const runsPerSession = 2;

/**
 * A bundle, ready to score events: what `Scorer` is for a run, without engine or addon. Calls may overlap.
 *
 * @example
 * const scorer = await BundleScorer.open('anomalyclr.onnx');
 * for await (const batch of readEvents('data.h5', { onBadEvent: 'fail' })) console.log(await scorer.score(batch));
 * await scorer.dispose();
 */
export class BundleScorer {
  /** The loss that the model was trained with. */
  readonly name: string;
  readonly seed: number;
  readonly domain: Domain;
  readonly representationSize: number;

  private constructor(readonly bundle: Bundle) {
    const { training, domain, representation } = bundle.card;
    this.name = training.loss;
    this.seed = training.seed;
    this.domain = domain;
    this.representationSize = representation.size;
  }

  /** @throws as openBundle; AnomalyClrError for a bundle of the encoder alone */
  static async open(file: string, options: OpenBundleOptions = {}): Promise<BundleScorer> {
    const bundle = await openBundle(file, options);
    if (bundle.card.part === 'scorer') return new BundleScorer(bundle);
    await bundle.dispose();
    throw new AnomalyClrError(
      `${file}: holds the encoder alone, which gives no score; export the run again with --part scorer`,
    );
  }

  /** One score per event, higher is more anomalous. */
  async score(events: EventBatch): Promise<Float32Array> {
    return (await this.judge(events)).score;
  }

  /** Score and in-domain flag of each event. [events] each */
  async judge(events: EventBatch): Promise<{ score: Float32Array; inDomain: Uint8Array }> {
    const score = new Float32Array(events.count);
    const inDomain = new Uint8Array(events.count);
    await this.inRuns(events, false, (found, from) => {
      if (found.score) score.set(found.score, from);
      inDomain.set(found.inDomain, from);
    });
    return { score, inDomain };
  }

  /** 1 for events inside the training domain. [events] */
  async inDomain(events: EventBatch): Promise<Uint8Array> {
    return (await this.judge(events)).inDomain;
  }

  /** The representation that the detector reads, [events, representationSize]. */
  async embed(events: EventBatch): Promise<Float32Array> {
    const rows = new Float32Array(events.count * this.representationSize);
    await this.inRuns(events, true, ({ representation }, from) =>
      rows.set(representation, from * this.representationSize),
    );
    return rows;
  }

  /** Ends the bundle's sessions. */
  dispose(): Promise<void> {
    return this.bundle.dispose();
  }

  /** Runs events in pieces over all sessions; only the pieces under way are padded. */
  private async inRuns(
    events: EventBatch,
    representation: boolean,
    keep: (found: BundleOutputs, from: number) => void,
  ): Promise<void> {
    let next = 0;
    const lane = async () => {
      while (next < events.count) {
        const from = next;
        next = Math.min(events.count, from + eventsPerRun);
        const { objects, events: count, slots } = padEvents(range(events, from, next));
        keep(await this.bundle.run(objects, count, slots, { representation }), from);
      }
    };
    await Promise.all(Array.from({ length: runsPerSession * this.bundle.sessions }, lane));
  }
}
