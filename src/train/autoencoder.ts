import type { Floats } from '../addon.js';
import type { AutoencoderConfig, Engine } from '../engine/engine.js';
import { AnomalyClrError } from '../errors.js';
import { shuffle } from '../events/philox.js';
import { initialWeights } from '../model/initialise.js';
import { autoencoderLayout } from '../model/layout.js';
import { autoencoderConfig, type DetectorWeights } from '../score/detector.js';
import { fitPreparation, type PreparationKind } from '../score/prepare.js';
import { learningRate } from './schedule.js';

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

/**
 * Trains an autoencoder on rows of features of background events; keeps the epoch that reconstructs the held-back rows
 * best.
 *
 * @param rows [n, features]; `training` and `validation` are places in it
 */
export async function trainDetector(
  engine: Engine,
  rows: Floats,
  features: number,
  parts: { readonly training: Int32Array; readonly validation: Int32Array },
  options: DetectorOptions,
  watch: { signal?: AbortSignal | undefined; onEpoch?: (epoch: number) => void } = {},
): Promise<TrainedDetector> {
  const training = pick(rows, features, parts.training);
  const preparation = fitPreparation(options.preparation, training, features);
  const x = await engine.prepare(preparation, training);
  const held = await engine.prepare(preparation, pick(rows, features, parts.validation));
  const widths = detectorWidths(preparation.outputs, options);
  const precision = rows instanceof Float64Array ? 'f64' : 'f32';
  const model = engine.autoencoder(autoencoderConfig({ widths, activation: options.activation }, precision));
  try {
    model.setWeights(initialWeights(autoencoderLayout(widths), options.seed, precision));
    const n = parts.training.length;
    const steps = Math.ceil(n / options.batch) * options.epochs;
    const history: TrainedDetector['history'] = [];
    let best: { loss: number; weights: Floats } | undefined;
    for (let epoch = 0, step = 0; epoch < options.epochs; epoch++) {
      const order = shuffle(n, options.seed, epoch);
      let sum = 0;
      for (let from = 0; from < n; from += options.batch, step++) {
        if (watch.signal?.aborted)
          throw new AnomalyClrError('stopped while training a detector; the same command with --resume goes on');
        const index = order.slice(from, from + options.batch);
        const rate = learningRate({ schedule: 'cosine', base: options.learningRate, warmupSteps: 0, steps }, step);
        sum += index.length * (await model.step(x, index, rate));
      }
      const trainingLoss = sum / n;
      const validationLoss = held.length > 0 ? mean(await model.score(held)) : null;
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

/** The rows of x [n, d] at `index`. */
export function pick(x: Floats, d: number, index: Int32Array): Floats {
  const out = x instanceof Float64Array ? new Float64Array(index.length * d) : new Float32Array(index.length * d);
  index.forEach((row, i) => out.set(x.subarray(row * d, (row + 1) * d), i * d));
  return out;
}

function mean(x: Floats): number {
  let sum = 0;
  for (const v of x) sum += v;
  return sum / x.length;
}
