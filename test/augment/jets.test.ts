import fc from 'fast-check';
import type { Columns, NativeRecipe } from '../../src/addon.js';
import { loadAddon } from '../../src/addon.js';
import { augmentColumns } from '../../src/augment/augment.js';
import { augmentationCatalogue } from '../../src/augment/list.js';
import { recipeSchema, resolveRecipe, type Step } from '../../src/config/recipe.js';
import { augment, step } from '../support/augment.js';
import { someEvents } from '../support/augment-events.js';
import { drawnJets, edgeJets, jetColumns, someJets } from '../support/jets.js';
import { bytes, joined, sampleEvents } from './events.js';

const addon = loadAddon();
const ofJets = augmentationCatalogue.filter(({ data }) => data === 'jet');
const ofEvents = augmentationCatalogue.filter(({ data }) => data === 'event');
const jets = joined([edgeJets(), drawnJets(250, 64, 1), edgeJets()]);
const none = jetColumns([]);

/** The view by the addon and by TypeScript, which must be equal to the bit. */
async function both(set: Columns, steps: Step[], seed: number, epoch: number): Promise<Columns> {
  const chain = steps.map(({ augmentation, ...p }) => step(augmentation, p as Record<string, number>));
  const recipe: NativeRecipe = [[], [], [{ weight: 1, steps: chain }]];
  const want = await addon.augment({ events: set, recipe, view: 2, seed, epoch });
  const twin = recipeSchema.parse({ physical: [], anomalous: [{ name: 'one', weight: 1, steps }] });
  const got = augmentColumns(set, resolveRecipe(twin, augmentationCatalogue), 2, { seed, epoch });
  for (const [c, column] of bytes(got).entries()) expect(column.equals(bytes(want)[c])).toBe(true);
  return got;
}

function expectSound({ pt, eta, phi, offsets }: Columns): void {
  for (let e = 0; e + 1 < offsets.length; e++) expect(offsets[e + 1] - offsets[e]).toBeLessThanOrEqual(64);
  pt.forEach((p, o) => {
    if (!(p > 0 && Number.isFinite(p))) throw new Error(`pt ${p}`);
    if (!Number.isFinite(eta[o])) throw new Error(`eta ${eta[o]}`);
    if (!(Math.abs(phi[o]) <= Math.fround(Math.PI))) throw new Error(`phi ${phi[o]}`);
  });
}

test('there are some for each kind of data', () => {
  expect(ofJets.map(({ name }) => name)).toEqual([
    'rotate_jet',
    'translate_jet',
    'soft_distort',
    'split_constituents',
    'drop_constituents',
    'shift_subjet',
    'reweight_pt',
  ]);
  expect(ofEvents.length + ofJets.length).toBe(augmentationCatalogue.length);
});

describe.each(ofJets.map(info => [info.name, info] as const))('%s', (augmentation, { params }) => {
  const corners = (pick: (param: (typeof params)[number], i: number) => number): Step => ({
    augmentation,
    ...Object.fromEntries(params.map((param, i) => [param.name, pick(param, i)])),
  });
  const odd = (i: number) => i % 2 === 1;
  const between = params.length;
  test.each([
    ['default', corners(param => param.default)],
    ['least', corners(param => param.min)],
    ['greatest', corners(param => param.max)],
    ['least and greatest in turn', corners((param, i) => (odd(i) ? param.max : param.min))],
    ['greatest and least in turn', corners((param, i) => (odd(i) ? param.min : param.max))],
    ['in between', corners(param => param.min + 0.3 * (param.max - param.min))],
    ...Array.from({ length: between }, (_, k): [string, Step] => [
      `default but the greatest ${params[k].name}`,
      corners((param, i) => (i === k ? param.max : param.default)),
    ]),
  ])('%s parameters: two engines, one view; none too many, finite, pt above 0', async (_, one) => {
    for (const [seed, epoch] of [
      [1, 0],
      [2 ** 53 - 1, 2 ** 32 - 1],
    ]) {
      const after = await both(jets, [one], seed, epoch);
      expect(after.offsets).toHaveLength(jets.offsets.length);
      expectSound(after);
    }
    expect(await both(none, [one], 1, 0)).toEqual(none);
  });

  test('collisions are left as they are, to the bit', async () => {
    const events = await sampleEvents(500);
    const after = await both(events, [corners(param => param.default)], 3, 1);
    for (const [c, column] of bytes(after).entries()) expect(column.equals(bytes(events)[c])).toBe(true);
  });
});

test('chains of any steps with any permitted parameters, on jets and on collisions', () => {
  const anyStep: fc.Arbitrary<Step> = fc
    .constantFrom(...augmentationCatalogue)
    .chain(({ name, params }) =>
      fc
        .tuple(
          ...params.map(({ default: standard, min, max }) =>
            fc.oneof(fc.constant(standard), fc.constantFrom(min, max), fc.double({ min, max, noNaN: true })),
          ),
        )
        .map(values => ({ augmentation: name, ...Object.fromEntries(params.map((one, i) => [one.name, values[i]])) })),
    );
  const chain = fc.array(anyStep, { minLength: 1, maxLength: 4 });
  const parts = fc.tuple(fc.oneof(someJets, someEvents), chain, fc.maxSafeNat(), fc.nat());
  return fc.assert(
    fc.asyncProperty(parts, async ([set, steps, seed, epoch]) => {
      const after = await both(set, steps, seed, epoch);
      expect(after.offsets).toHaveLength(set.offsets.length);
      for (const x of [after.pt, after.eta, after.phi]) expect(x.every(Number.isFinite)).toBe(true);
    }),
    { seed: 1, numRuns: 150 },
  );
});

test.each(ofEvents.map(({ name }) => name))('%s, which is for collisions, leaves jets as they are', async name => {
  const full = drawnJets(300, 64, 5); // none without constituents, which would be a collision without objects
  const after = await both(full, [{ augmentation: name }], 9, 2);
  for (const [c, column] of bytes(after).entries()) expect(column.equals(bytes(full)[c])).toBe(true);
});

test('a jet has the same view alone as in its batch', async () => {
  const some = drawnJets(40, 30, 2);
  const steps = ofJets.map(({ name }) => step(name));
  const all = await augment(some, [{ weight: 1, steps }], 4, 1);
  const turned = await augment(some, [{ weight: 1, steps }], 4, 1, Int32Array.of(17));
  expect(turned.pt).toEqual(all.pt.slice(all.offsets[17], all.offsets[18]));
  expect(turned.phi).toEqual(all.phi.slice(all.offsets[17], all.offsets[18]));
});
