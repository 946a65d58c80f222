import type { Floats } from '../addon.js';
import type { Engine, PerceptronConfig, PerceptronModel } from '../engine/engine.js';
import { AnomalyClrError, Stopped } from '../errors.js';
import { initialWeights } from '../model/initialise.js';
import { perceptronLayout } from '../model/layout.js';
import { perceptronConfig, type DetectorWeights } from '../score/detector.js';
import { fitPreparation, type Preparation, type PreparationKind } from '../score/prepare.js';
import { BlockShuffle, type Part, type Stretches } from './blocks.js';
import { pick, type RowSource } from './rows.js';
import { learningRate } from './schedule.js';
import type { EventSplit, Split } from './split.js';

export interface DetectorOptions {
  readonly preparation: PreparationKind;
  /** How many of the last columns stand beside a representation. */
  readonly beside?: number;
  readonly activation: PerceptronConfig['activation'];
  readonly bottleneck: number;
  /** Widths between input and bottleneck; empty is automatic. */
  readonly hidden: readonly number[];
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly seed: number;
}

/** Losses of one epoch; of validation null without held-back events. */
export interface DetectorEpoch {
  readonly epoch: number;
  readonly trainingLoss: number;
  readonly validationLoss: number | null;
}

export interface TrainedDetector extends DetectorWeights {
  readonly history: readonly DetectorEpoch[];
}

/** Who watches a detector's training. */
export interface DetectorWatch {
  readonly signal?: AbortSignal | undefined;
  readonly onEpoch?: (epoch: number) => void;
}

/** The rows that a detector learns from. */
export interface DetectorData {
  readonly rows: RowSource;
  readonly split: Split;
  /** Training rows are shuffled in blocks of at most this size; all at once where left out. */
  readonly blockBytes?: number;
}

/** Rows that a preparation is fitted on: more change no figure that matters. */
const fitRows = 200_000;

/**
 * Trains an autoencoder on rows of features of background events; keeps the epoch that reconstructs the held-back rows
 * best.
 */
export async function trainDetector(
  engine: Engine,
  { rows, split, blockBytes = Infinity }: DetectorData,
  options: DetectorOptions,
  watch: DetectorWatch = {},
): Promise<TrainedDetector> {
  const { preparation, precision } = await fitToRows({ rows, split }, options);
  const widths = detectorWidths(preparation.outputs, options);
  const { activation } = options;
  const model = engine.perceptron(perceptronConfig({ kind: 'autoencoder', widths, activation }, precision));
  try {
    model.setWeights(initialWeights(perceptronLayout(widths), options.seed, precision));
    const stretchBytes = (4 * rows.features * split.training) / Math.max(1, rows.first.length - 1);
    const training = preparedRows(engine, rows, split, preparation);
    const blocks = new BlockShuffle(training, options.seed, blockBytes / stretchBytes);
    const { weights, history } = await keepBestEpoch(model, blocks, options, watch, {
      step: async (parts, _, rate) => {
        const x = joinRows(parts, preparation.outputs);
        return { count: x.length / preparation.outputs, loss: await model.step(x, rate) };
      },
      validate: () => validate(engine, model, { rows, split }, preparation),
    });
    return { preparation, members: [{ kind: 'autoencoder', widths, activation, weights }], history };
  } finally {
    model.dispose();
  }
}

/**
 * How every network of a detector learns: shuffled batches, half a cosine of the learning rate, and the weights of the epoch
 * with the least loss on held-back events, or where there are none on those of training.
 */
export async function keepBestEpoch<B>(
  model: PerceptronModel,
  blocks: BlockShuffle<B>,
  { epochs, batch, learningRate: base }: Pick<DetectorOptions, 'epochs' | 'batch' | 'learningRate'>,
  watch: DetectorWatch,
  how: {
    /** One step; the mean loss of `count` events. */
    step(parts: readonly Part<B>[], epoch: number, rate: number): Promise<{ count: number; loss: number }>;
    validate(): Promise<number | null>;
  },
): Promise<{ weights: Floats; history: readonly DetectorEpoch[] }> {
  const steps = Math.ceil(blocks.items / batch) * epochs;
  const history: DetectorEpoch[] = [];
  let best: { loss: number; weights: Floats } | undefined;
  for (let epoch = 0, done = 0; epoch < epochs; epoch++) {
    let sum = 0;
    for await (const parts of blocks.batches(epoch, batch)) {
      stopIfAsked(watch);
      const rate = learningRate({ schedule: 'cosine', base, warmupSteps: 0, steps }, done++);
      const { count, loss } = await how.step(parts, epoch, rate);
      sum += count * loss;
    }
    const trainingLoss = sum / blocks.items;
    const validationLoss = await how.validate();
    history.push(finiteEpoch({ epoch, trainingLoss, validationLoss }));
    const loss = validationLoss ?? trainingLoss;
    if (!best || loss < best.loss) best = { loss, weights: model.weights() };
    watch.onEpoch?.(epoch + 1);
  }
  return { weights: best?.weights ?? model.weights(), history };
}

function stopIfAsked({ signal }: DetectorWatch): void {
  if (signal?.aborted)
    throw new Stopped('stopped while training a detector; the same command with --resume goes on', signal);
}

/** @throws AnomalyClrError where its losses are not finite */
function finiteEpoch(losses: DetectorEpoch): DetectorEpoch {
  const { epoch, trainingLoss, validationLoss } = losses;
  if (!Number.isFinite(trainingLoss) || !Number.isFinite(validationLoss ?? 0))
    throw new AnomalyClrError(
      `the detector's loss is not finite in epoch ${epoch + 1}; lower --detector-learning-rate`,
    );
  return losses;
}

/** What brings rows to one scale, and the precision that they come in. */
export async function fitToRows(
  { rows, split }: Pick<DetectorData, 'rows' | 'split'>,
  { preparation: kind, beside }: Pick<DetectorOptions, 'preparation' | 'beside'>,
): Promise<{ preparation: Preparation; precision: 'f32' | 'f64' }> {
  const sample = await trainingSample(rows, split);
  const precision = sample instanceof Float64Array ? 'f64' : 'f32';
  return { preparation: fitPreparation(kind, sample, rows.features, beside), precision };
}

/** Training rows of all stretches, or of events evenly taken where they are many. */
async function trainingSample(rows: RowSource, split: Split): Promise<Floats> {
  const { first } = rows;
  const stride = Math.max(1, Math.floor(split.training / fitRows));
  const parts: Floats[] = [];
  for (let stretch = 0, before = 0; stretch + 1 < first.length; stretch++) {
    const { training } = split.within(first[stretch], first[stretch + 1]);
    const index = training.filter((_, i) => (before + i) % stride === 0);
    before += training.length;
    if (index.length > 0) parts.push(await rows.read(stretch, index));
  }
  return concatenate(parts);
}

export function concatenate(parts: readonly Floats[]): Floats {
  if (parts.length === 1) return parts[0];
  const out = emptyLike(
    parts[0],
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const emptyLike = (x: Floats | undefined, length: number): Floats =>
  x instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);

/** The training rows as a detector's networks read them, for BlockShuffle. */
export function preparedRows(
  engine: Engine,
  rows: RowSource,
  split: Split,
  preparation: Preparation,
): Stretches<Floats> {
  const positions = (stretch: number): Int32Array =>
    split.within(rows.first[stretch], rows.first[stretch + 1]).training;
  const counts = Int32Array.from({ length: rows.first.length - 1 }, (_, stretch) => positions(stretch).length);
  return {
    counts,
    async load(stretches) {
      const size = stretches.reduce((sum, stretch) => sum + counts[stretch] * preparation.outputs, 0);
      let block: Floats | undefined;
      let at = 0;
      for (const stretch of stretches) {
        const some = await engine.prepare(preparation, await rows.read(stretch, positions(stretch)));
        block ??= emptyLike(some, size);
        block.set(some, at);
        at += some.length;
      }
      return block ?? new Float32Array(0);
    },
  };
}

/** The rows of a batch out of their blocks. */
export const joinRows = (parts: readonly Part<Floats>[], width: number): Floats =>
  concatenate(parts.map(({ block, index }) => pick(block, width, index)));

/** The rows of one part of the events, stretch by stretch, in order. */
export async function* rowsOfPart(
  { rows, split }: Pick<DetectorData, 'rows' | 'split'>,
  part: keyof EventSplit,
): AsyncGenerator<{ readonly stretch: number; readonly index: Int32Array; readonly x: Floats }> {
  for (let stretch = 0; stretch + 1 < rows.first.length; stretch++) {
    const index = split.within(rows.first[stretch], rows.first[stretch + 1])[part];
    if (index.length > 0) yield { stretch, index, x: await rows.read(stretch, index) };
  }
}

/** Mean error of the held-back rows; null without any. */
async function validate(
  engine: Engine,
  model: PerceptronModel,
  data: Pick<DetectorData, 'rows' | 'split'>,
  preparation: Preparation,
): Promise<number | null> {
  let sum = 0;
  let count = 0;
  for await (const { x } of rowsOfPart(data, 'validation')) {
    const scores = await model.score(await engine.prepare(preparation, x));
    for (const score of scores) sum += score;
    count += scores.length;
  }
  return count > 0 ? sum / count : null;
}

/** From input to output. The automatic ones fall in three equal ratios from the input to the bottleneck. */
function detectorWidths(inputs: number, { bottleneck, hidden }: DetectorOptions): number[] {
  if (inputs < 2)
    throw new AnomalyClrError(
      `a detector on ${inputs} number an event cannot learn anything; use another representation`,
    );
  const narrow = Math.min(bottleneck, inputs - 1);
  const ratio = narrow / inputs;
  const down =
    hidden.length > 0 ? hidden : [Math.round(inputs * ratio ** (1 / 3)), Math.round(inputs * ratio ** (2 / 3))];
  return [inputs, ...down, narrow, ...[...down].reverse(), inputs];
}
