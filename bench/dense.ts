import { loadAddon, type Floats } from '../src/addon.js';
import { doubles, openOperation, type Case, type Results } from './case.js';
import { random } from './random.js';
import { events, published } from './setting.js';
import { isGpu, isPeer, isSlow } from './subjects.js';

const inputs = published.width;

export interface DenseInput {
  readonly inputs: number;
  readonly outputs: number;
  /** [objects, inputs], [outputs, inputs], [outputs], [objects, outputs]. */
  readonly x: Float32Array;
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly dy: Float32Array;
}

/** One dense layer on the objects of events of the sample, forward and backward. */
const dense = (outputs: number, usual: readonly number[]): Case => ({
  name: 'dense',
  model: `${inputs} to ${outputs}, forward and backward`,
  batches(subject) {
    // the dense layers of TensorFlow.js are its own in any case
    if (isPeer(subject) || isGpu(subject) || (subject.engine === 'tfjs' && subject.kernels === 'native'))
      return undefined;
    return { usual: isSlow(subject) ? usual.slice(0, 1) : usual, full: [1, 16, 128, 512, 2048, 16_384] };
  },
  async open({ subject, batch }) {
    const objects = (await events(batch)).offsets[batch];
    const [x, weight, bias, dy] = [objects * inputs, outputs * inputs, outputs, objects * outputs].map((size, stream) =>
      random(size, stream),
    );
    const native = (cast: (x: Float32Array) => Floats, precision: object): Results => {
      const addon = loadAddon();
      const given = { x: cast(x), weight: cast(weight), inputs, outputs, ...precision };
      const y = addon.dense({ ...given, bias: cast(bias) });
      return { y, ...addon.denseBackward({ ...given, dy: cast(dy) }) };
    };
    const run = () => Promise.resolve(native(x => x, subject.precision === 'bf16' ? { precision: 'bf16' } : {}));
    const operation =
      subject.engine === 'tfjs'
        ? await (await import('./on-tfjs.js')).denseOn(subject, { inputs, outputs, x, weight, bias, dy })
        : { run, results: run };
    return openOperation(operation, subject, () => native(doubles, {}), 3 * 2 * objects * inputs * outputs);
  },
});

export const denses: Case[] = [dense(inputs, [16, 512, 2048]), dense(3 * inputs, [])];
