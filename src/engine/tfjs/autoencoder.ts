import type { NativePreparation } from '../../addon.js';
import { autoencoderLayout } from '../../model/layout.js';
import { makeCurrent } from '../../ops/backend.js';
import { linear } from '../../ops/product.js';
import tf, { type Tensor, type Tensor1D, type Tensor2D } from '../../ops/tf.js';
import type { AutoencoderConfig, AutoencoderModel, Floats } from '../engine.js';
import { Parameters, type Weights } from './parameters.js';
import type { Surroundings } from './trainer.js';

type Shape = Pick<AutoencoderConfig, 'widths' | 'activation' | 'activateBottleneck'>;

const activations: Readonly<Record<AutoencoderConfig['activation'], (x: Tensor2D) => Tensor2D>> = {
  relu: x => tf.relu(x),
  leaky_relu: x => tf.leakyRelu(x, 0.01),
  elu: x => tf.elu(x),
};

/** Reconstruction of x [n, widths[0]]: dense layers, the output linear and the narrowest too unless asked otherwise. */
function reconstruct({ widths, activation, activateBottleneck }: Shape, weights: Weights, x: Tensor2D): Tensor2D {
  const bottleneck = widths.indexOf(Math.min(...widths));
  let y = x;
  for (let l = 0; l + 1 < widths.length; l++) {
    y = linear(y, weights(`layers.${l}.weight`), weights(`layers.${l}.bias`));
    const last = l + 2 === widths.length;
    if (!last && (activateBottleneck || l + 1 !== bottleneck)) y = activations[activation](y);
  }
  return y;
}

/** Mean squared error of each row. */
export function errorsOf(shape: Shape, weights: Weights, x: Tensor2D): Tensor1D {
  return tf.mean(tf.squaredDifference(reconstruct(shape, weights, x), x), 1);
}

/** A dense autoencoder on TensorFlow.js. */
export class TfjsAutoencoder implements AutoencoderModel {
  private readonly parameters: Parameters;

  constructor(
    private readonly on: Surroundings,
    private readonly config: AutoencoderConfig,
  ) {
    makeCurrent(on.backend);
    this.parameters = new Parameters(autoencoderLayout(config.widths), config.optimiser);
  }

  weights(): Float32Array {
    return this.parameters.weights();
  }
  setWeights(weights: Floats): void {
    this.parameters.setWeights(weights);
  }
  dispose(): void {
    this.parameters.dispose();
  }

  async step(x: Floats, index: Int32Array, rate: number): Promise<number> {
    makeCurrent(this.on.backend);
    const width = this.config.widths[0];
    const rows = new Float32Array(index.length * width);
    index.forEach((row, i) => rows.set(x.subarray(row * width, (row + 1) * width), i * width));
    const { loss } = await this.parameters.step(
      weights => tf.mean(errorsOf(this.config, weights, tf.tensor2d(rows, [index.length, width]))),
      rate,
    );
    return loss;
  }

  async score(x: Floats): Promise<Float32Array> {
    makeCurrent(this.on.backend);
    const [errors] = this.parameters.use(weights => [errorsOf(this.config, weights, matrix(x, this.config.widths[0]))]);
    return read(errors);
  }

  /** The loss and its gradient, flat, on all rows of x. */
  async gradients(x: Floats): Promise<{ loss: number; weights: Float32Array }> {
    makeCurrent(this.on.backend);
    const rows = matrix(x, this.config.widths[0]);
    const [dx, dweights] = this.parameters.gradients(rows, (weights, at) =>
      tf.mean(errorsOf(this.config, weights, at as Tensor2D)),
    );
    dx.dispose();
    rows.dispose();
    const errors = await this.score(x);
    return { loss: errors.reduce((sum, e) => sum + e, 0) / errors.length, weights: await read(dweights) };
  }
}

/** Rows as a matrix of so many columns. */
export function matrix(x: Floats, columns: number): Tensor2D {
  return tf.tensor2d(x instanceof Float32Array ? x : Float32Array.from(x), [x.length / columns, columns]);
}

/** The numbers of a tensor, which is disposed of. */
export async function read(tensor: Tensor): Promise<Float32Array> {
  const values = await tensor.data<'float32'>();
  tensor.dispose();
  return values;
}

/**
 * y = matrix (x - mean). A whitening matrix has large entries along directions in which background hardly varies, so
 * rows are centred before the product; what float32 cannot hold of the mean goes through the matrix in double.
 */
export class TfjsPreparation {
  private readonly constants: { mean: Tensor1D; matrix: Tensor2D; bias: Tensor1D } | undefined;

  constructor({ inputs, outputs, mean, matrix: given }: NativePreparation) {
    if (!given) return;
    const rounded = Float32Array.from(mean);
    const bias = Float32Array.from({ length: outputs }, (_, o) =>
      rounded.reduce((sum, m, i) => sum + given[o * inputs + i] * (m - mean[i]), 0),
    );
    this.constants = { mean: tf.tensor1d(rounded), matrix: matrix(given, inputs), bias: tf.tensor1d(bias) };
  }

  apply(x: Tensor2D): Tensor2D {
    if (!this.constants) return x;
    const { mean, matrix: by, bias } = this.constants;
    return linear(tf.sub(x, mean), by, bias);
  }

  dispose(): void {
    for (const tensor of Object.values(this.constants ?? {})) tensor.dispose();
  }
}
