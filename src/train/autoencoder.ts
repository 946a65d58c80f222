import type { Floats } from '../addon.js';
import type { AutoencoderConfig, AutoencoderModel, Engine } from '../engine/engine.js';
import { AnomalyClrError, Stopped } from '../errors.js';
import { initialWeights } from '../model/initialise.js';
import { autoencoderLayout } from '../model/layout.js';
import { autoencoderConfig, type DetectorWeights } from '../score/detector.js';
import { fitPreparation, type Preparation, type PreparationKind } from '../score/prepare.js';
import { BlockShuffle, type Part, type Stretches } from './blocks.js';
import { pick, type RowSource } from './rows.js';
import { learningRate } from './schedule.js';
import type { Split } from './split.js';

export interface DetectorOptions {
  readonly preparation: PreparationKind;
  readonly activation: AutoencoderConfig['activation'];
  readonly bottleneck: number;
  /** Widths between input and bottleneck; empty is automatic. */
  readonly hidden: readonly number[];
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly seed: number;
}

export interface TrainedDetector extends DetectorWeights {
  /** Training and validation loss of every epoch. */
  readonly history: { epoch: number; trainingLoss: number; validationLoss: number | null }[];
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
  watch: { signal?: AbortSignal | undefined; onEpoch?: (epoch: number) => void } = {},
): Promise<TrainedDetector> {
  const sample = await trainingSample(rows, split);
  const preparation = fitPreparation(options.preparation, sample, rows.features);
  const precision = sample instanceof Float64Array ? 'f64' : 'f32';
  const widths = detectorWidths(preparation.outputs, options);
  const model = engine.autoencoder(autoencoderConfig({ widths, activation: options.activation }, precision));
  try {
    model.setWeights(initialWeights(autoencoderLayout(widths), options.seed, precision));
    const stretchBytes = (4 * rows.features * split.training) / Math.max(1, rows.first.length - 1);
    const training = preparedRows(engine, rows, split, preparation);
    const blocks = new BlockShuffle(training, options.seed, blockBytes / stretchBytes);
    const n = blocks.items;
    const steps = Math.ceil(n / options.batch) * options.epochs;
    const history: TrainedDetector['history'] = [];
    let best: { loss: number; weights: Floats } | undefined;
    for (let epoch = 0, step = 0; epoch < options.epochs; epoch++) {
      let sum = 0;
      for await (const parts of blocks.batches(epoch, options.batch)) {
        if (watch.signal?.aborted)
          throw new Stopped('stopped while training a detector; the same command with --resume goes on', watch.signal);
        const x = joinRows(parts, preparation.outputs);
        const count = x.length / preparation.outputs;
        const rate = learningRate({ schedule: 'cosine', base: options.learningRate, warmupSteps: 0, steps }, step++);
        sum += count * (await model.step(x, upTo(count), rate));
      }
      const trainingLoss = sum / n;
      const validationLoss = await validate(engine, model, { rows, split }, preparation);
      if (!Number.isFinite(trainingLoss) || (validationLoss !== null && !Number.isFinite(validationLoss)))
        throw new AnomalyClrError(
          `the detector's loss is not finite in epoch ${epoch + 1}; lower --detector-learning-rate`,
        );
      history.push({ epoch, trainingLoss, validationLoss });
      const loss = validationLoss ?? trainingLoss;
      if (!best || loss < best.loss) best = { loss, weights: model.weights() };
      watch.onEpoch?.(epoch + 1);
    }
    return { preparation, widths, activation: options.activation, weights: best?.weights ?? model.weights(), history };
  } finally {
    model.dispose();
  }
}

const upTo = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);

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

function concatenate(parts: readonly Floats[]): Floats {
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

/** The training rows as the autoencoder reads them, for BlockShuffle. */
function preparedRows(engine: Engine, rows: RowSource, split: Split, preparation: Preparation): Stretches<Floats> {
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
const joinRows = (parts: readonly Part<Floats>[], width: number): Floats =>
  concatenate(parts.map(({ block, index }) => pick(block, width, index)));

/** Mean error of the held-back rows; null without any. */
async function validate(
  engine: Engine,
  model: AutoencoderModel,
  { rows, split }: Pick<DetectorData, 'rows' | 'split'>,
  preparation: Preparation,
): Promise<number | null> {
  let sum = 0;
  let count = 0;
  for (let stretch = 0; stretch + 1 < rows.first.length; stretch++) {
    const { validation } = split.within(rows.first[stretch], rows.first[stretch + 1]);
    if (validation.length === 0) continue;
    const scores = await model.score(await engine.prepare(preparation, await rows.read(stretch, validation)));
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
