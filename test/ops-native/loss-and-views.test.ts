import { loadAddon, type ContrastiveLossArgument } from '../../src/addon.js';
import { events, manyEvents, recipe } from '../boundary/samples.js';
import * as reference from './reference.js';

const addon = loadAddon();

const rows = (n: number, dim: number, seed: number, Type: any): Float32Array =>
  Type.from(reference.uniform(n * dim, seed));
const loss = (name: string, n: number, dim: number, Type: any): ContrastiveLossArgument => ({
  loss: name, z: rows(n, dim, 1, Type), zPhysical: rows(n, dim, 2, Type), zAnomalous: rows(n, dim, 3, Type), events: n, dim,
  temperature: 0.2, invarianceWeight: 1.5, anomalyWeight: 0.5,
}); // prettier-ignore

describe.each(addon.losses().map(({ name, usesAnomalous }) => [name, usesAnomalous] as const))('%s', (name, third) => {
  test.each([
    [3, 5],
    [97, 16],
    [300, 33],
  ])('at once as off the event loop, to the bit: %i events of %i', async (n, dim) => {
    for (const Type of [Float32Array, Float64Array]) {
      const argument = loss(name, n, dim, Type);
      const want = await addon.contrastiveLoss(argument);
      const got = addon.contrastiveLossNow(argument);
      expect(reference.bits(got)).toEqual(reference.bits(want));
      expect(got.gradients).toHaveLength(third ? 3 : 2);
      expect(got.gradients[0]).toBeInstanceOf(Type);
      expect(reference.bits(addon.contrastiveLossNow({ ...argument, gradients: true }))).toEqual(reference.bits(want));
      expect(addon.contrastiveLossNow({ ...argument, gradients: false })).toEqual({ loss: want.loss, gradients: [] });
    }
  });

  test('the same bits for any count of threads, and after batches of other sizes', () => {
    const argument = loss(name, 200, 20, Float32Array);
    const [one, two, three] = reference.onThreads(() => {
      addon.contrastiveLossNow(loss(name, 31, 40, Float32Array));
      return reference.bits(addon.contrastiveLossNow(argument));
    });
    expect(two).toEqual(one);
    expect(three).toEqual(one);
    const z = reference.shifted(argument.z);
    expect(reference.bits(addon.contrastiveLossNow({ ...argument, z }))).toEqual(one);
  });
});

test('a batch too large for kept memory', async () => {
  const z = new Float32Array(64 * 40_000).map((_, i) => Math.sin(i * i));
  const argument = { ...loss('clr', 1, 1, Float32Array), z, zPhysical: z.map(x => x + 0.1), events: 64, dim: 40_000 };
  expect(reference.bits(addon.contrastiveLossNow(argument))).toEqual(
    reference.bits(await addon.contrastiveLoss(argument)),
  );
});

test('products of bfloat16 come near those of float32', async () => {
  const argument = loss('anomclr', 150, 32, Float32Array);
  const exact = addon.contrastiveLossNow(argument);
  const rough = addon.contrastiveLossNow({ ...argument, precision: 'bf16' });
  expect(rough.loss).not.toBe(exact.loss);
  expect(Math.abs(rough.loss / exact.loss - 1)).toBeLessThan(1e-2);
  expect(reference.bits(await addon.contrastiveLoss({ ...argument, precision: 'bf16' }))).toEqual(
    reference.bits(rough),
  );
});

test('a single event has no negatives, which is an error of its own', () => {
  const undefinedLoss = expect.objectContaining({ code: 'UNDEFINED', message: expect.stringMatching(/single event/) });
  expect(() => addon.contrastiveLossNow(loss('clr', 1, 4, Float32Array))).toThrow(undefinedLoss);
});

test('views at once as off the event loop', async () => {
  const count = 2500;
  const index = Int32Array.from({ length: 2100 }, (_, i) => (i * 7) % count);
  for (const [of, at] of [
    [events(), undefined],
    [events(), Int32Array.of(4, 0, 0)],
    [events(), new Int32Array(0)],
    [manyEvents(count), undefined],
    [manyEvents(count), index],
  ] as const)
    for (const view of [0, 1, 2] as const) {
      const argument = {
        events: of,
        ...(at ? { index: at } : {}),
        recipe: recipe(),
        view,
        seed: 2 ** 40 + 3,
        epoch: 5,
      };
      const want = reference.bits(await addon.augment(argument));
      for (const got of reference.onThreads(() => addon.augmentNow(argument)))
        expect(reference.bits(got)).toEqual(want);
    }
});
