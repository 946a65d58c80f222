// The operations on TensorFlow.js. A file of its own, imported where it is needed: it brings 100 MB of memory. The backend
// has been opened with the engine before; opening it again gives its name and makes it current.
import { linear } from '../src/ops/product.js';
import { Parameters } from '../src/engine/tfjs/parameters.js';
import { paddingOf } from '../src/engine/tfjs/trainer.js';
import { attention } from '../src/ops/attention.js';
import { openBackend } from '../src/ops/backend.js';
import { contrastiveLoss } from '../src/ops/contrast.js';
import { layOut } from '../src/ops/layout.js';
import { pureLosses } from '../src/ops/losses.js';
import tf, { type Tensor, type Tensor1D, type Tensor2D } from '../src/ops/tf.js';
import type { AdamInput } from './adam.js';
import type { AttentionInput } from './attention.js';
import type { Operation, Results } from './case.js';
import type { DenseInput } from './dense.js';
import type { LossInput } from './loss.js';
import type { Subject } from './subjects.js';

type TfjsSubject = Extract<Subject, { engine: 'tfjs' }>;

/** Value and gradients by name: computed, read and given back, as the addon gives its own. */
function operation(compute: () => Record<string, Tensor>, inOrder = (results: Results): Results => results): Operation {
  const run = async (): Promise<Results> => {
    const tensors = tf.tidy(compute);
    const read = Object.entries(tensors).map(async ([name, tensor]) => {
      const values = await tensor.data<'float32'>();
      tensor.dispose();
      return [name, values] as const;
    });
    return Object.fromEntries(await Promise.all(read));
  };
  return { run, results: async () => inOrder(await run()) };
}

export async function attentionOn(subject: TfjsSubject, input: AttentionInput): Promise<Operation> {
  const { offsets, heads } = input;
  const backend = await openBackend(subject.backend, 0);
  const layout = layOut(offsets, paddingOf({ backend, kernels: subject.kernels })); // as the encoder does
  const columns = (x: Float32Array): number => x.length / layout.rowOf.length;
  /** Rows of objects to rows of the layout, once: a model has them there already. */
  const laidOut = (x: Float32Array): Tensor2D => {
    const rows = new Float32Array(layout.rows * columns(x));
    layout.rowOf.forEach((row, o) => rows.set(x.subarray(o * columns(x), (o + 1) * columns(x)), row * columns(x)));
    return tf.tensor2d(rows, [layout.rows, columns(x)]);
  };
  const [qkv, dout] = [laidOut(input.qkv), laidOut(input.dout)];
  const compute = tf.valueAndGrad(x => attention(x as Tensor2D, layout, heads, subject.kernels));
  const back = (rows: Results[string]): Float32Array => {
    const wide = rows.length / layout.rows;
    const x = new Float32Array(layout.rowOf.length * wide);
    layout.rowOf.forEach((row, o) => x.set(rows.subarray(row * wide, (row + 1) * wide), o * wide));
    return x;
  };
  return operation(
    () => {
      const { value, grad } = compute(qkv, dout);
      return { out: value, dqkv: grad };
    },
    ({ out, dqkv }) => ({ out: back(out), dqkv: back(dqkv) }),
  );
}

export async function denseOn(subject: TfjsSubject, input: DenseInput): Promise<Operation> {
  await openBackend(subject.backend, 0);
  const { inputs, outputs } = input;
  const given = [tf.tensor2d(input.x, [input.x.length / inputs, inputs]), tf.tensor2d(input.weight, [outputs, inputs])];
  const bias = tf.tensor1d(input.bias);
  const dy = tf.tensor2d(input.dy, [input.dy.length / outputs, outputs]);
  const compute = tf.valueAndGrads((x, weight, b) => linear(x as Tensor2D, weight, b));
  return operation(() => {
    const { value, grads } = compute([...given, bias], dy);
    return { y: value, dx: grads[0], dweight: grads[1], dbias: grads[2] };
  });
}

export async function lossOn(subject: TfjsSubject, input: LossInput): Promise<Operation> {
  await openBackend(subject.backend, 0);
  const { events, dim } = input;
  const used = [input.z, input.zPhysical, ...(pureLosses[input.loss].usesAnomalous ? [input.zAnomalous] : [])];
  const views = used.map(z => tf.tensor2d(z, [events, dim]));
  const compute = tf.valueAndGrads((...given) => {
    const [z, zPhysical, zAnomalous] = given as [Tensor2D, Tensor2D, Tensor2D | undefined];
    return contrastiveLoss(z, zPhysical, zAnomalous, input, subject.kernels);
  });
  return operation(() => {
    const { value, grads } = compute(views);
    return { loss: value, ...Object.fromEntries(grads.map((gradient, view) => [`gradient ${view}`, gradient])) };
  });
}

export async function adamOn(subject: TfjsSubject, input: AdamInput): Promise<Operation> {
  await openBackend(subject.backend, 0);
  const parameters = new Parameters(input.layout, input.optimiser);
  parameters.setWeights(input.weights);
  const gradient: Tensor1D = tf.tensor1d(input.gradient);
  const run = async (): Promise<void> => {
    const square = tf.tidy(() => tf.sum(tf.square(gradient)));
    const [sum] = await square.data();
    square.dispose();
    parameters.update(gradient, Math.sqrt(sum), input.rate);
  };
  return {
    run,
    results: async () => {
      await run();
      return { weights: parameters.weights() };
    },
  };
}
