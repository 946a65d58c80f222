import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { AugmentationInfo } from './config/recipe.js';
import { AnomalyClrError, UsageError } from './errors.js';
import { oneLine } from './files.js';
import { findPlatform, packageRoot, platformSpec } from './platform.js';

export { packageRoot } from './platform.js';

/** A contiguous float array in the precision of its session. */
export type Floats = Float32Array | Float64Array;
/** `bf16`: float32, but matrix products of bfloat16 factors. */
export type Precision = 'f32' | 'f64' | 'bf16';

/** Where a session or a call computes; left out is the CPU. */
export type NativePlace =
  | { readonly device?: 'cpu' }
  | {
      readonly device: 'cuda';
      /** File of the device library. */
      readonly library: string;
      /** Which GPU, from 0. */
      readonly deviceIndex?: number;
    };

/** This process's share of a data-parallel training; `group` is what `deviceGroup()` gave to rank 0. */
export interface NativeRanks {
  readonly rank: number;
  readonly ranks: number;
  /** [128] */
  readonly group?: Uint8Array;
}

/** What a device library finds; `why` says what is missing and what to do. */
export type DeviceFound =
  | { library: string; version?: string; available: false; why: string }
  | {
      library: string;
      /** Of the package that the library is of. */
      version: string;
      available: true;
      name: string;
      /** 90 for 9.0. */
      capability: number;
      processors: number;
      /** 13000 for 13.0. */
      driver: number;
      runtime: number;
      /** A stand-in on the CPU, for tests. */
      emulated: boolean;
      /** Bytes. */
      memory: number;
      memoryFree: number;
      /** What multiplies matrices. */
      dense: string;
    };

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
  /** What eta is divided by, 4 where left out; the size of a jet where events are jets. */
  etaScale?: number | undefined;
  /** What phi is divided by where there are 7 features, rad; pi where left out. */
  phiScale?: number | undefined;
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
  /** Weight of the distance correlation between rows and the view they are of; 0 where left out. */
  pivotWeight?: number;
  /** Where it reads them: 0 the pooled vector, l the output of layer l of the head. */
  pivotLevel?: number;
  /** How it brings rows to one scale, by the covariance of the anchors in a batch; `none` where left out. */
  pivotScaling?: 'none' | 'standardise' | 'whiten';
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
  /** The distance correlation, without its weight, where the loss has that term. */
  pivot?: number;
}
/** Rows of features [tokens, features] and the first row of each event [events + 1]. */
export interface TokenRows {
  x: Floats;
  offsets: Int32Array;
}

/** The events at `index` and what their random numbers are keyed by: `ids`, or without them the places in `index`, too. */
export interface KeyedEvents {
  events: Columns;
  index: Int32Array;
  ids?: Int32Array;
  seed: number;
  epoch: number;
  /** Of a rank's share: how many events stand before it in the batch of all ranks, and how many that has. */
  first?: number;
  total?: number;
}

/** The processes of one training. Calls are made one at a time, and by all of them in the same order. */
export interface NativeGroup {
  /** Meets the others, which rank 0 awaits at its address. */
  connect(): Promise<void>;
  /** What each rank hands in, in order of ranks. */
  gather(argument: { bytes: Uint8Array }): Promise<Uint8Array[]>;
  /** Ends a call under way, tells the others why where there is a reason, and hangs up. */
  leave(argument: { reason: string }): Promise<void>;
  dispose(): void;
}
export interface NativeGroupConfig {
  rank: number;
  ranks: number;
  /** Of rank 0. */
  address: string;
  port: number;
  /** [32]: the same on all ranks of a job, and on no others. */
  token: Uint8Array;
  /** How long all may take to come, s. */
  seconds: number;
  /** How long another rank may be silent within a call, s. */
  patience: number;
  /** Ends the message where a rank does not come: what to do. */
  hint: string;
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

/** A dense network that learns its input, as an autoencoder, or the class of it, 0 or 1. */
export interface PerceptronConfig {
  precision: Exclude<Precision, 'bf16'>;
  learns: 'row' | 'class';
  /** From input to output: the same of the row itself, 1 of a class. */
  widths: Int32Array;
  activation: 'relu' | 'leaky_relu' | 'elu';
  activateBottleneck: boolean;
  optimiser: NativeOptimiser;
}

/** Rows x [n, features], all or those at `index`, and their classes [n], where these are learned. */
export interface PerceptronRows {
  x: Floats;
  index?: Int32Array;
  classes?: Uint8Array;
}

export interface NativePerceptron {
  layout(): WeightInfo[];
  weights(): Floats;
  setWeights(argument: { weights: Floats }): void;
  /** One optimiser step; the loss before it. */
  step(argument: PerceptronRows & { rate: number }): Promise<number>;
  /** Mean squared error of each row, or the log-odds of class 1. */
  score(argument: { x: Floats; index?: Int32Array }): Promise<Floats>;
  gradients(argument: PerceptronRows): Promise<{ loss: number; weights: Floats }>;
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

/** What a detector adds up: (f - mean) / deviation of the network's score, or with `logarithm` of its log. */
export interface NativeMember extends Pick<
  PerceptronConfig,
  'learns' | 'widths' | 'activation' | 'activateBottleneck'
> {
  weights: Floats;
  logarithm: boolean;
  mean: number;
  deviation: number;
}

/** Weights are of the precision of the session. */
export interface NativeScorerConfig {
  precision: Precision;
  /**
   * Read at the columns [from, to) of what `NativeTrainer.embed` gives; behind these stand the sums of events
   * (events/event-sums.ts) over the class codes `sums`, if any. Without an encoder, rows take the place of events.
   */
  encoder?: EncoderConfig & { weights: Floats; from: number; to: number; sums?: Int32Array };
  preparation: NativePreparation;
  members: readonly NativeMember[];
}
/** Events, or for a Scorer without an encoder rows x [n, inputs]; all, or those at `index`. */
export type ScorerInput = ({ events: Columns } | { x: Floats }) & { index?: Int32Array };

export interface NativeScorer {
  /** The sum of the members on the prepared row of each event. */
  score(argument: ScorerInput): Promise<Floats>;
  /** The same at once, on the calling thread, for at most 64 events. */
  scoreNow(argument: ScorerInput): Floats;
  /** What is scored: the columns of the encoder and the sums, [events, inputs]. */
  embed(argument: { events: Columns; index?: Int32Array }): Promise<Floats>;
  dispose(): void;
}

export interface AugmentArgument {
  events: Columns;
  index?: Int32Array;
  /** As in {@link KeyedEvents}. */
  ids?: Int32Array;
  recipe: NativeRecipe;
  view: 0 | 1 | 2;
  seed: number;
  epoch: number;
}

/** Rows z of each view, [events, dim]. */
export interface ContrastiveLossArgument {
  loss: string;
  z: Floats;
  zPhysical: Floats;
  zAnomalous?: Floats;
  events: number;
  dim: number;
  temperature: number;
  invarianceWeight?: number;
  anomalyWeight?: number;
  /** Products of bfloat16 factors; for float32 alone. */
  precision?: 'bf16';
}
/** Gradients of the views that the loss uses, [events, dim] each. */
export interface ContrastiveLoss {
  loss: number;
  gradients: Floats[];
}

/** What both ways through an attention layer take. An event has at most 64 tokens. */
export interface AttentionArgument {
  /** [tokens, 3 dim]: q, k, v; each `heads` times dim / heads columns. */
  qkv: Floats;
  /** [events + 1]: the first token of each event, from 0 to the count of tokens. */
  offsets: Int32Array;
  heads: number;
  /** Dropout on the probabilities, laid out as probs: 0 goes, what is kept is multiplied by `keepScale` (1 where left out). */
  keep?: Uint8Array;
  keepScale?: number;
}

export interface DenseArgument {
  /** [n, inputs] */
  x: Floats;
  /** [outputs, inputs] */
  weight: Floats;
  inputs: number;
  outputs: number;
  /** Products of bfloat16 factors; for float32 alone. */
  precision?: 'bf16';
}

/** What ends in Now, and kernels from `attention` on, run at once and hold up the event loop; results do not depend on threads. */
export interface Addon {
  info(): { version: string; target: string; targets: string; features: string; threads: number };
  /** 0 means one per core; returns how many there are now. */
  setThreads(threads: number): number;
  /** Tries a device library; nothing of it is loaded where there is no driver. */
  device(argument: { library: string; deviceIndex?: number }): DeviceFound;
  /** [128]: what the ranks of a training on GPUs share, made on one of them. */
  deviceGroup(argument: { library: string }): Uint8Array;
  augmentations(): AugmentationInfo[];
  losses(): LossInfo[];
  /** Words of one Philox stream, for comparison with events/philox.ts. */
  randomWords(argument: { seed: number; epoch: number; event: number; stream: number; count: number }): Uint32Array;
  augment(argument: AugmentArgument & NativePlace): Promise<Columns>;
  /** The same at once. */
  augmentNow(argument: AugmentArgument): Columns;
  /** One augmentation with given numbers in place of drawn ones, in float64. */
  augmentWithNumbers(argument: {
    events: DoubleColumns;
    augmentation: number;
    parameters: Float64Array;
    numbers: Float64Array;
    numberOffsets: Int32Array;
  }): DoubleColumns;
  contrastiveLoss(argument: ContrastiveLossArgument & NativePlace): Promise<ContrastiveLoss>;
  /** The same at once; `gradients: false` gives the value alone, and an empty list. */
  contrastiveLossNow(argument: ContrastiveLossArgument & { gradients?: boolean }): ContrastiveLoss;
  /** FLOP/s of multiply-adds out of registers, on all threads at once for that long. */
  peak(argument: { precision: Precision; seconds: number }): Promise<number>;
  /** [n, outputs] of x [n, inputs], in the precision of x. */
  prepare(argument: { preparation: NativePreparation; x: Floats; index?: Int32Array }): Promise<Floats>;
  /**
   * Self-attention of each event on its own tokens: out [tokens, dim] = softmax(q k^T / sqrt(dim / heads) + keyBias) v, head
   * after head. probs holds for each event, one after another, `heads` matrices [n, n rounded up to a multiple of 8], zero
   * in the padding; before dropout.
   */
  attention(argument: AttentionArgument & { keyBias?: Floats }): { out: Floats; probs: Floats };
  /** From dout [tokens, dim] and the probs that `attention` gave: dqkv [tokens, 3 dim] and dkeyBias [tokens]. */
  attentionBackward(argument: AttentionArgument & { probs: Floats; dout: Floats }): { dqkv: Floats; dkeyBias: Floats };
  /** y [n, outputs] = x weight^T + bias, with `relu` nothing below 0. */
  dense(argument: DenseArgument & { bias?: Floats; relu?: boolean }): Floats;
  /** From dy [n, outputs]: dx = dy weight [n, inputs], dweight = dy^T x [outputs, inputs], dbias [outputs]. */
  denseBackward(argument: DenseArgument & { dy: Floats }): { dx: Floats; dweight: Floats; dbias: Floats };
  /**
   * One update of flat weights by an optimiser, of `weights`, `m` and `v` in place (which must not be shared memory);
   * `steps` were taken before it. Gives the norm of the gradient before clipping; where that is not finite, nothing changes.
   */
  adam(argument: {
    weights: Floats;
    m: Floats;
    v: Floats;
    gradient: Floats;
    steps: number;
    rate: number;
    optimiser: NativeOptimiser;
  }): number;
  /**
   * Bytes of dropout, 1 where kept: for each event ids[i] the first counts[i] of its stream, one event after another.
   * `threshold` of 256 go.
   */
  dropoutKeep(argument: {
    seed: number;
    epoch: number;
    stream: number;
    ids: Uint32Array;
    counts: Int32Array;
    /** 0..256 */
    threshold: number;
  }): Uint8Array;
  /** Ranks on the CPU share a `group`, on GPUs `ranks`. */
  Trainer: new (config: TrainerConfig & NativePlace & { ranks?: NativeRanks; group?: NativeGroup }) => NativeTrainer;
  Perceptron: new (config: PerceptronConfig & NativePlace) => NativePerceptron;
  Scorer: new (config: NativeScorerConfig & NativePlace) => NativeScorer;
  Group: new (config: NativeGroupConfig) => NativeGroup;
}

/** The addon's file, and where it comes from in words. */
export interface AddonFile {
  readonly file: string;
  readonly source: string;
}

/**
 * The addon that was compiled here, else that of the platform's package.
 *
 * @throws AnomalyClrError where there is neither, saying how to get one
 */
export function findAddon(): AddonFile {
  const root = packageRoot();
  const file = path.join(root, 'build', 'cmake', 'Release', 'anomalyclr.node');
  if (existsSync(file)) return { file, source: 'compiled here' };
  const prebuilt = findPlatform();
  if (prebuilt) return { file: path.join(prebuilt.folder, 'anomalyclr.node'), source: `prebuilt, of ${prebuilt.name}` };
  const script = path.relative('.', path.join(root, 'scripts', 'build-native.cjs'));
  throw new AnomalyClrError(
    `the native engine is neither installed nor compiled: npm install ${platformSpec()}, or with CMake 3.22 or later and a C++20 compiler: node ${script}`,
  );
}

let loaded: { addon: Addon; from: AddonFile } | undefined;

/** Where the addon that is in use comes from. */
export const addonSource = (): string | undefined => loaded?.from.source;

/**
 * The compiled addon.
 *
 * @throws AnomalyClrError when there is none, it does not load, or ANOMALYCLR_NATIVE=skip leaves it out; UsageError when
 * ANOMALYCLR_TARGET names what this CPU lacks
 */
export function loadAddon(): Addon {
  if (loaded) return loaded.addon;
  if (process.env['ANOMALYCLR_NATIVE'] === 'skip')
    throw new AnomalyClrError('ANOMALYCLR_NATIVE=skip leaves the native engine out; unset it to have it');
  const from = findAddon();
  let addon: Addon;
  try {
    addon = createRequire(import.meta.url)(from.file) as Addon;
  } catch (error) {
    throw new AnomalyClrError(`the native engine (${from.source}) does not load: ${oneLine((error as Error).message)}`);
  }
  try {
    addon.info();
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  loaded = { addon, from };
  return addon;
}
