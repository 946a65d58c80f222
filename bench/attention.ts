import { loadAddon, type Columns, type Floats } from '../src/addon.js';
import { doubles, openOperation, type Case, type Results } from './case.js';
import { random } from './random.js';
import { events, published } from './setting.js';
import { isGpu, isPeer, isSlow } from './subjects.js';

const { width, heads } = published;

export interface AttentionInput {
  /** [events + 1]: the first object of each event. */
  readonly offsets: Int32Array;
  readonly heads: number;
  /** [objects, 3 width] and [objects, width]. */
  readonly qkv: Float32Array;
  readonly dout: Float32Array;
}

/** One layer of attention on events of the sample, forward and backward. */
export const attention: Case = {
  name: 'attention',
  model: `width ${width}, ${heads} heads, forward and backward`,
  batches(subject) {
    if (isPeer(subject) || isGpu(subject) || subject.precision === 'bf16') return undefined;
    const usual = subject.engine === 'native' ? [16, 512, 2048] : isSlow(subject) ? [16] : [512, 2048];
    return { usual, full: [1, 16, 128, 512, 2048, 16_384] };
  },
  async open({ subject, batch }) {
    const { offsets }: Columns = await events(batch);
    const objects = offsets[batch];
    const qkv = random(objects * 3 * width, 1);
    const dout = random(objects * width, 2);
    const native = (cast: (x: Float32Array) => Floats): Results => {
      const addon = loadAddon();
      const given = { qkv: cast(qkv), offsets, heads };
      const { out, probs } = addon.attention(given);
      return { out, dqkv: addon.attentionBackward({ ...given, probs, dout: cast(dout) }).dqkv };
    };
    const run = () => Promise.resolve(native(x => x));
    const operation =
      subject.engine === 'tfjs'
        ? await (await import('./on-tfjs.js')).attentionOn(subject, { offsets, heads, qkv, dout })
        : { run, results: run };
    return openOperation(operation, subject, () => native(doubles));
  },
};
