import type { NativePreparation } from '../../addon.js';
import { perceptronLayout } from '../../model/layout.js';
import { makeCurrent } from '../../ops/backend.js';
import { linear } from '../../ops/product.js';
import tf, { type Scalar, type Tensor, type Tensor1D, type Tensor2D } from '../../ops/tf.js';
import type { Floats, PerceptronConfig, PerceptronModel } from '../engine.js';
import { Parameters, type Weights } from './parameters.js';
import type { Surroundings } from './trainer.js';

type Shape = Pick<PerceptronConfig, 'learns' | 'widths' | 'activation' | 'activateBottleneck'>;

const activations: Readonly<Record<PerceptronConfig['activation'], (x: Tensor2D) => Tensor2D>> = {
  relu: x => tf.relu(x),
  leaky_relu: x => tf.leakyRelu(x, 0.01),
  elu: x => tf.elu(x),
};

/**
 * Output for x [n, widths[0]]: dense layers, the last linear; of an autoencoder the narrowest too, unless asked otherwise.
 */
function output({ learns, widths, activation, activateBottleneck }: Shape, weights: Weights, x: Tensor2D): Tensor2D {
  const linearToo = learns === 'row' && !activateBottleneck ? widths.indexOf(Math.min(...widths)) : -1;
  let y = x;
  for (let l = 0; l + 1 < widths.length; l++) {
    y = linear(y, weights(`layers.${l}.weight`), weights(`layers.${l}.bias`));
    const last = l + 2 === widths.length;
    if (!last && l + 1 !== linearToo) y = activations[activation](y);
  }
  return y;
}

/** Of each row: its mean squared error, or the log-odds of class 1. */
export function scoresOf(shape: Shape, weights: Weights, x: Tensor2D): Tensor1D {
  const y = output(shape, weights, x);
  return shape.learns === 'class' ? y.as1D() : tf.mean(tf.squaredDifference(y, x), 1);
}

/** Mean squared error, or mean cross-entropy log(1 + e^z) - y z of log-odds z and classes y. */
function lossOf(shape: Shape, weights: Weights, x: Tensor2D, classes?: Uint8Array): Scalar {
  const z = scoresOf(shape, weights, x);
  if (shape.learns === 'row') return tf.mean(z);
  return tf.mean(tf.sub(tf.softplus(z), tf.mul(z, Float32Array.from(classes ?? []))));
}

/** A dense network that learns rows or their classes, on TensorFlow.js. */
export class TfjsPerceptron implements PerceptronModel {
  private readonly parameters: Parameters;

  constructor(
    private readonly on: Surroundings,
    private readonly config: PerceptronConfig,
  ) {
    makeCurrent(on.backend);
    this.parameters = new Parameters(perceptronLayout(config.widths), config.optimiser);
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

  async step(x: Floats, rate: number, classes?: Uint8Array): Promise<number> {
    makeCurrent(this.on.backend);
    const { loss } = await this.parameters.step(
      weights => lossOf(this.config, weights, matrix(x, this.config.widths[0]), classes),
      rate,
    );
    return loss;
  }

  async score(x: Floats): Promise<Float32Array> {
    makeCurrent(this.on.backend);
    const [scores] = this.parameters.use(weights => [scoresOf(this.config, weights, matrix(x, this.config.widths[0]))]);
    return read(scores);
  }

  /** The loss and its gradient, flat, on all rows of x. */
  async gradients(x: Floats, classes?: Uint8Array): Promise<{ loss: number; weights: Float32Array }> {
    makeCurrent(this.on.backend);
    const rows = matrix(x, this.config.widths[0]);
    const [dx, dweights] = this.parameters.gradients(rows, (weights, at) =>
      lossOf(this.config, weights, at as Tensor2D, classes),
    );
    const [loss] = this.parameters.use(weights => [lossOf(this.config, weights, rows, classes)]);
    dx.dispose();
    rows.dispose();
    return { loss: (await read(loss))[0], weights: await read(dweights) };
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
