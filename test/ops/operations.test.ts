import { loadAddon } from '../../src/addon.js';
import { presets } from '../../src/config/recipe.js';
import { augmentedView, eventColumns, eventTensor } from '../../src/ops/augment.js';
import { attention, maskedAttention } from '../../src/ops/attention.js';
import { openBackend } from '../../src/ops/backend.js';
import { contrastiveLoss } from '../../src/ops/contrast.js';
import { layOut } from '../../src/ops/layout.js';
import { layerNorm, sumOfEvents, takeRows, unitRows } from '../../src/ops/rows.js';
import tf, { type Tensor, type Tensor1D, type Tensor2D, type Tensor3D } from '../../src/ops/tf.js';
import { worst } from '../support/golden.js';
import { sampleEvents } from '../augment/events.js';

await openBackend('cpu', 1);

const wave = (count: number, step: number, seed = 0): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin((i + seed) * step) + 0.1 * Math.cos(3 * i));

/** Gradients of sum(run(x) * weights) against central differences. */
function checkGradient(run: (...x: Tensor[]) => Tensor, inputs: Tensor[], tolerance = 2e-3): void {
  const probe = (y: Tensor) => tf.tensor(wave(y.size, 0.7), y.shape);
  const value = (...x: Tensor[]): tf.Scalar => {
    const y = run(...x);
    return tf.sum(tf.mul(y, probe(y)));
  };
  const gradients = tf
    .grads(value)(inputs)
    .map(g => g.dataSync());
  const h = 3e-3;
  inputs.forEach((input, k) => {
    const at = input.dataSync().slice();
    const difference = at.map((_, i) => {
      const moved = (by: number) => {
        const values = at.slice();
        values[i] += by;
        const others = inputs.map((other, j) => (j === k ? tf.tensor(values, input.shape) : other));
        return value(...others).dataSync()[0];
      };
      return (moved(h) - moved(-h)) / (2 * h);
    });
    expect([k, worst(gradients[k], difference) < tolerance]).toEqual([k, true]);
  });
}

const offsets = Int32Array.of(0, 1, 1, 4, 6, 9, 10);
const rows = 10;

describe.each(['pure', 'native'] as const)('attention, %s kernels', kernels => {
  test('is softmax(q k/sqrt(w) + bias) v of each head of each event, and so is its gradient', () => {
    const layout = layOut(offsets, 0);
    const qkv = tf.tensor2d(wave(rows * 12, 0.9), [rows, 12]);
    const keyBias = tf.tensor1d(wave(rows, 0.4));
    const got = attention(qkv, layout, 2, kernels, { keyBias }).arraySync();
    const x = qkv.arraySync();
    const bias = keyBias.arraySync();
    layout.buckets.forEach(({ first, events, slots }) => {
      for (let e = 0; e < events; e++)
        for (let head = 0; head < 2; head++)
          for (let i = 0; i < slots; i++) {
            const row = (s: number) => first + e * slots + s;
            const part = (s: number, p: number) => x[row(s)].slice(p * 4 + head * 2, p * 4 + head * 2 + 2);
            const dot = (a: number[], b: number[]) => a[0] * b[0] + a[1] * b[1];
            const logits = Array.from({ length: slots }, (_, j) => {
              return dot(part(i, 0), part(j, 1)) / Math.sqrt(2) + bias[row(j)];
            });
            const weights = logits.map(Math.exp);
            const sum = weights.reduce((a, b) => a + b, 0);
            for (let c = 0; c < 2; c++) {
              const want = weights.reduce((out, p, j) => out + (p / sum) * part(j, 2)[c], 0);
              expect(got[row(i)][head * 2 + c]).toBeCloseTo(want, 5);
            }
          }
    });
    checkGradient((a, b) => attention(a as Tensor2D, layout, 2, kernels, { keyBias: b as Tensor1D }), [qkv, keyBias]);
  });

  test('a mask of padded events gives what packed rows give, and 0 where there is nothing', () => {
    const mask = [1, 0, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1]; // four events of three slots; the second has none
    const qkv = tf.tensor3d(wave(12 * 12, 0.8), [4, 3, 12]);
    const got = maskedAttention(qkv, mask, 2, kernels).arraySync();
    const occupied = mask.flatMap((flag, slot) => (flag ? [slot] : []));
    const packed = tf.gather(tf.reshape(qkv, [12, 12]), occupied);
    const counts = [2, 0, 3, 1];
    const starts = Int32Array.from([0, ...counts.map((_, e) => counts.slice(0, e + 1).reduce((a, b) => a + b, 0))]);
    const layout = layOut(starts, 0);
    const inLayout = Int32Array.from(layout.rowOf);
    const sorted = tf.gather(
      packed,
      Array.from(inLayout.keys()).sort((a, b) => inLayout[a] - inLayout[b]),
    ) as Tensor2D;
    const want = attention(sorted, layout, 2, 'pure').arraySync();
    mask.forEach((flag, slot) => {
      const value = got[Math.floor(slot / 3)][slot % 3];
      if (flag) value.forEach((v, c) => expect(v).toBeCloseTo(want[inLayout[occupied.indexOf(slot)]][c], 5));
      else expect(value).toEqual([0, 0, 0, 0]);
    });
    checkGradient(x => maskedAttention(x as Tensor3D, mask, 2, kernels), [qkv]);
  });

  test('shapes that do not fit are told', () => {
    const layout = layOut(offsets, 0);
    expect(() => attention(tf.zeros([9, 12]), layout, 2, kernels)).toThrow(/9 rows, the layout of its events has 10/);
    expect(() => attention(tf.zeros([10, 10]), layout, 2, kernels)).toThrow(/10 columns/);
    expect(() => maskedAttention(tf.zeros([2, 3, 12]), [1, 1], 2, kernels)).toThrow(/2 entries for 2 x 3 slots/);
  });
});

test('a padded layout gives the same attention, and native kernels refuse it', () => {
  const exact = layOut(offsets, 0);
  const padded = layOut(offsets, 100);
  expect(padded.padded).toBe(true);
  const objects = wave(rows * 12, 0.6);
  const on = (layout: typeof exact): number[][] => {
    const x = new Float32Array(layout.rows * 12);
    layout.rowOf.forEach((row, object) => x.set(objects.subarray(object * 12, (object + 1) * 12), row * 12));
    const mixed = attention(tf.tensor2d(x, [layout.rows, 12]), layout, 2, 'pure').arraySync();
    return Array.from(layout.rowOf, row => mixed[row]);
  };
  expect(worst(on(padded).flat(), on(exact).flat())).toBeLessThan(1e-6);
  expect(() => attention(tf.zeros([padded.rows, 12]), padded, 2, 'native')).toThrow(/without padding/);
});

test('layerNorm, unitRows, takeRows and sumOfEvents have the gradients of their formulas', () => {
  const x = tf.tensor2d(wave(rows * 4, 0.5), [rows, 4]);
  checkGradient(
    (a, g, o) => layerNorm(a as Tensor2D, g as Tensor1D, o as Tensor1D),
    [x, tf.tensor1d([1, 0.5, 2, -1]), tf.tensor1d([0, 1, 0, 2])],
  );
  checkGradient(a => unitRows(a as Tensor2D), [x]);
  expect(unitRows(tf.tensor2d([[0, 0], [3e20, 4e20], [3e-30, 4e-30]])).arraySync()).toEqual([
    [0, 0],
    [expect.closeTo(0.6, 6), expect.closeTo(0.8, 6)],
    [expect.closeTo(0.6, 6), expect.closeTo(0.8, 6)],
  ]); // prettier-ignore
  const index = Int32Array.of(3, -1, 0);
  const back = Int32Array.of(2, -1, -1, 0, -1, -1, -1, -1, -1, -1);
  expect(takeRows(x, index, back).arraySync()).toEqual([x.arraySync()[3], [0, 0, 0, 0], x.arraySync()[0]]);
  checkGradient(a => takeRows(a as Tensor2D, index, back), [x]);
  const layout = layOut(offsets, 0);
  expect(sumOfEvents(x, layout).arraySync()[0]).toEqual([0, 0, 0, 0]); // the event without objects
  checkGradient(a => sumOfEvents(a as Tensor2D, layout), [x]);
});

test('a view of a tensor of events is the view of the events', async () => {
  const events = await sampleEvents(50);
  const tensor = eventTensor(events, 19);
  expect(tensor.shape).toEqual([50, 19, 4]);
  const { pt, eta, phi, kind, offsets: starts } = events;
  expect(eventColumns(tensor)).toEqual({ pt, eta, phi, kind, offsets: starts });
  const recipe = presets['default'];
  for (const view of [1, 2] as const) {
    const key = { seed: 1, epoch: 4 };
    const native = augmentedView(tensor, recipe, view, key, 'native');
    expect(augmentedView(tensor, recipe, view, key, 'pure').arraySync()).toEqual(native.arraySync());
  }
  expect(() => eventTensor(events, 2)).toThrow(/more than 2 slots/);
  expect(() => eventColumns(tf.zeros([2, 3, 5]))).toThrow(/5 numbers a slot/);
});

test('losses are told what they lack', () => {
  const z = tf.zeros([4, 3]) as Tensor2D;
  const how = { loss: 'anomclr', temperature: 0.1 };
  for (const kernels of ['pure', 'native'] as const) {
    expect(() => contrastiveLoss(z, z, undefined, how, kernels)).toThrow(/not all of the shape \[4, 3\]/);
    expect(() => contrastiveLoss(z, z, z, { ...how, loss: 'best' }, kernels)).toThrow(/no contrastive loss best/);
  }
  expect(loadAddon().losses().length).toBe(4);
});
