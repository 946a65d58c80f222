import type {
  Columns,
  EncoderConfig,
  Floats,
  NativeGroup,
  NativePreparation,
  NativeScorerConfig,
  OptimiserState,
  PerceptronConfig,
  Precision,
  StepResult,
  TrainerConfig,
} from '../addon.js';
import type { AugmentationInfo, Recipe } from '../config/recipe.js';

export type { Columns, EncoderConfig, Floats, OptimiserState, PerceptronConfig, Precision, StepResult, TrainerConfig };
/** What gives rows a score: a preparation, and networks on what it makes of them. */
export type DetectorConfig = Omit<NativeScorerConfig, 'encoder'>;
/** What gives events a score: an encoder read at some columns, sums of events, and a detector on both. */
export type ScorerConfig = Required<NativeScorerConfig>;

/** One training step: which events, what their random numbers are keyed by, the learning rate. */
export interface StepRequest {
  readonly events: Columns;
  /** Places in `events`. */
  readonly index: Int32Array;
  /** What each event's random numbers are keyed by; left out it is its place. */
  readonly ids?: Int32Array;
  readonly seed: number;
  readonly epoch: number;
  readonly rate: number;
  /** What the next step will ask for, if it is known: its views are made beside this step. */
  readonly next?: Omit<StepRequest, 'seed' | 'rate' | 'next'> | undefined;
}

/** This process's part in a training of several. */
export interface RankShare {
  readonly rank: number;
  readonly ranks: number;
  readonly group: NativeGroup;
  /** What rank 0's engine gave as `ranks.id()`. */
  readonly id: Uint8Array;
}

/** An encoder that learns by contrast. Calls are made one at a time. */
export interface ContrastiveModel {
  /** Flat, in the order of model/layout.ts. */
  weights(): Floats;
  setWeights(weights: Floats): void;
  optimiserState(): OptimiserState;
  setOptimiserState(state: OptimiserState): void;
  /** Views, forward, loss, backward, update. The loss is that before the update. */
  step(request: StepRequest): Promise<StepResult>;
  /** The loss alone, without dropout or update. */
  loss(request: Omit<StepRequest, 'rate' | 'next'>): Promise<number>;
  /** [events, width + headLayers * output]: the pooled vector, then the output of every head layer. */
  embed(events: Columns, index?: Int32Array): Promise<Floats>;
  dispose(): void;
}

/** A dense network that learns rows or their classes. Calls are made one at a time. */
export interface PerceptronModel {
  weights(): Floats;
  setWeights(weights: Floats): void;
  /** One step on rows x, with their classes where it learns these; the mean squared error or cross-entropy before it. */
  step(x: Floats, rate: number, classes?: Uint8Array): Promise<number>;
  /** Of each row of x: its mean squared error, or the log-odds of class 1. */
  score(x: Floats): Promise<Floats>;
  dispose(): void;
}

/** A trained detector. Calls are made one at a time. */
export interface DetectorModel {
  /** Of each row of x [n, inputs]: the sum of the members on the prepared row. */
  score(x: Floats): Promise<Floats>;
  dispose(): void;
}

/** A trained encoder and the detector on it. Calls are made one at a time. */
export interface ScoringModel {
  /** One score an event. */
  score(events: Columns): Promise<Floats>;
  /** The same at once, holding up the calling thread, for at most 64 events. */
  scoreNow(events: Columns): Floats;
  /** What the detector reads, [events, columns and sums]. */
  embed(events: Columns): Promise<Floats>;
  dispose(): void;
}

/** What computes. Adding one: a file with this and a line in engine/index.ts. */
export interface Engine {
  readonly name: string;
  /** In words: processor target and threads, or GPU. */
  describe(): string;
  /** Said once to whoever asked for the best engine and did not get it: why, and how to. */
  readonly notice?: string | undefined;
  readonly precisions: readonly Precision[];
  supports(loss: string): boolean;
  /** Augmentations it can make views with. */
  augmentations(): AugmentationInfo[];
  /** Can train with others, each on its share of every batch; `id()` on rank 0 makes what all of one training need. */
  readonly ranks?: { id(): Uint8Array };
  /** With a share, steps and losses are made by all ranks together, of the same whole batch; its model is the same on all. */
  contrastive(config: TrainerConfig, recipe: Recipe, share?: RankShare): ContrastiveModel;
  perceptron(config: PerceptronConfig): PerceptronModel;
  detector(config: DetectorConfig): DetectorModel;
  scorer(config: ScorerConfig): ScoringModel;
  /** [n, outputs] of x [n, inputs], in the precision of x; x itself where there is no matrix. */
  prepare(preparation: NativePreparation, x: Floats): Promise<Floats>;
  /** View 0 (anchor), 1 (physical) or 2 (anomalous) of events under a recipe. */
  augment(
    recipe: Recipe,
    view: 0 | 1 | 2,
    events: Columns,
    key: { seed: number; epoch: number; index?: Int32Array; ids?: Int32Array },
  ): Promise<Columns>;
}
