import fc from 'fast-check';
import { loadAddon, type Columns, type NativeRecipe } from '../../src/addon.js';
import { augmentColumns, type ViewKey } from '../../src/augment/augment.js';
import { augmentationCatalogue } from '../../src/augment/list.js';
import { presets, recipeSchema, resolveRecipe, type Recipe, type Step } from '../../src/config/recipe.js';
import { AnomalyClrError } from '../../src/errors.js';
import { Kind } from '../../src/events/objects.js';
import { step } from '../support/augment.js';
import { someEvents } from '../support/augment-events.js';
import { goldenPath } from '../support/golden.js';
import { bytes, goldenEvents, joined, sampleEvents } from './events.js';

const addon = loadAddon();
const views = [0, 1, 2] as const;

/** Events at the edges: none, objects without pt, azimuths at pi, full ones, ones without MET. */
function edges(): Columns {
  const pi = Math.fround(Math.PI);
  const one = (kind: number, n: number, pt: number, phi = 0) => Array.from({ length: n }, () => [kind, pt, 0, phi]);
  const events = [
    [],
    one(Kind.met, 1, 0, pi),
    one(Kind.jet, 1, 0, -pi),
    [...one(Kind.met, 1, 0), ...one(Kind.electron, 2, 0), ...one(Kind.jet, 3, 0)],
    one(Kind.jet, 64, 100, pi),
    [...one(Kind.met, 1, 10), ...one(Kind.muon, 21, 1e-3), ...one(Kind.electron, 21, 1e6), ...one(Kind.jet, 21, 24.9)],
    one(Kind.electron, 63, 25, -0),
    one(Kind.jet, 9, 3e4, 1),
    [...one(Kind.met, 2, 40, 2), ...one(Kind.jet, 1, 15)],
    [],
  ];
  const all = events.flat();
  const offsets = [0];
  for (const event of events) offsets.push(offsets[offsets.length - 1] + event.length);
  return {
    kind: Uint8Array.from(all, o => o[0]),
    pt: Float32Array.from(all, o => o[1]),
    eta: Float32Array.from(all, o => o[2]),
    phi: Float32Array.from(all, o => o[3]),
    offsets: Int32Array.from(offsets),
  };
}

let events: Columns;
beforeAll(async () => {
  const golden = goldenPath('aug/events500.safetensors') ? [await goldenEvents(6)] : [];
  events = joined([edges(), ...golden, await sampleEvents(2000), edges()]);
  expect(events.offsets.length).toBeGreaterThan(2000);
});

/** A recipe all of whose views take these steps; anomalous ones stand in the anomalous view alone. */
function recipeOf(steps: Step[]): Recipe {
  const anomalous = [{ name: 'one', weight: 1, steps }];
  return resolveRecipe(recipeSchema.parse({ physical: [], anomalous }), augmentationCatalogue);
}

type Arguments = [recipe: Recipe, view: 0 | 1 | 2, events: Columns, key: ViewKey];

function native(...[{ anchor, physical, anomalous }, view, set, { seed, epoch, index }]: Arguments): Promise<Columns> {
  const steps = (chain: readonly Step[]) =>
    chain.map(({ augmentation, ...p }) => step(augmentation, p as Record<string, number>));
  const recipe: NativeRecipe = [
    [{ weight: 1, steps: steps(anchor) }],
    [{ weight: 1, steps: steps(physical) }],
    anomalous.map(({ weight, steps: chain }) => ({ weight, steps: steps(chain) })),
  ];
  return addon.augment({ events: set, recipe, view, seed, epoch, index });
}

async function expectSame(...[recipe, view, set, key]: Arguments): Promise<void> {
  const want = await native(recipe, view, set, key);
  const got = augmentColumns(set, recipe, view, key);
  expect(Object.keys(got).toSorted()).toEqual(Object.keys(want).toSorted());
  for (const [c, column] of bytes(got).entries()) expect(column.equals(bytes(want)[c])).toBe(true);
}

test('the catalogue is that of the addon', () => {
  const native = new Map(addon.augmentations().map(info => [info.name, info]));
  for (const info of augmentationCatalogue) expect(info).toEqual(native.get(info.name));
});

describe.each(augmentationCatalogue.map(info => [info.name, info] as const))('%s', (augmentation, { params }) => {
  const corners = (pick: (param: (typeof params)[number], i: number) => number) => ({
    augmentation,
    ...Object.fromEntries(params.map((param, i) => [param.name, pick(param, i)])),
  });
  const odd = (i: number) => i % 2 === 1;
  test.each([
    ['default', corners(param => param.default)],
    ['least', corners(param => param.min)],
    ['greatest', corners(param => param.max)],
    ['least and greatest in turn', corners((param, i) => (odd(i) ? param.max : param.min))],
    ['greatest and least in turn', corners((param, i) => (odd(i) ? param.min : param.max))],
    ['in between', corners(param => param.min + 0.3 * (param.max - param.min))],
  ])('%s parameters: the bits of the native one', async (_, one) => {
    for (const [seed, epoch] of [
      [1, 0],
      [2 ** 53 - 1, 2 ** 32 - 1],
    ])
      await expectSame(recipeOf([one]), 2, events, { seed, epoch });
  });
});

// the largest of the nested ones has all that the smaller have
const recipes = Object.keys(presets).filter(name => !/^library(?!80)/.test(name));
describe.each(recipes)('recipe %s', name => {
  const recipe = resolveRecipe(presets[name], augmentationCatalogue);

  test.each(views)('view %i: the bits of the native one', async view => {
    for (const epoch of [0, 3]) await expectSame(recipe, view, events, { seed: 7 + 2 ** 40, epoch });
  });

  test('random events', async () => {
    await fc.assert(
      fc.asyncProperty(someEvents, fc.maxSafeNat(), fc.nat(), async (set, seed, epoch) => {
        for (const view of views) await expectSame(recipe, view, set, { seed, epoch });
      }),
      { seed: 1, numRuns: 100 },
    );
  });
});

test('scenarios of unequal weights are chosen alike', async () => {
  const anomalous = Array.from({ length: 20 }, (_, k) => ({
    name: `${k}`,
    weight: 0.1 + k * k,
    steps: [{ augmentation: 'shift_all', low: 1 + k, high: 1 + k }, { augmentation: 'split_collinear' }],
  }));
  const recipe = resolveRecipe(recipeSchema.parse({ physical: [], anomalous }), augmentationCatalogue);
  await expectSame(recipe, 2, events, { seed: 5, epoch: 1 });
});

describe('index', () => {
  const recipe = resolveRecipe(presets['broad'], augmentationCatalogue);

  test.each([
    ['none', []],
    ['one', [1024]],
    ['again and backwards', [1500, 3, 3, 2, 1500, 0]],
  ])('%s: as the addon', async (_, index) => {
    for (const view of views)
      await expectSame(recipe, view, events, { seed: 1, epoch: 2, index: Int32Array.from(index) });
  });

  test.each([-1, 3])('%i of three events is refused', e => {
    const few = { ...events, offsets: events.offsets.slice(0, 4) };
    const index = Int32Array.of(0, e);
    expect(() => augmentColumns(few, recipe, 1, { seed: 1, epoch: 0, index })).toThrow(AnomalyClrError);
    expect(() => augmentColumns(few, recipe, 1, { seed: 1, epoch: 0, index })).toThrow(`event ${e} of 3`);
  });
});

describe('what is no event is refused', () => {
  const objects = (n: number, kind: number, offsets: number[]): Columns => ({
    pt: new Float32Array(n),
    eta: new Float32Array(n),
    phi: new Float32Array(n),
    kind: new Uint8Array(n).fill(kind),
    offsets: Int32Array.from(offsets),
  });
  test.each([
    ['too many objects', objects(65, Kind.jet, [0, 0, 65]), 'event 1 has 65 objects, the most is 64'],
    ['an unknown class', objects(1, 6, [0, 1]), 'event 0 has an object of class 6'],
    ['an empty slot', objects(1, 0, [0, 1]), 'event 0 has an object of class 0'],
    ['offsets that fall', objects(2, Kind.jet, [0, 2, 1]), 'offsets of event 1 do not lie within its columns'],
    ['offsets past the end', objects(2, Kind.jet, [0, 3]), 'offsets of event 0 do not lie within its columns'],
  ])('%s', async (_, wrong, message) => {
    const recipe = resolveRecipe(presets['default'], augmentationCatalogue);
    expect(() => augmentColumns(wrong, recipe, 0, { seed: 1, epoch: 0 })).toThrow(message);
    await expect(async () => native(recipe, 0, wrong, { seed: 1, epoch: 0 })).rejects.toThrow(message);
  });
});
