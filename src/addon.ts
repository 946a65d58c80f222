import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AugmentationInfo } from './config/recipe.js';
import { AnomalyClrError } from './errors.js';

/** A contiguous float array in the precision of its session. */
export type Floats = Float32Array | Float64Array;
/** `bf16`: float32, but matrix products of bfloat16 factors. */
export type Precision = 'f32' | 'f64' | 'bf16';

/** Events as the addon takes them: an EventBatch, or its columns. */
export interface Columns {
  readonly pt: Float32Array;
  readonly eta: Float32Array;
  readonly phi: Float32Array;
  readonly kind: Uint8Array;
  readonly offsets: Int32Array;
}

export interface LossInfo {
  name: string;
  help: string;
  source: string;
  usesAnomalous: boolean;
}

/** The same in float64. */
export interface DoubleColumns {
  readonly pt: Float64Array;
  readonly eta: Float64Array;
  readonly phi: Float64Array;
  readonly kind: Uint8Array;
  readonly offsets: Int32Array;
}

/** A recipe in the addon's terms: per view, weighted scenarios of steps; `augmentation` is a place in `augmentations()`. */
export type NativeRecipe = { weight: number; steps: { augmentation: number; parameters: Float64Array }[] }[][];

export interface NativeOptimiser {
  kind: 'adam' | 'sgd';
  weightDecay?: number;
  l2?: number;
  clip?: number;
  beta1?: number;
  beta2?: number;
  eps?: number;
}

export interface EncoderConfig {
  features: 7 | 8;
  ptFeature: 'linear' | 'log';
  /** GeV */
  ptScale: number;
  mask: 'hard' | 'continuous';
  width: number;
  heads: number;
  layers: number;
  feedForward: number;
  output: number;
  headLayers: number;
  headNorm: boolean;
  dropout: number;
}

export interface TrainerConfig extends EncoderConfig {
  precision: Precision;
  loss: string;
  temperature: number;
  invarianceWeight?: number;
  anomalyWeight?: number;
  optimiser: NativeOptimiser;
}

export interface WeightInfo {
  name: string;
  shape: number[];
  offset: number;
}
export interface OptimiserState {
  m: Floats;
  v: Floats;
  steps: number;
}
export interface StepResult {
  loss: number;
  gradientNorm: number;
}
/** Rows of features [tokens, features] and the first row of each event [events + 1]. */
export interface TokenRows {
  x: Floats;
  offsets: Int32Array;
}

/** The events at `index` and what their random numbers are keyed by, the places in `index` being part of it. */
export interface KeyedEvents {
  events: Columns;
  index: Int32Array;
  seed: number;
  epoch: number;
}

export interface NativeTrainer {
  layout(): WeightInfo[];
  weights(): Floats;
  setWeights(argument: { weights: Floats }): void;
  state(): OptimiserState;
  setState(state: OptimiserState): void;
  setRecipe(recipe: NativeRecipe): void;
  /** One training step; `update: false` gives the loss alone. The views of `next` are made beside it. */
  step(argument: KeyedEvents & { rate: number; update: boolean; next?: KeyedEvents }): Promise<StepResult>;
  stepOnViews(argument: { views: TokenRows[]; rate: number; update: boolean }): Promise<StepResult>;
  /** [events, width + headLayers * output]: pooled, then every head layer. */
  embed(argument: { events: Columns; index?: Int32Array }): Promise<Floats>;
  reps(argument: TokenRows): Promise<Floats>;
  gradients(argument: TokenRows & { dreps: Floats }): Promise<{ weights: Floats; x: Floats }>;
  dispose(): void;
}

export interface AutoencoderConfig {
  precision: Exclude<Precision, 'bf16'>;
  widths: Int32Array;
  activation: 'relu' | 'leaky_relu' | 'elu';
  activateBottleneck: boolean;
  optimiser: NativeOptimiser;
}

export interface NativeAutoencoder {
  layout(): WeightInfo[];
  weights(): Floats;
  setWeights(argument: { weights: Floats }): void;
  /** One optimiser step on the rows of x [n, features] at `index`; the loss before it. */
  step(argument: { x: Floats; index?: Int32Array; rate: number }): Promise<number>;
  /** Mean squared error of each row. */
  score(argument: { x: Floats; index?: Int32Array }): Promise<Floats>;
  gradients(argument: { x: Floats; index?: Int32Array }): Promise<{ loss: number; weights: Floats }>;
  dispose(): void;
}

/** y = matrix (x - mean); without a matrix y is x. */
export interface NativePreparation {
  readonly inputs: number;
  readonly outputs: number;
  /** [inputs] */
  readonly mean: Float64Array;
  /** [outputs, inputs] */
  readonly matrix?: Float64Array | undefined;
}

/** Weights are of the precision of the session. */
export interface NativeScorerConfig {
  precision: Precision;
  /** Read at the columns [from, to) of what `NativeTrainer.embed` gives. Without one, rows take the place of events. */
  encoder?: EncoderConfig & { weights: Floats; from: number; to: number };
  preparation: NativePreparation;
  autoencoder: Pick<AutoencoderConfig, 'widths' | 'activation' | 'activateBottleneck'> & { weights: Floats };
}
/** Events, or for a Scorer without an encoder rows x [n, inputs]; all, or those at `index`. */
export type ScorerInput = ({ events: Columns } | { x: Floats }) & { index?: Int32Array };

export interface NativeScorer {
  /** Mean squared error of the prepared row of each event. */
  score(argument: ScorerInput): Promise<Floats>;
  /** The same at once, on the calling thread, for at most 64 events. */
  scoreNow(argument: ScorerInput): Floats;
  /** The columns of the encoder that are scored, [events, to - from]. */
  embed(argument: { events: Columns; index?: Int32Array }): Promise<Floats>;
  dispose(): void;
}

export interface Addon {
  info(): { version: string; target: string; targets: string; features: string; threads: number };
  /** 0 means one per core; returns how many there are now. */
  setThreads(threads: number): number;
  augmentations(): AugmentationInfo[];
  losses(): LossInfo[];
  /** Words of one Philox stream, for comparison with events/philox.ts. */
  randomWords(argument: { seed: number; epoch: number; event: number; stream: number; count: number }): Uint32Array;
  augment(argument: {
    events: Columns;
    index?: Int32Array;
    recipe: NativeRecipe;
    view: 0 | 1 | 2;
    seed: number;
    epoch: number;
  }): Promise<Columns>;
  /** One augmentation with given numbers in place of drawn ones, in float64. */
  augmentWithNumbers(argument: {
    events: DoubleColumns;
    augmentation: number;
    parameters: Float64Array;
    numbers: Float64Array;
    numberOffsets: Int32Array;
  }): DoubleColumns;
  contrastiveLoss(argument: {
    loss: string;
    z: Floats;
    zPhysical: Floats;
    zAnomalous?: Floats;
    events: number;
    dim: number;
    temperature: number;
    invarianceWeight?: number;
    anomalyWeight?: number;
  }): Promise<{ loss: number; gradients: Floats[] }>;
  /** FLOP/s of multiply-adds out of registers, on all threads at once for that long. */
  peak(argument: { precision: Precision; seconds: number }): Promise<number>;
  /** [n, outputs] of x [n, inputs], in the precision of x. */
  prepare(argument: { preparation: NativePreparation; x: Floats; index?: Int32Array }): Promise<Floats>;
  Trainer: new (config: TrainerConfig) => NativeTrainer;
  Autoencoder: new (config: AutoencoderConfig) => NativeAutoencoder;
  Scorer: new (config: NativeScorerConfig) => NativeScorer;
}

const notBuilt =
  'the native engine is not built; it needs CMake 3.22 or later and a C++20 compiler: run "npm run build:native"';

let loaded: Addon | undefined;

/** The package's own folder, whether this file runs from src/ or from dist/src/. */
export function packageRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'package.json'))) {
    const up = path.dirname(folder);
    if (up === folder) throw new AnomalyClrError('package.json of anomalyclr is missing; install the package again');
    folder = up;
  }
  return folder;
}

/**
 * The compiled addon.
 * @throws AnomalyClrError when it was not built, does not load, or ANOMALYCLR_TARGET names what this CPU lacks.
 */
export function loadAddon(): Addon {
  if (loaded) return loaded;
  const file = path.join(packageRoot(), 'build', 'cmake', 'Release', 'anomalyclr.node');
  if (!existsSync(file)) throw new AnomalyClrError(notBuilt);
  try {
    const addon = createRequire(import.meta.url)(file) as Addon;
    addon.info();
    loaded = addon;
    return addon;
  } catch (error) {
    throw new AnomalyClrError(`the native engine does not load: ${(error as Error).message}`);
  }
}
