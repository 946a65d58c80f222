import type { Floats, Precision } from '../addon.js';
import type { DetectorConfig, DetectorModel, Engine, PerceptronConfig } from '../engine/engine.js';
import type { Preparation } from './prepare.js';

/** One network of a detector, on prepared rows. */
export interface DetectorMember {
  /** What learned to give back background, or to tell it from its anomalous views. */
  readonly kind: 'autoencoder' | 'ratio';
  readonly widths: readonly number[];
  readonly activation: PerceptronConfig['activation'];
  readonly weights: Floats;
  /**
   * Of f on background that was held back, f being log(mean squared error) of an autoencoder and log(p_anomalous /
   * p_background) of a ratio: the member counts as (f - mean) / deviation. Without it, that is in a detector that is an
   * autoencoder alone, the mean squared error is the score.
   */
  readonly standard?: { readonly mean: number; readonly deviation: number };
}

/** A detector as it lies in `autoencoder.safetensors`: the preparation of what it reads, and what it adds up. */
export interface DetectorWeights {
  readonly preparation: Preparation;
  readonly members: readonly DetectorMember[];
}

/** Gives rows of features an anomaly score. */
export class Detector {
  private readonly model: DetectorModel;
  /** Features that it reads of a row. */
  readonly inputs: number;

  constructor(engine: Engine, trained: DetectorWeights) {
    this.inputs = trained.preparation.inputs;
    this.model = engine.detector(detectorConfig(trained, precisionOf(trained.members[0].weights)));
  }

  /** @param rows [n, inputs] @returns [n], higher is more anomalous */
  async score(rows: Floats): Promise<Float32Array> {
    return rows.length === 0 ? new Float32Array(0) : toFloat32(await this.model.score(rows));
  }

  dispose(): void {
    this.model.dispose();
  }
}

/** A detector as an engine takes it, its weights cast to `precision`. */
export function detectorConfig({ preparation, members }: DetectorWeights, precision: Precision): DetectorConfig {
  const { inputs, outputs, mean, matrix } = preparation;
  return {
    precision,
    preparation: { inputs, outputs, mean, matrix },
    members: members.map(({ kind, widths, activation, weights, standard }) => ({
      learns: kind === 'ratio' ? 'class' : 'row',
      widths: Int32Array.from(widths),
      activation,
      activateBottleneck: false,
      weights: cast(weights, precision),
      logarithm: kind === 'autoencoder' && standard !== undefined,
      mean: standard?.mean ?? 0,
      deviation: standard?.deviation ?? 1,
    })),
  };
}

export const precisionOf = (weights: Floats): PerceptronConfig['precision'] =>
  weights instanceof Float64Array ? 'f64' : 'f32';
export const toFloat32 = (x: Floats): Float32Array => (x instanceof Float32Array ? x : Float32Array.from(x));
const cast = (x: Floats, precision: Precision): Floats => (precision === 'f64' ? Float64Array.from(x) : toFloat32(x));

/** A network of a detector as an engine trains it: a ratio with decay of its weights, which keeps it from memorising. */
export function perceptronConfig(
  { kind, widths, activation }: Pick<DetectorMember, 'kind' | 'widths' | 'activation'>,
  precision: PerceptronConfig['precision'],
): PerceptronConfig {
  return {
    precision,
    learns: kind === 'ratio' ? 'class' : 'row',
    widths: Int32Array.from(widths),
    activation,
    activateBottleneck: false,
    optimiser: { kind: 'adam', weightDecay: kind === 'ratio' ? 0.01 : 0 },
  };
}
