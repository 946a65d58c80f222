import * as z from 'zod';
import type { Floats, Precision } from '../addon.js';
import type { AutoencoderConfig, DetectorConfig, DetectorModel, Engine } from '../engine/engine.js';
import { AnomalyClrError } from '../errors.js';
import { autoencoderLayout } from '../model/layout.js';
import { readSafetensors, writeSafetensors } from '../model/safetensors.js';
import { flatFrom, parseJson, tensorsOf } from '../model/tensors.js';
import type { Preparation } from './prepare.js';

/** An autoencoder and the preparation of what it reads, as they lie in `autoencoder.safetensors`. */
export interface DetectorWeights {
  readonly preparation: Preparation;
  readonly widths: readonly number[];
  readonly activation: AutoencoderConfig['activation'];
  readonly weights: Floats;
}

/** Gives rows of features an anomaly score. */
export class Detector {
  private readonly model: DetectorModel;
  /** Features that it reads of a row. */
  readonly inputs: number;

  constructor(engine: Engine, trained: DetectorWeights) {
    this.inputs = trained.preparation.inputs;
    this.model = engine.detector(detectorConfig(trained, precisionOf(trained.weights)));
  }

  /** @param rows [n, inputs] @returns [n], higher is more anomalous: the mean squared error of the prepared row */
  async score(rows: Floats): Promise<Float32Array> {
    return rows.length === 0 ? new Float32Array(0) : toFloat32(await this.model.score(rows));
  }

  dispose(): void {
    this.model.dispose();
  }
}

/** A detector as an engine takes it, its weights cast to `precision`. */
export function detectorConfig(
  { preparation, widths, activation, weights }: DetectorWeights,
  precision: Precision,
): DetectorConfig {
  const { inputs, outputs, mean, matrix } = preparation;
  return {
    precision,
    preparation: { inputs, outputs, mean, matrix },
    autoencoder: {
      widths: Int32Array.from(widths),
      activation,
      activateBottleneck: false,
      weights: cast(weights, precision),
    },
  };
}

export const precisionOf = (weights: Floats): AutoencoderConfig['precision'] =>
  weights instanceof Float64Array ? 'f64' : 'f32';
export const toFloat32 = (x: Floats): Float32Array => (x instanceof Float32Array ? x : Float32Array.from(x));
const cast = (x: Floats, precision: Precision): Floats => (precision === 'f64' ? Float64Array.from(x) : toFloat32(x));

export function autoencoderConfig(
  { widths, activation }: Pick<DetectorWeights, 'widths' | 'activation'>,
  precision: AutoencoderConfig['precision'],
): AutoencoderConfig {
  return {
    precision,
    widths: Int32Array.from(widths),
    activation,
    activateBottleneck: false,
    optimiser: { kind: 'adam' },
  };
}

const metadataSchema = z.object({
  widths: z.array(z.int().min(1)).min(3),
  activation: z.enum(['relu', 'leaky_relu', 'elu']),
  preparation: z.enum(['none', 'standardise', 'whiten']),
});

/** Writes a detector, atomically. */
export async function saveDetector(file: string, detector: DetectorWeights): Promise<void> {
  const { preparation, widths, activation, weights } = detector;
  const tensors = tensorsOf(autoencoderLayout(widths), weights);
  tensors.set('preparation.mean', { dtype: 'F64', shape: [preparation.inputs], data: preparation.mean });
  if (preparation.matrix)
    tensors.set('preparation.matrix', {
      dtype: 'F64',
      shape: [preparation.outputs, preparation.inputs],
      data: preparation.matrix,
    });
  await writeSafetensors(file, tensors, {
    format: 'anomalyclr.autoencoder.1',
    config: JSON.stringify({ widths, activation, preparation: preparation.kind }),
  });
}

/** @throws AnomalyClrError where the file is not a detector */
export async function loadDetector(file: string): Promise<DetectorWeights> {
  const { tensors, metadata } = await readSafetensors(file);
  const config = metadataSchema.safeParse(parseJson(metadata['config']));
  const mean = tensors.get('preparation.mean');
  if (!config.success || mean?.dtype !== 'F64')
    throw new AnomalyClrError(`${file}: not an autoencoder of this program; train the run again`);
  const { widths, activation, preparation: kind } = config.data;
  const matrix = tensors.get('preparation.matrix');
  const inputs = mean.shape[0];
  if (
    kind === 'none'
      ? inputs !== widths[0]
      : matrix?.dtype !== 'F64' || matrix.shape[0] !== widths[0] || matrix.shape[1] !== inputs
  )
    throw new AnomalyClrError(`${file}: its preparation does not fit its autoencoder; the file is damaged`);
  return {
    preparation: {
      kind,
      inputs,
      outputs: widths[0],
      mean: mean.data as Float64Array,
      matrix: matrix?.data as Float64Array | undefined,
    },
    widths,
    activation,
    weights: flatFrom(file, autoencoderLayout(widths), tensors),
  };
}
