import { loadAddon, type Floats, type NativeOptimiser } from '../src/addon.js';
import { initialWeights } from '../src/model/initialise.js';
import { encoderLayout } from '../src/model/layout.js';
import { doubles, openOperation, type Case } from './case.js';
import { random } from './random.js';
import { published } from './setting.js';
import { isGpu, isPeer, isSlow } from './subjects.js';

const layout = encoderLayout(published);
const start = Float32Array.from(initialWeights(layout, 1, 'f32'));
const optimiser: NativeOptimiser = { kind: 'adam', clip: 1 };
const rate = 1e-3;

export interface AdamInput {
  readonly layout: typeof layout;
  readonly optimiser: NativeOptimiser;
  readonly weights: Float32Array;
  readonly gradient: Float32Array;
  readonly rate: number;
}

/** One update of the weights of an encoder by Adam, its gradient given. */
export const adam: Case = {
  name: 'adam',
  model: `${start.length.toLocaleString('en')} weights`,
  counts: 'operations',
  batches(subject) {
    // there is one Adam in TensorFlow.js, and none in bfloat16
    if (isPeer(subject) || isGpu(subject) || subject.precision === 'bf16') return undefined;
    if (subject.engine === 'tfjs' && subject.kernels === 'native') return undefined;
    return { usual: isSlow(subject) ? [] : [1], full: [1] };
  },
  async open({ subject }) {
    const gradient = random(start.length, 1);
    const native = (cast: (x: Float32Array) => Floats) => {
      const [weights, m, v] = [start, gradient, gradient].map(cast);
      for (const moment of [m, v]) moment.fill(0);
      const given = { weights, m, v, gradient: cast(gradient), rate, optimiser };
      let steps = 0;
      return () => {
        loadAddon().adam({ ...given, steps: steps++ });
        return { weights };
      };
    };
    const update = native(x => x.slice());
    const operation =
      subject.engine === 'tfjs'
        ? await (await import('./on-tfjs.js')).adamOn(subject, { layout, optimiser, weights: start, gradient, rate })
        : { run: () => Promise.resolve(update()), results: () => Promise.resolve(update()) };
    return openOperation(operation, subject, native(doubles));
  },
};
