import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { augmentationCatalogue } from '../../src/augment/list.js';
import { loadRecipe, presets, resolveRecipe } from '../../src/config/recipe.js';
import { UsageError } from '../../src/errors.js';
import { dataKind, dataKindNames } from '../../src/events/data-kinds.js';
import { catalogue } from './catalogue.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'recipe-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const recipe = (change: object = {}): object => ({
  physical: [{ augmentation: 'rotate_phi' }],
  anomalous: [{ name: 'add', steps: [{ augmentation: 'add_objects', max_jets: 2 }] }],
  ...change,
});

const refusal = async (run: () => unknown): Promise<string> => {
  let error: unknown;
  try {
    await run();
  } catch (e) {
    error = e;
  }
  expect(error).toBeInstanceOf(UsageError);
  expect((error as Error).message).not.toContain('\n');
  return (error as Error).message;
};

test('every preset bears its own name and fits the catalogue', async () => {
  expect(Object.keys(presets)).toEqual([
    'default',
    'broad',
    'paper',
    'jet',
    ...[4, 8, 16, 40, 80].map(count => `library${count}`),
  ]);
  for (const name of Object.keys(presets)) {
    const loaded = await loadRecipe(name);
    expect(loaded.name).toBe(name);
    const resolved = resolveRecipe(loaded, augmentationCatalogue);
    // anomalous changes, at most three, then what the detector does: all of the physical chain, or its end
    for (const { steps } of resolved.anomalous) {
      const roles = steps.map(({ augmentation }) => augmentationCatalogue.find(one => one.name === augmentation)?.role);
      const changes = roles.lastIndexOf('anomalous') + 1;
      expect(roles.slice(0, changes).every(role => role === 'anomalous')).toBe(true);
      expect(changes).toBeGreaterThan(0);
      expect(changes).toBeLessThanOrEqual(3);
      expect(steps.length).toBeGreaterThan(changes);
      expect(resolved.physical.slice(changes - steps.length)).toEqual(steps.slice(changes));
    }
  }
});

test('a recipe acts on one kind of data: that of every data kind on its own, any other is refused', async () => {
  for (const data of dataKindNames) {
    const { recipe: own, symmetry } = dataKind(data);
    expect(resolveRecipe(presets[own], augmentationCatalogue, data)).toEqual(
      resolveRecipe(presets[own], augmentationCatalogue),
    );
    expect(augmentationCatalogue.find(({ name }) => name === symmetry.augmentation)).toMatchObject({ data });
  }
  expect(await refusal(() => resolveRecipe(presets['broad'], augmentationCatalogue, 'jet'))).toBe(
    'recipe "broad": physical.0 (rotate_phi): acts on events, and the background holds jets; take a recipe for jets, or ' +
      'leave --recipe out',
  );
  expect(await refusal(() => resolveRecipe(presets['jet'], augmentationCatalogue, 'event'))).toMatch(
    /^recipe "jet": physical\.0 \(rotate_jet\): acts on jets, and the background holds events; /,
  );
});

test('the same recipe from an object, JSON and YAML', async () => {
  const [json, yaml] = [join(dir, 'r.json'), join(dir, 'r.yaml')];
  writeFileSync(json, JSON.stringify(recipe()));
  writeFileSync(
    yaml,
    'physical:\n  - augmentation: rotate_phi\nanomalous:\n  - name: add\n    steps: [{augmentation: add_objects, max_jets: 2}]\n',
  );
  const expected = {
    name: 'custom',
    anchor: [],
    physical: [{ augmentation: 'rotate_phi' }],
    anomalous: [{ name: 'add', weight: 1, steps: [{ augmentation: 'add_objects', max_jets: 2 }] }],
  };
  expect(await loadRecipe(recipe())).toEqual(expected);
  expect(await loadRecipe(json)).toEqual(expected);
  expect(await loadRecipe(yaml)).toEqual(expected);
});

test('resolving fills in the defaults, keeps what was given and can be repeated', async () => {
  const resolved = resolveRecipe(await loadRecipe(recipe()), catalogue);
  expect(resolved.anomalous[0].steps).toEqual([
    { augmentation: 'add_objects', max_electrons: 4, max_muons: 4, max_jets: 2 },
  ]);
  expect(resolveRecipe(resolved, catalogue)).toEqual(resolved);
});

test.each([
  ['papr', 'recipe "papr": no such preset; the nearest is "paper", or name a .json or .yaml file'],
  ['__proto__', 'recipe "__proto__": no such preset'],
  ['gone.yaml', 'gone.yaml: no such file'],
  [7, 'recipe: expected object, received number, got 7'],
  [recipe({ anomalous: [] }), 'recipe: anomalous: too small'],
  [recipe({ anomalos: [] }), 'recipe: unknown key "anomalos"; the nearest valid name is "anomalous"'],
  [
    recipe({ anomalous: [{ name: 'a', wieght: 1, steps: [{ augmentation: 'shift_met' }] }] }),
    'recipe: anomalous.0: unknown key "wieght"; the nearest valid name is "weight"',
  ],
  [
    recipe({ anomalous: [{ name: 'a', weight: 0, steps: [{ augmentation: 'shift_met' }] }] }),
    'anomalous.0.weight: too small',
  ],
  [recipe({ physical: [{ augmentation: 'smear_jets', strength: 'x' }] }), 'physical.0.strength: expected number'],
  [
    recipe({ anomalous: ['a', 'a'].map(name => ({ name, steps: [{ augmentation: 'shift_met' }] })) }),
    'two scenarios are called "a"',
  ],
])('refuses to load %j', async (source, message) => {
  expect(await refusal(() => loadRecipe(source))).toContain(message);
});

test.each([
  [{ augmentation: 'rotate' }, 'physical.0: unknown augmentation "rotate"; the nearest is "rotate_phi"'],
  [
    { augmentation: 'smear_jets', strenght: 1 },
    '(smear_jets): unknown parameter "strenght"; the nearest is "strength"',
  ],
  [{ augmentation: 'rotate_phi', x: 1 }, '(rotate_phi): unknown parameter "x"; it takes none'],
  [{ augmentation: 'acceptance', jet_pt: -1 }, '(acceptance): jet_pt: got -1, allowed: 0 to 1000 GeV'],
  [{ augmentation: 'shift_met' }, '(shift_met): is anomalous and may stand only in a scenario of "anomalous"'],
])('refuses the physical step %j', async (step, message) => {
  const loaded = await loadRecipe(recipe({ physical: [step] }));
  expect(await refusal(() => resolveRecipe(loaded, catalogue))).toContain(message);
});
