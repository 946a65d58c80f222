import type { Floats } from '../addon.js';
import type { Recipe } from '../config/recipe.js';
import type { ContrastiveModel, Engine, RankShare, TrainerConfig } from '../engine/engine.js';
import { AnomalyClrError, DeviceError, RankError, Stopped } from '../errors.js';
import { loadCheckpoint, saveCheckpoint, type Progress } from '../model/checkpoint.js';
import { initialWeights } from '../model/initialise.js';
import { encoderLayout } from '../model/layout.js';
import type { EventStore } from '../read/store.js';
import { BlockShuffle } from './blocks.js';
import { gather, heldBackEvents, trainingEvents, type EventBlock, type GatheredEvents } from './event-blocks.js';
import type { MetricsLog } from './log.js';
import { digestOf, Ranks } from './ranks.js';
import { learningRate } from './schedule.js';
import type { Split } from './split.js';

export interface ContrastiveOptions {
  readonly config: TrainerConfig;
  readonly recipe: Recipe;
  readonly seed: number;
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly schedule: 'cosine' | 'constant';
  /** Share of all steps over which the learning rate rises. */
  readonly warmup: number;
  /** Epochs without a better validation loss before training stops; 0 is never. */
  readonly patience: number;
  readonly checkpointEvery: number;
}

/** Where a training reads and writes, and who watches it. */
export interface TrainingSurroundings {
  readonly engine: Engine;
  readonly events: EventStore;
  readonly split: Split;
  /** Training events are shuffled in blocks of at most this size, as an EventBatch; all at once where left out. */
  readonly blockBytes?: number;
  /** Folder of the run. */
  readonly folder: string;
  readonly openLog: (keepBytes: number) => Promise<MetricsLog>;
  readonly signal?: AbortSignal | undefined;
  /** The processes that train together; rank 0 reads and writes for all. Left out, and with `signal`, it is this one. */
  readonly ranks?: Ranks;
  readonly onStep?: ((step: number, steps: number) => void) | undefined;
}

export interface TrainedEncoder {
  /** Of the epoch with the lowest validation loss; the last one's without validation events. */
  readonly weights: Floats;
  readonly epochs: number;
  readonly steps: number;
  /** Events that went through training steps, all epochs together. */
  readonly events: number;
  /** Time in training steps and validation, s; a resumed run's from all its parts. */
  readonly seconds: number;
  /** Length of metrics.jsonl up to here. */
  readonly metricsBytes: number;
}

/** The epoch that keys the draws of validation: the same views every time, and none of training's. */
const validationEpoch = 0xffffffff;
/** Share of the old in the smoothed loss that the divergence guard watches. */
const smoothing = 0.98;

/**
 * Trains an encoder by contrast, or goes on from the run's last checkpoint with the same result, bit for bit.
 *
 * @throws AnomalyClrError when the loss is not finite or diverges, or a GPU is lost (naming the step and the last
 * checkpoint), and when `signal` fires, a rank is lost or a GPU has too little memory (after writing a checkpoint)
 */
export async function trainContrastive(
  options: ContrastiveOptions,
  around: TrainingSurroundings,
): Promise<TrainedEncoder> {
  const { ranks = Ranks.alone(around.signal) } = around;
  const training = new ContrastiveTraining(options, around, ranks, await ranks.share(around.engine));
  try {
    return await training.run();
  } finally {
    training.dispose();
  }
}

class ContrastiveTraining {
  private readonly model: ContrastiveModel;
  private readonly layout;
  private readonly blocks: BlockShuffle<EventBlock>;
  private readonly stepsPerEpoch: number;
  private readonly steps: number;
  private progress: Progress = {
    step: 0,
    epoch: 0,
    stepInEpoch: 0,
    finished: false,
    metricsBytes: 0,
    optimiserSteps: 0,
    bestEpoch: -1,
    bestLoss: null,
    firstLoss: null,
    smoothLoss: null,
    epochLoss: 0,
    seconds: 0,
  };
  private best: Floats;
  private log!: MetricsLog;
  private since = performance.now();
  private savedStep: number | undefined;
  /** Where this process began. */
  private firstStep = 0;

  constructor(
    private readonly options: ContrastiveOptions,
    private readonly around: TrainingSurroundings,
    private readonly ranks: Ranks,
    share: RankShare | undefined,
  ) {
    const { config, recipe, seed, batch, epochs } = options;
    const { events, split, blockBytes = Infinity } = around;
    if (split.training < 2)
      throw new AnomalyClrError(`${split.training} training events are too few; at least 2 are needed`);
    const stretchBytes = events.bytes / Math.max(1, events.first.length - 1);
    this.blocks = new BlockShuffle(trainingEvents(events, split), seed, blockBytes / stretchBytes);
    this.layout = encoderLayout(config);
    this.model = around.engine.contrastive(config, recipe, share);
    this.best = initialWeights(this.layout, seed, config.precision);
    this.model.setWeights(this.best);
    // a last batch of one event has nothing to contrast with and is left out
    const rest = split.training % batch;
    this.stepsPerEpoch = Math.floor(split.training / batch) + (rest > 1 ? 1 : 0);
    this.steps = this.stepsPerEpoch * epochs;
  }

  dispose(): void {
    this.model.dispose();
  }

  async run(): Promise<TrainedEncoder> {
    await this.restore();
    this.log = await this.around.openLog(this.progress.metricsBytes);
    try {
      while (!this.progress.finished) {
        await this.epoch();
        await this.endEpoch();
      }
    } catch (error) {
      if (error instanceof DeviceError) throw await this.explain(error);
      throw error instanceof RankError ? await this.abandoned(error) : error;
    } finally {
      await this.log.close();
    }
    const { epoch, step, seconds, metricsBytes } = this.progress;
    const events = epoch * Math.min(this.around.split.training, this.stepsPerEpoch * this.options.batch);
    return { weights: this.best, epochs: epoch, steps: step, events, seconds, metricsBytes };
  }

  private async restore(): Promise<void> {
    const { ranks, model } = this;
    const found = ranks.first ? await loadCheckpoint(this.around.folder, this.layout) : undefined;
    const progress = await ranks.fromFirst(found?.progress ?? null);
    if (!progress) return model.setWeights(await ranks.floatsFromFirst(this.best));
    this.progress = progress;
    this.savedStep = this.firstStep = progress.step;
    const weights = await ranks.floatsFromFirst(found?.weights ?? this.best);
    const m = await ranks.floatsFromFirst(found?.moments.m ?? this.best);
    const v = await ranks.floatsFromFirst(found?.moments.v ?? this.best);
    this.best = await ranks.floatsFromFirst(found?.best ?? this.best);
    model.setWeights(weights);
    model.setOptimiserState({ m, v, steps: progress.optimiserSteps });
  }

  private async epoch(): Promise<void> {
    const { batch, checkpointEvery } = this.options;
    const { ranks, progress } = this;
    const batches = this.blocks.batches(progress.epoch, batch, progress.stepInEpoch * batch);
    const following = async (): Promise<GatheredEvents | undefined> => {
      const { value } = await batches.next();
      return value ? gather(value) : undefined;
    };
    try {
      let next = await following();
      while (progress.stepInEpoch < this.stepsPerEpoch && next) {
        const now = next;
        next = await following();
        await this.step(now, progress.stepInEpoch + 1 < this.stepsPerEpoch ? next : undefined);
        if (ranks.ranks > 1) await ranks.agree(progress.step === this.firstStep + 1 ? this.digest() : undefined);
        const stopping = ranks.signal.aborted;
        if (stopping || progress.step % checkpointEvery === 0) await this.checkpoint();
        if (stopping)
          throw new Stopped(
            `stopped after step ${progress.step}; the same command with --resume goes on`,
            ranks.signal,
          );
      }
    } finally {
      await batches.return();
    }
  }

  private async step(now: GatheredEvents, next: GatheredEvents | undefined): Promise<void> {
    const { seed, learningRate: base, schedule, warmup } = this.options;
    const { progress, steps } = this;
    const rate = learningRate({ schedule, base, warmupSteps: Math.round(warmup * steps), steps }, progress.step);
    const { epoch } = progress;
    const { loss, gradientNorm, pivot } = await this.model.step({
      ...now,
      seed,
      epoch,
      rate,
      next: next && { ...next, epoch },
    });
    this.guard(loss, gradientNorm);
    progress.epochLoss += loss;
    progress.step++;
    progress.stepInEpoch++;
    const { step } = progress;
    this.log.add({
      kind: 'step',
      step,
      epoch,
      loss,
      gradientNorm,
      learningRate: rate,
      ...(pivot === undefined ? {} : { pivot }),
    });
    this.around.onStep?.(progress.step, steps);
  }

  private lastCheckpoint(): string {
    return this.savedStep === undefined
      ? 'there is no checkpoint yet'
      : `the last good checkpoint is of step ${this.savedStep} (${this.around.folder}/checkpoint)`;
  }

  /** What a GPU ended, in one line that says what is saved and what to do. */
  private async explain({ code, message }: DeviceError): Promise<DeviceError> {
    const { step } = this.progress;
    const stopped = `training stopped after step ${step}: ${message}`;
    // the model is as the last step left it
    if (code === 'OUT_OF_MEMORY' && this.ranks.first && (await this.savedAgain()))
      return new DeviceError(
        code,
        `${stopped}; begin anew with a --batch below ${this.options.batch}, or free memory of the GPU and go on with ` +
          `--resume from step ${step} (${this.around.folder}/checkpoint)`,
      );
    const further = this.savedStep === undefined ? '' : '; the same command with --resume goes on from there';
    return new DeviceError(code, `${stopped}; ${this.lastCheckpoint()}${further}`);
  }

  /** Saves, unless the GPU ends that too. */
  private async savedAgain(): Promise<boolean> {
    try {
      await this.save();
      return true;
    } catch (error) {
      if (error instanceof DeviceError) return false;
      throw error;
    }
  }

  /** Another rank is lost, in the middle of a step or after it: rank 0 saves the last whole one. */
  private async abandoned({ message }: RankError): Promise<RankError> {
    if (this.ranks.first) await this.save();
    const saved = `${this.lastCheckpoint()}${this.ranks.first ? '' : ', or a later one that rank 0 leaves'}`;
    const further = this.savedStep === undefined ? '' : '; the same command with --resume goes on from there';
    return new RankError(`training stopped at step ${this.progress.step + 1}: ${message}; ${saved}${further}`);
  }

  /** Stops a training that has left the ground, while the last checkpoint is still good. */
  private guard(loss: number, gradientNorm: number): void {
    const { progress } = this;
    const stop = (what: string): never => {
      throw new AnomalyClrError(
        `training stopped at step ${progress.step + 1}: ${what}; ${this.lastCheckpoint()}; ` +
          'try a lower --learning-rate, a smaller --clip or a higher --temperature',
      );
    };
    if (!Number.isFinite(loss)) stop(`the loss is ${loss}`);
    if (!Number.isFinite(gradientNorm)) stop(`the gradient norm is ${gradientNorm}`);
    progress.firstLoss ??= loss;
    progress.smoothLoss =
      progress.smoothLoss === null ? loss : smoothing * progress.smoothLoss + (1 - smoothing) * loss;
    const margin = Math.max(0.1 / this.options.config.temperature, Math.abs(progress.firstLoss));
    if (progress.smoothLoss > progress.firstLoss + margin)
      stop(
        `the loss diverges, it rose from ${progress.firstLoss.toPrecision(4)} to ${progress.smoothLoss.toPrecision(4)}`,
      );
  }

  private async endEpoch(): Promise<void> {
    const { progress } = this;
    const { patience, epochs } = this.options;
    const validation = await this.validate();
    const trainingLoss = progress.epochLoss / this.stepsPerEpoch;
    if (validation === null || progress.bestLoss === null || validation < progress.bestLoss) {
      this.best = this.model.weights();
      progress.bestLoss = validation;
      progress.bestEpoch = progress.epoch;
    }
    this.log.add({ kind: 'epoch', epoch: progress.epoch, trainingLoss, validationLoss: validation });
    const stale = progress.epoch - progress.bestEpoch;
    progress.epoch++;
    progress.stepInEpoch = 0;
    progress.epochLoss = 0;
    progress.finished = progress.epoch >= epochs || (patience > 0 && stale >= patience);
    await this.checkpoint();
  }

  /** Mean loss per event over the held-back events, always on the same views; null where there are too few. */
  private async validate(): Promise<number | null> {
    const { seed, batch } = this.options;
    const { events, split } = this.around;
    let sum = 0;
    let count = 0;
    for await (const some of heldBackEvents(events, split, batch)) {
      if (some.ids.length < 2) continue;
      sum += some.ids.length * (await this.model.loss({ ...some, seed, epoch: validationEpoch }));
      count += some.ids.length;
    }
    return count > 0 ? sum / count : null;
  }

  private digest(): Uint8Array {
    return digestOf(this.model.weights(), this.model.optimiserState());
  }

  /** Of all ranks, once they agree. */
  private async checkpoint(): Promise<void> {
    if (this.ranks.ranks > 1) await this.ranks.agree(this.digest());
    if (this.ranks.first) await this.save();
    this.savedStep = this.progress.step;
  }

  private async save(): Promise<void> {
    const { progress } = this;
    progress.metricsBytes = await this.log.flush();
    const moments = this.model.optimiserState();
    progress.optimiserSteps = moments.steps;
    progress.seconds += (performance.now() - this.since) / 1000;
    this.since = performance.now();
    const weights = this.model.weights();
    const best = progress.bestEpoch < 0 ? weights : this.best;
    await saveCheckpoint(this.around.folder, this.layout, { progress, weights, moments, best });
    this.savedStep = progress.step;
  }
}
