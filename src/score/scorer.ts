import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Engine, Floats, ScoringModel } from '../engine/engine.js';
import { inDomain, type Domain } from '../events/domain.js';
import type { EventBatch } from '../events/event-batch.js';
import { runFiles } from '../model/run-folder.js';
import { sha256 } from '../read/index.js';
import { Detector, detectorConfig, precisionOf, toFloat32 } from './detector.js';
import { detectorFor, encoderReading, loadParts, loadRun, type Reading, type RunParts } from './load-run.js';
import { rawFeatureCountOf, rawFeatures } from './raw-features.js';

/** One way to give events a score. */
export interface Method {
  readonly name: string;
  score(events: EventBatch): Promise<Float32Array>;
}

/**
 * A trained run, ready to score events. Calls are made one at a time.
 *
 * @example
 * const scorer = await Scorer.open('runs/demo', await openEngine());
 * for await (const batch of readEvents('data.h5', { onBadEvent: 'fail' })) console.log(await scorer.score(batch));
 * scorer.dispose();
 */
export class Scorer implements Method {
  private readonly opened: { dispose(): void }[] = [];

  private constructor(
    readonly folder: string,
    /** The loss that it was trained with, which names it among its comparators. */
    readonly name: string,
    readonly seed: number,
    readonly domain: Domain,
    private readonly engine: Engine,
    private readonly reading: Reading,
    private readonly model: ScoringModel,
    /** Numbers that the detector reads: representation and sums. */
    readonly representationSize: number,
  ) {
    this.opened.push(model);
  }

  /**
   * @param precision - `auto` is that of the run's weights; `bf16` rounds the factors of the encoder's matrix products
   * @throws AnomalyClrError where the folder is not a complete run, or its files do not fit together
   */
  static async open(folder: string, engine: Engine, precision: 'auto' | 'bf16' = 'auto'): Promise<Scorer> {
    const { settings, domain, representation, parts } = await loadRun(folder);
    const { model, size } = openModel(engine, parts, precision);
    const reading = { representation, sums: parts.sums };
    return new Scorer(folder, settings.loss, settings.seed, domain, engine, reading, model, size);
  }

  /** One score per event, higher is more anomalous. */
  async score(events: EventBatch): Promise<Float32Array> {
    return toFloat32(await this.model.score(events));
  }

  /**
   * The scores of at most 64 events at once: on the calling thread, without a promise, which for one event takes a
   * fraction of the time that `score` needs. The same numbers.
   *
   * @throws TypeError for more events
   * @example
   * const builder = new EventBatchBuilder();
   * builder.addObject(35.2, 0, 1.1, Kind.met);
   * builder.endEvent(0);
   * const [score] = scorer.scoreNow(builder.build());
   */
  scoreNow(events: EventBatch): Float32Array {
    return toFloat32(this.model.scoreNow(events));
  }

  /** Score and in-domain flag of each event. [events] each */
  async judge(events: EventBatch): Promise<{ score: Float32Array; inDomain: Uint8Array }> {
    const scoring = this.score(events);
    const inside = this.inDomain(events); // while the engine computes
    return { score: await scoring, inDomain: inside };
  }

  /** 1 for events inside the training domain. [events] */
  inDomain(events: EventBatch): Uint8Array {
    return inDomain(this.domain, events);
  }

  /** What the detector reads, [events, representationSize]: the representation, and the sums beside it. */
  embed(events: EventBatch): Promise<Floats> {
    return this.model.embed(events);
  }

  /** What the run was compared with: detectors on raw data and on the same encoder untrained; none where it has none. */
  async comparators(): Promise<Method[]> {
    const files = runFiles(this.folder);
    const { data } = this.domain;
    const methods: Method[] = [];
    for (const [name, pt] of [
      ['raw-autoencoder', 'linear'],
      ['raw-autoencoder-log', 'log'],
    ] as const) {
      if (!existsSync(files.comparatorDetector(name))) continue;
      const detector = new Detector(
        this.engine,
        await detectorFor(files.comparatorDetector(name), rawFeatureCountOf(data)),
      );
      this.opened.push(detector);
      methods.push({ name, score: events => detector.score(rawFeatures(events, pt, data)) });
    }
    if (existsSync(files.untrainedEncoder)) {
      const file = files.comparatorDetector('untrained-autoencoder');
      const { model } = openModel(this.engine, await loadParts(files.untrainedEncoder, file, this.reading));
      this.opened.push(model);
      methods.push({ name: 'untrained-encoder', score: async events => toFloat32(await model.score(events)) });
    }
    return methods;
  }

  /** SHA-256 of the files that its scores come from, the same wherever the run lies. */
  async fingerprint(): Promise<string> {
    const { domain, encoder, detector } = runFiles(this.folder);
    const hash = createHash('sha256').update(this.reading.representation);
    for (const file of [domain, encoder, detector]) hash.update(await sha256(file));
    return hash.digest('hex');
  }

  dispose(): void {
    for (const one of this.opened.splice(0)) one.dispose();
  }
}

/** An encoder as its detector reads it, with the detector. */
function openModel(
  engine: Engine,
  parts: RunParts,
  precision: 'auto' | 'bf16' = 'auto',
): { model: ScoringModel; size: number } {
  const { weights: exact } = parts.encoder;
  const weights = precision === 'auto' ? exact : toFloat32(exact);
  const config = detectorConfig(parts.detector, precision === 'auto' ? precisionOf(weights) : precision);
  const model = engine.scorer({ ...config, encoder: encoderReading(parts, weights) });
  return { model, size: parts.detector.preparation.inputs };
}
