import { loadAddon, type Floats } from '../src/addon.js';
import { optionMeta } from '../src/config/option.js';
import { choosePlace } from '../src/engine/cuda.js';
import { commandSchemas } from '../src/config/schema.js';
import { doubles, openOperation, type Batches, type Case, type Results } from './case.js';
import { random } from './random.js';
import { isPeer, isSlow, type Subject } from './subjects.js';

const dim = 160;
const temperature = 0.1;
/** The one whose curve a run without options draws; of the others it has one batch. */
const first = 'anomclr';

/** Rows of an event and of its views. */
export interface LossInput {
  readonly loss: string;
  readonly z: Float32Array;
  readonly zPhysical: Float32Array;
  readonly zAnomalous: Float32Array;
  readonly events: number;
  readonly dim: number;
  readonly temperature: number;
}

/** Value and gradients of a loss. */
const lossCase = (loss: string): Case => ({
  name: `loss-${loss}`,
  model: `${dim} dimensions`,
  batches: subject => batchesOf(loss, subject),
  async open({ subject, batch: events }) {
    // an event and its physical view lie close together, as in training
    const [z, noise, zAnomalous] = [1, 2, 3].map(stream => random(events * dim, stream));
    const zPhysical = z.map((value, i) => value + 0.3 * noise[i]);
    const input: LossInput = { loss, z, zPhysical, zAnomalous, events, dim, temperature };
    const native = async (cast: (x: Float32Array) => Floats, precision: object): Promise<Results> => {
      const views = { z: cast(z), zPhysical: cast(zPhysical), zAnomalous: cast(zAnomalous) };
      const { loss: value, gradients } = await loadAddon().contrastiveLoss({ ...input, ...views, ...precision });
      return {
        loss: Float64Array.of(value),
        ...Object.fromEntries(gradients.map((g, view) => [`gradient ${view}`, g])),
      };
    };
    const { place } = choosePlace(subject.engine === 'cuda' ? 'cuda' : 'cpu');
    const run = () => native(x => x, { ...place, ...(subject.precision === 'bf16' ? { precision: 'bf16' } : {}) });
    const operation =
      subject.engine === 'tfjs' ? await (await import('./on-tfjs.js')).lossOn(subject, input) : { run, results: run };
    // cosines twice, and the gradient's product: 2N x 2N x dim each
    const flop = loss === 'anomclr' || loss === 'clr' ? 3 * 2 * (2 * events) ** 2 * dim : undefined;
    return openOperation(operation, subject, () => native(doubles, {}), flop);
  },
});

function batchesOf(loss: string, subject: Subject): Batches | undefined {
  if (isPeer(subject)) return undefined;
  if (subject.engine === 'cuda')
    return { usual: loss === first ? [2048, 16_384] : [2048], full: [512, 2048, 8192, 16_384], long: [65_536] };
  const native = subject.engine === 'native';
  const sizes = [16, 128, 512, 2048, 4096, 16_384];
  const usual = loss === first && !isSlow(subject) ? [512, 2048] : native && subject.precision === 'f32' ? [512] : [];
  const long = loss === first && native && subject.precision === 'f32' ? { long: [65_536] } : {};
  return { usual, full: isSlow(subject) ? sizes.slice(0, 3) : sizes, ...long };
}

/** The losses that `train` takes; their list is that of its option. */
export const losses: Case[] = (optionMeta.get(commandSchemas.train.shape.loss)?.allowed ?? '')
  .split(' | ')
  .map(lossCase);
