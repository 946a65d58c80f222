import * as z from 'zod';
import type { Floats } from '../addon.js';
import type { AutoencoderConfig, AutoencoderModel, Engine } from '../engine/engine.js';
import { AnomalyClrError } from '../errors.js';
import { autoencoderLayout } from '../model/layout.js';
import { readSafetensors, writeSafetensors } from '../model/safetensors.js';
import { flatFrom, parseJson, tensorsOf } from '../model/tensors.js';
import { prepare, type Preparation } from './prepare.js';

/** An autoencoder and the preparation of what it reads, as they lie in `autoencoder.safetensors`. */
export interface DetectorWeights {
  readonly preparation: Preparation;
  readonly widths: readonly number[];
  readonly activation: AutoencoderConfig['activation'];
  readonly weights: Floats;
}

/** Gives rows of features an anomaly score. */
export class Detector {
  private readonly model: AutoencoderModel;

  constructor(
    engine: Engine,
    private readonly trained: DetectorWeights,
  ) {
    const precision = trained.weights instanceof Float64Array ? 'f64' : 'f32';
    this.model = engine.autoencoder(autoencoderConfig(trained, precision));
    this.model.setWeights(trained.weights);
  }

  /** Features that it reads of a row. */
  get inputs(): number {
    return this.trained.preparation.inputs;
  }

  /** @param rows [n, features] @returns [n], higher is more anomalous: the mean squared error of the prepared row */
  async score(rows: Floats): Promise<Float32Array> {
    if (rows.length === 0) return new Float32Array(0);
    const scores = await this.model.score(prepare(this.trained.preparation, rows));
    return scores instanceof Float32Array ? scores : Float32Array.from(scores);
  }

  dispose(): void {
    this.model.dispose();
  }
}

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
