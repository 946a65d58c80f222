import { mkdir } from 'node:fs/promises';
import os from 'node:os';
import process from 'node:process';
import type { EncoderConfig } from '../addon.js';
import { toConfig } from '../config/parse.js';
import type { Recipe } from '../config/recipe.js';
import type { TrainOptions } from '../config/schema.js';
import type { Columns, Engine, Floats, TrainerConfig } from '../engine/engine.js';
import { RankError } from '../errors.js';
import { dataKind } from '../events/data-kinds.js';
import type { Domain } from '../events/domain.js';
import { sumCount, withSums } from '../events/event-sums.js';
import { writeAtomically } from '../files.js';
import { saveEncoder } from '../model/encoder-file.js';
import { initialWeights } from '../model/initialise.js';
import { encoderLayout } from '../model/layout.js';
import { beginRun, runFiles, type RunFiles, type RunProvenance } from '../model/run-folder.js';
import type { EventStore } from '../read/store.js';
import { precisionOf, type DetectorMember, type DetectorWeights } from '../score/detector.js';
import { saveDetector } from '../score/detector-file.js';
import { sumsOf } from '../score/load-run.js';
import { rawFeatureCountOf, rawFeatures } from '../score/raw-features.js';
import { columnsOf, levelOf, rowLength, selectColumns, type RepresentationName } from '../score/representation.js';
import {
  fitToRows,
  trainDetector,
  type DetectorEpoch,
  type DetectorOptions,
  type DetectorWatch,
} from './autoencoder.js';
import { trainContrastive, type TrainedEncoder } from './contrastive.js';
import { invarianceEvents, symmetrySpread } from './invariance.js';
import { MetricsLog } from './log.js';
import type { Ranks } from './ranks.js';
import { trainRatio, type RatioData } from './ratio.js';
import { computedRows, keptRows, type RowSource } from './rows.js';
import { writeRunReport } from './run-report.js';
import { Split } from './split.js';
import { standardised } from './standardise.js';

/** Who watches a run. All may be left out. */
export interface TrainWatch {
  readonly signal?: AbortSignal;
  readonly info?: (line: string) => void;
  readonly warn?: (line: string) => void;
  readonly progress?: (options: { label: string; total: number; unit: string }) => {
    update(done: number): void;
    stop(): void;
  };
}

/** Widths of the autoencoder on raw data, as in the published comparison. */
const rawHidden = [32, 16];
const rawBottleneck = 8;
/** Of `--memory`: what one block of a shuffle may take; two are there at once. */
const blockShare = 0.1;

/** The encoder that options and domain describe. */
function encoderConfigOf(options: TrainOptions, domain: Domain): EncoderConfig {
  const { ptFeature, mask, width, heads, layers, feedForward, output, headLayers, headNorm, dropout } = options;
  const { etaScale, phiScale, angles } = dataKind(domain.data);
  const features = (options.angles === 'auto' ? angles : options.angles) === 'sincos' ? 8 : 7;
  return {
    features,
    ptFeature,
    ptScale: domain.ptScale,
    ...(domain.data === undefined ? {} : { etaScale, phiScale }),
    mask,
    width,
    heads,
    layers,
    feedForward,
    output,
    headLayers,
    headNorm,
    dropout,
  };
}

/** The training of one seed, into its folder. */
export class SeedRun {
  private readonly files: RunFiles;
  private readonly config: EncoderConfig;
  private readonly split: Split;

  constructor(
    private readonly options: TrainOptions,
    /** Of the encoder's views. */
    private readonly recipe: Recipe,
    /** What a ratio tells background from. */
    private readonly ratioRecipe: Recipe,
    private readonly engine: Engine,
    private readonly ranks: Ranks,
    private readonly store: EventStore,
    private readonly domain: Domain,
    folder: string,
    private readonly version: string,
    private readonly watch: TrainWatch,
  ) {
    this.files = runFiles(folder);
    this.config = encoderConfigOf(options, domain);
    this.split = new Split(store.count, options);
  }

  private get blockBytes(): number {
    return blockShare * this.options.memory * 1e9;
  }

  /** Class codes of the kinds whose sums the detector reads. */
  private get sums(): Int32Array {
    return sumsOf(this.options, this.domain);
  }

  async train(): Promise<void> {
    const { options, files, watch, store, ranks } = this;
    const together = ranks.ranks > 1 ? `, ${ranks.ranks} ranks` : '';
    const provenance: RunProvenance = {
      version: this.version,
      engine: this.engine.describe() + together,
      machine: os.cpus()[0]?.model ?? os.arch(),
      started: new Date().toISOString(),
      files: [...store.files],
      ...(store.schema === '' ? {} : { schema: store.schema }),
      skipped: store.skipped,
    };
    const begun = ranks.first && (await beginRun(files.folder, options.resume, toConfig<'train'>(options), provenance));
    if (await ranks.fromFirst(begun)) {
      watch.info?.(`${files.folder}: is complete`);
      return;
    }
    if (ranks.first) await writeAtomically(files.domain, `${JSON.stringify(this.domain, null, 2)}\n`);
    const trained = await this.trainEncoder();
    // the others wait: batch systems may end a job soon after its first process
    await ranks
      .beside(async () => (ranks.first ? this.finish(trained, provenance) : undefined))
      .catch((error: unknown) => {
        if (!(error instanceof RankError && ranks.first)) throw error;
        throw new RankError(
          `${error.message}; the encoder is trained, the same command with --resume goes on from there`,
        );
      });
  }

  /** All that comes after the encoder. */
  private async finish(encoder: TrainedEncoder, provenance: RunProvenance): Promise<void> {
    const { options, files, store, domain } = this;
    const { weights, seconds, events } = encoder;
    // detectors are trained anew on resumption: their lines follow the encoder's
    const log = await MetricsLog.open(files.metrics, encoder.metricsBytes);
    await saveEncoder(files.encoder, { config: this.config, weights });
    const untrained = initialWeights(encoderLayout(this.config), options.seed, options.precision);
    try {
      const levels: RepresentationName[] = [...new Set<RepresentationName>([options.representation, 'last'])];
      const trained = await this.detectOn('', weights, files.detector, levels, log);
      const invariance: RunProvenance['invariance'] = [];
      if (options.comparators) {
        await mkdir(files.comparators, { recursive: true });
        await saveEncoder(files.untrainedEncoder, { config: this.config, weights: untrained });
        const before = await this.detectOn(
          'untrained-',
          untrained,
          files.comparatorDetector('untrained-autoencoder'),
          levels,
          log,
        );
        levels.forEach((representation, i) =>
          invariance.push({ representation, before: before[i], after: trained[i] }),
        );
        for (const pt of ['linear', 'log'] as const) {
          const name = pt === 'linear' ? 'raw-autoencoder' : 'raw-autoencoder-log';
          const rows = computedRows(store, rawFeatureCountOf(domain.data), batch =>
            rawFeatures(batch, pt, domain.data),
          );
          const plain = await this.autoencoder(name, rows, log, {
            preparation: 'none',
            hidden: rawHidden,
            bottleneck: rawBottleneck,
          });
          await saveDetector(files.comparatorDetector(name), plain);
        }
      }
      const done: RunProvenance = {
        ...provenance,
        trainingSeconds: seconds,
        eventsPerSecond: events / Math.max(seconds, 1e-9),
        peakMemoryMb: Math.round(process.resourceUsage().maxRSS / 1024),
        invariance,
      };
      await writeAtomically(files.provenance, `${JSON.stringify(done, null, 2)}\n`);
    } finally {
      await log.close();
    }
    await writeRunReport(files.folder);
  }

  private async trainEncoder(): Promise<TrainedEncoder> {
    const { options, files, watch, engine, ranks } = this;
    const config: TrainerConfig = {
      ...this.config,
      precision: options.precision,
      loss: options.loss,
      temperature: options.temperature,
      invarianceWeight: options.invarianceWeight,
      anomalyWeight: options.anomalyWeight,
      // of what the detector will read
      ...(options.pivotWeight > 0
        ? {
            pivotWeight: options.pivotWeight,
            pivotLevel: levelOf(options.representation, this.config),
            pivotScaling: options.prepare,
          }
        : {}),
      optimiser: {
        kind: 'adam',
        weightDecay: options.optimiser === 'adamw' ? options.weightDecay : 0,
        clip: options.clip,
      },
    };
    let bar: ReturnType<NonNullable<TrainWatch['progress']>> | undefined;
    const trained = await trainContrastive(
      { ...options, config, recipe: this.recipe },
      {
        engine,
        events: this.store,
        split: this.split,
        blockBytes: this.blockBytes,
        folder: files.folder,
        openLog: async keepBytes => (ranks.first ? MetricsLog.open(files.metrics, keepBytes) : MetricsLog.silent()),
        ranks,
        onStep: (step, steps) => {
          bar ??= watch.progress?.({
            label: `encoder, seed ${options.seed}`,
            total: steps * options.batch,
            unit: 'events',
          });
          bar?.update(step * options.batch);
        },
      },
    );
    bar?.stop();
    watch.info?.(
      `encoder, seed ${options.seed}: ${trained.epochs} epochs, ${trained.steps} steps, ` +
        `${Math.round(trained.events / Math.max(trained.seconds, 1e-9))} events/s`,
    );
    return trained;
  }

  /** Detector on an encoder's representation, named after it; how much each of `levels` moves under rotation. */
  private async detectOn(
    prefix: string,
    weights: Floats,
    file: string,
    levels: RepresentationName[],
    log: MetricsLog,
  ): Promise<number[]> {
    const { options, config, engine, store, split, domain, files } = this;
    const model = engine.contrastive(
      {
        ...config,
        // what bfloat16 rounds away, whitening would bring back as noise
        precision: options.precision === 'bf16' ? 'f32' : options.precision,
        loss: options.loss,
        temperature: options.temperature,
        optimiser: { kind: 'adam' },
      },
      this.recipe,
    );
    try {
      model.setWeights(weights);
      const columns = columnsOf(options.representation, config);
      const bar = this.watch.progress?.({
        label: `representations, seed ${options.seed}`,
        total: store.count,
        unit: 'events',
      });
      let done = 0;
      const { sums } = this;
      const represent = async (events: Columns): Promise<Floats> =>
        withSums(selectColumns(await model.embed(events), rowLength(config), columns), events, sums);
      const memory = { memoryBytes: this.blockBytes, folder: files.folder };
      const rows = await keptRows(
        store,
        columns[1] - columns[0] + sumCount(sums),
        events => {
          this.ranks.stopIfAsked();
          bar?.update((done += events.count));
          return represent(events);
        },
        memory,
      );
      bar?.stop();
      try {
        await saveDetector(file, await this.detectorOf(prefix, rows, represent, log));
      } finally {
        await rows.close();
      }
      return await symmetrySpread(
        engine,
        model,
        rowLength(config),
        await invarianceEvents(store, split),
        levels.map(level => columnsOf(level, config)),
        domain.data,
      );
    } finally {
      model.dispose();
    }
  }

  /** The detector that `--detector` asks for: an autoencoder as it is, or members on one scale. */
  private async detectorOf(
    prefix: string,
    rows: RowSource,
    represent: RatioData['represent'],
    log: MetricsLog,
  ): Promise<DetectorWeights> {
    const { options, engine, split, store, blockBytes } = this;
    const beside = sumCount(this.sums);
    const alone =
      options.detector === 'ratio'
        ? undefined
        : await this.autoencoder(`${prefix}autoencoder`, rows, log, {
            preparation: options.prepare,
            beside,
            hidden: options.detectorHidden,
            bottleneck: options.bottleneck,
          });
    if (alone && options.detector === 'autoencoder') return alone;
    const { preparation, precision } = alone
      ? { preparation: alone.preparation, precision: precisionOf(alone.members[0].weights) }
      : await fitToRows({ rows, split }, { preparation: options.prepare, beside });
    const data = { rows, split, blockBytes, store, represent, preparation };
    const how = {
      hidden: options.ratioHidden,
      epochs: options.ratioEpochs,
      batch: options.detectorBatch,
      learningRate: options.detectorLearningRate,
      seed: options.seed,
      recipe: this.ratioRecipe,
    };
    const ratio = await this.watched(`${prefix}ratio`, how.epochs, log, watch =>
      trainRatio(engine, data, how, precision, watch),
    );
    const members: DetectorMember[] = [];
    for (const member of [...(alone?.members ?? []), ratio])
      members.push(await standardised(engine, data, preparation, member));
    return { preparation, members };
  }

  private autoencoder(
    name: string,
    rows: RowSource,
    log: MetricsLog,
    how: Pick<DetectorOptions, 'preparation' | 'beside' | 'hidden' | 'bottleneck'>,
  ): Promise<DetectorWeights> {
    const { options, engine, split, blockBytes } = this;
    return this.watched(name, options.detectorEpochs, log, watch =>
      trainDetector(
        engine,
        { rows, split, blockBytes },
        {
          ...how,
          activation: 'elu',
          epochs: options.detectorEpochs,
          batch: options.detectorBatch,
          learningRate: options.detectorLearningRate,
          seed: options.seed,
        },
        watch,
      ),
    );
  }

  /** Trains a network of a detector behind a bar; its losses go into the log. */
  private async watched<T extends { readonly history: readonly DetectorEpoch[] }>(
    name: string,
    epochs: number,
    log: MetricsLog,
    train: (watch: DetectorWatch) => Promise<T>,
  ): Promise<T> {
    const { options, watch, ranks } = this;
    const bar = watch.progress?.({ label: `${name}, seed ${options.seed}`, total: epochs, unit: 'epochs' });
    const trained = await train({ signal: ranks.signal, onEpoch: epoch => bar?.update(epoch) });
    bar?.stop();
    for (const epoch of trained.history) log.add({ kind: 'detector', name, ...epoch });
    await log.flush();
    return trained;
  }
}
