import type { NativeOptimiser, WeightInfo } from '../../addon.js';
import { AnomalyClrError } from '../../errors.js';
import { sizeOf, weightCount } from '../../model/layout.js';
import tf, { type Scalar, type Tensor, type Tensor1D } from '../../ops/tf.js';
import type { Floats, OptimiserState } from '../engine.js';

/** The weights of a model by name, as its layout shapes them. */
export type Weights = (name: string) => Tensor;

const momentum = 0.9;

/**
 * Weights and moments of a model as flat tensors in the order of its layout, and their optimiser (formulas:
 * test/golden/README.md "optim/"): one update is a dozen operations, however many tensors the model has.
 */
export class Parameters {
  private flat: Tensor1D;
  private m: Tensor1D;
  private v: Tensor1D;
  private steps = 0;

  constructor(
    private readonly layout: readonly WeightInfo[],
    private readonly optimiser: NativeOptimiser,
  ) {
    const count = weightCount(layout);
    [this.flat, this.m, this.v] = [tf.zeros([count]), tf.zeros([count]), tf.zeros([count])];
  }

  weights(): Float32Array {
    return Float32Array.from(this.flat.dataSync());
  }

  setWeights(weights: Floats): void {
    this.flat = this.replace(this.flat, weights);
  }

  state(): OptimiserState {
    return { m: Float32Array.from(this.m.dataSync()), v: Float32Array.from(this.v.dataSync()), steps: this.steps };
  }

  setState({ m, v, steps }: OptimiserState): void {
    this.m = this.replace(this.m, m);
    this.v = this.replace(this.v, v);
    this.steps = steps;
  }

  /** What `run` computes from the weights; tensors that it returns outlive the call. */
  use<R extends Tensor[]>(run: (weights: Weights) => R): R {
    return tf.tidy(() => run(this.named(this.pieces())));
  }

  /**
   * The loss that `lossOf` computes from the weights; with a learning rate also one update, unless the gradient is not
   * finite, which leaves everything as it was.
   */
  async step(lossOf: (weights: Weights) => Scalar, rate?: number): Promise<{ loss: number; gradientNorm: number }> {
    if (rate === undefined) {
      const [loss] = this.use(weights => [lossOf(weights)]);
      return { loss: await take(loss), gradientNorm: 0 };
    }
    const [told, gradient] = tf.tidy(() => {
      const { value, grads } = tf.valueAndGrads((...pieces) => lossOf(this.named(pieces)))(this.pieces());
      const all = this.flatten(grads);
      // float32 sums of few enough squares; the rest is added in double
      const squares = all.map(g => tf.sum(tf.square(g)));
      return [tf.stack([value, ...squares]), tf.concat(all) as Tensor1D];
    });
    const [loss, ...squares] = await told.data();
    told.dispose();
    const gradientNorm = Math.sqrt(squares.reduce((a, b) => a + b, 0));
    if (Number.isFinite(gradientNorm)) this.update(gradient, gradientNorm, rate);
    gradient.dispose();
    return { loss, gradientNorm };
  }

  /** Gradients of what `run` computes: with respect to x, and to the weights, flat. */
  gradients(x: Tensor, run: (weights: Weights, x: Tensor) => Scalar): [dx: Tensor, dweights: Tensor1D] {
    return tf.tidy(() => {
      const of = tf.grads((rows, ...pieces) => run(this.named(pieces), rows));
      const [dx, ...grads] = of([x, ...this.pieces()]);
      return [dx, tf.concat(this.flatten(grads)) as Tensor1D];
    });
  }

  dispose(): void {
    for (const tensor of [this.flat, this.m, this.v]) tensor.dispose();
  }

  /** One update by a gradient of that norm, which the optimiser may clip. */
  update(gradient: Tensor1D, norm: number, rate: number): void {
    const { kind, clip = 0, l2 = 0, weightDecay = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8 } = this.optimiser;
    const scale = clip > 0 ? Math.min(1, clip / (norm + 1e-6)) : 1;
    const steps = ++this.steps;
    const { flat, m, v } = this;
    [this.flat, this.m, this.v] = tf.tidy((): [Tensor1D, Tensor1D, Tensor1D] => {
      const scaled = scale === 1 ? gradient : tf.mul(gradient, scale);
      const g = (l2 === 0 ? scaled : tf.add(scaled, tf.mul(flat, l2))) as Tensor1D;
      if (kind === 'sgd') {
        const velocity = tf.add(tf.mul(m, momentum), g) as Tensor1D;
        return [tf.sub(flat, tf.mul(velocity, rate)), velocity, v.clone()];
      }
      const first = tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1)) as Tensor1D;
      const second = tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2)) as Tensor1D;
      const root = tf.add(tf.mul(tf.sqrt(second), 1 / Math.sqrt(1 - beta2 ** steps)), eps);
      const change = tf.mul(tf.div(first, root), rate / (1 - beta1 ** steps));
      const decayed = weightDecay === 0 ? flat : tf.mul(flat, 1 - rate * weightDecay);
      return [tf.sub(decayed, change), first, second];
    });
    for (const old of [flat, m, v]) old.dispose();
  }

  /** Each as one row; weights that nothing depends on have no gradient. */
  private flatten(grads: (Tensor | undefined)[]): Tensor[] {
    return grads.map((g, i) => tf.reshape(g ?? tf.zeros(this.layout[i].shape), [-1]));
  }

  private pieces(): Tensor[] {
    const parts = tf.split(
      this.flat,
      this.layout.map(({ shape }) => sizeOf(shape)),
    );
    return parts.map((part, i) => tf.reshape(part, this.layout[i].shape));
  }

  private named(pieces: Tensor[]): Weights {
    const byName = new Map(this.layout.map(({ name }, i) => [name, pieces[i]]));
    return name => {
      const found = byName.get(name);
      if (!found) throw new AnomalyClrError(`this model has no weights ${name}`);
      return found;
    };
  }

  private replace(old: Tensor1D, values: Floats): Tensor1D {
    if (values.length !== old.size)
      throw new AnomalyClrError(`${values.length} numbers for a model of ${old.size} weights`);
    old.dispose();
    return tf.tensor1d(Float32Array.from(values));
  }
}

async function take(scalar: Scalar): Promise<number> {
  const [value] = await scalar.data();
  scalar.dispose();
  return value;
}
