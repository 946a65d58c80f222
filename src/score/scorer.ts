import { existsSync } from 'node:fs';
import * as z from 'zod';
import type { ContrastiveModel, Engine, Floats } from '../engine/engine.js';
import { AnomalyClrError } from '../errors.js';
import { domainSchema, inDomain, type Domain } from '../events/domain.js';
import type { EventBatch } from '../events/event-batch.js';
import { readJson } from '../files.js';
import { loadEncoder } from '../model/encoder-file.js';
import { runFiles } from '../model/run-folder.js';
import { Detector, loadDetector } from './detector.js';
import { rawFeatureCount, rawFeatures } from './raw-features.js';
import { columnsOf, rowLength, selectColumns, type RepresentationName } from './representation.js';

const settingsSchema = z.looseObject({
  seed: z.number(),
  loss: z.string(),
  representation: z.string().regex(/^(pool|last|head[1-9])$/),
});

/** One way to give events a score. */
export interface Method {
  readonly name: string;
  score(events: EventBatch): Promise<Float32Array>;
}

/**
 * A trained run, ready to score events.
 *
 * @example
 * const scorer = await Scorer.open('runs/demo', openEngine('auto', 0));
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
    private readonly encoder: Encoder,
    private readonly detector: Detector,
  ) {
    this.opened.push(encoder, detector);
  }

  /** @throws AnomalyClrError where the folder is not a complete run, or its files do not fit together */
  static async open(folder: string, engine: Engine): Promise<Scorer> {
    const files = runFiles(folder);
    if (!existsSync(files.config)) throw new AnomalyClrError(`${folder}: not a run; name the folder that train made`);
    if (!existsSync(files.detector))
      throw new AnomalyClrError(`${folder}: its training is not complete; finish it with train --resume`);
    const settings = await readJson(files.config, settingsSchema);
    const domain = await readJson(files.domain, domainSchema);
    const encoder = await Encoder.open(files.encoder, engine, settings.representation as RepresentationName);
    const detector = await openDetector(files.detector, engine, encoder.size);
    return new Scorer(folder, settings.loss, settings.seed, domain, engine, encoder, detector);
  }

  /** One score per event, higher is more anomalous. */
  async score(events: EventBatch): Promise<Float32Array> {
    return this.detector.score(await this.encoder.embed(events));
  }

  /** 1 for events inside the training domain. [events] */
  inDomain(events: EventBatch): Uint8Array {
    return inDomain(this.domain, events);
  }

  /** The representation that the detector reads, [events, columns]. */
  embed(events: EventBatch): Promise<Floats> {
    return this.encoder.embed(events);
  }
  get representationSize(): number {
    return this.encoder.size;
  }

  /** What the run was compared with: detectors on raw data and on the same encoder untrained; none where it has none. */
  async comparators(): Promise<Method[]> {
    const files = runFiles(this.folder);
    const methods: Method[] = [];
    for (const [name, pt] of [
      ['raw-autoencoder', 'linear'],
      ['raw-autoencoder-log', 'log'],
    ] as const) {
      if (!existsSync(files.comparatorDetector(name))) continue;
      const detector = await openDetector(files.comparatorDetector(name), this.engine, rawFeatureCount);
      this.opened.push(detector);
      methods.push({ name, score: events => detector.score(rawFeatures(events, pt)) });
    }
    if (existsSync(files.untrainedEncoder)) {
      const encoder = await Encoder.open(files.untrainedEncoder, this.engine, this.encoder.representation);
      const file = files.comparatorDetector('untrained-autoencoder');
      const detector = await openDetector(file, this.engine, encoder.size);
      this.opened.push(encoder, detector);
      methods.push({ name: 'untrained-encoder', score: async events => detector.score(await encoder.embed(events)) });
    }
    return methods;
  }

  dispose(): void {
    for (const one of this.opened.splice(0)) one.dispose();
  }
}

/** A detector that reads `inputs` numbers an event. */
async function openDetector(file: string, engine: Engine, inputs: number): Promise<Detector> {
  const detector = new Detector(engine, await loadDetector(file));
  if (detector.inputs === inputs) return detector;
  detector.dispose();
  throw new AnomalyClrError(`${file}: reads ${detector.inputs} numbers an event, not ${inputs}; it is another run's`);
}

/** An encoder read at one representation. */
class Encoder {
  private constructor(
    readonly representation: RepresentationName,
    private readonly model: ContrastiveModel,
    private readonly length: number,
    private readonly columns: readonly [number, number],
  ) {}

  static async open(file: string, engine: Engine, representation: RepresentationName): Promise<Encoder> {
    const { config, weights } = await loadEncoder(file);
    const columns = columnsOf(representation, config);
    if (columns[1] > rowLength(config))
      throw new AnomalyClrError(`${file}: has no representation ${representation}; it is another run's`);
    const precision = weights instanceof Float64Array ? 'f64' : 'f32';
    // the loss plays no part in embedding
    const model = engine.contrastive(
      { ...config, precision, loss: 'anomclr+', temperature: 1, optimiser: { kind: 'adam' } },
      { name: 'none', anchor: [], physical: [], anomalous: [] },
    );
    model.setWeights(weights);
    return new Encoder(representation, model, rowLength(config), columns);
  }

  get size(): number {
    return this.columns[1] - this.columns[0];
  }
  async embed(events: EventBatch): Promise<Floats> {
    return selectColumns(await this.model.embed(events), this.length, this.columns);
  }
  dispose(): void {
    this.model.dispose();
  }
}
