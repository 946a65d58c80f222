import { z } from 'zod';
import { augmentationCatalogue } from '../../src/augment/list.js';
import { presets, type Recipe, resolveRecipe } from '../../src/config/recipe.js';
import { scan } from '../../src/scan/scan.js';
import { uncertainties } from '../../src/scan/studies/uncertainties.js';
import type { Study } from '../../src/scan/study.js';
import { temporaryFolder } from '../read/craft.js';
import { sample } from '../support/cli.js';
import { here, requestOf } from './trials.js';

const at = temporaryFolder();
const stepsOf = ({ physical }: Recipe): string[] => physical.map(({ augmentation }) => augmentation);

test('variants: as asked for, without sums, nuisances in the physical view, and a pivot on them', async () => {
  const variants = await uncertainties.variants(requestOf());
  expect(variants.map(({ name }) => name)).toEqual(['plain', 'no-sums', 'nuisances', 'pivot']);
  expect(variants.map(({ options }) => options.sums)).toEqual([undefined, false, undefined, false]);
  const recipes = variants.map(({ options }) =>
    resolveRecipe(options.recipe as Recipe, augmentationCatalogue, 'event'),
  );
  const usual = stepsOf(presets['default']);
  for (const recipe of recipes.slice(0, 2)) expect(stepsOf(recipe)).toEqual(usual);
  for (const recipe of recipes.slice(2)) {
    expect(stepsOf(recipe).filter(step => usual.includes(step))).toEqual(usual);
    expect(stepsOf(recipe)).toEqual(expect.arrayContaining(['scale_jets', 'smear_met', 'lose_leptons', 'add_pileup']));
    expect(stepsOf(recipe).at(-1)).toBe('acceptance');
  }
  expect(recipes.map(({ anchor }) => anchor)).toEqual([[], [], [], recipes[0].physical]);
  expect(variants.map(({ options }) => options.pivotWeight! > 0)).toEqual([false, false, false, true]);
  const own = requestOf({ train: { pivotWeight: 7, sums: false } });
  expect((await uncertainties.variants(own)).map(({ options }) => options.pivotWeight)).toEqual([0, 0, 7]);
});

test.each([
  [['jes_up:leptoquark'], '--shifted jes_up:leptoquark: is a signal under jes_up; give --shifted jes_up=FILE too'],
  [['jes_up', 'jes_up:what'], '--shifted jes_up:what: there is no signal what; there are leptoquark'],
])('--shifted %p is refused', async (names, message) => {
  const shifted = names.map(name => ({ name, file: sample('leptoquark') }));
  await expect(uncertainties.samples!(requestOf({ shifted }))).rejects.toThrow(message);
});

const ranged = z.object({ value: z.number(), low: z.number(), high: z.number() }).loose();
const shiftsSchema = z.array(
  z.object({
    shift: z.string(),
    entry: z.string(),
    recorded: z.number(),
    score: z.object({ mean: ranged, median: ranged }),
    passing: z.record(z.string(), ranged.nullable()),
    signals: z.record(z.string(), z.object({ shifted: z.boolean(), auc: ranged, change: z.number() })),
  }),
);

test('a trial: under a shift that is none nothing changes, under others it does', async () => {
  const short: Study = {
    ...uncertainties,
    variants: async asked => (await uncertainties.variants(asked)).filter(({ name }) => name === 'pivot'),
  };
  const shifted = [
    { name: 'none', file: sample('Ato4l') },
    { name: 'other', file: sample('hToTauTau') },
    { name: 'other:leptoquark', file: sample('leptoquark') },
  ];
  const request = requestOf({ study: 'uncertainties', shifted, train: { comparators: false, maxEvents: 400 } });
  const { start } = here(short);
  const { json, text, failed } = await scan(short, request, { out: at('short'), jobs: 1, version: '1', start });
  expect(failed).toEqual([]);
  const shifts = shiftsSchema.parse(json['shifts']);
  const names = ['none', 'other', 'dead region', 'hot region', 'jet pT + 10 %', 'MET stuck'];
  expect(shifts.map(({ shift, entry }) => `${entry} ${shift}`)).toEqual(names.map(name => `pivot ${name}`));
  for (const { shift, recorded, score, passing, signals } of shifts) {
    const { leptoquark } = signals;
    if (shift === 'none') {
      expect([recorded, score.median.value, passing['1e-2']?.value, leptoquark.change]).toEqual([1, 0, 1, 0]);
    } else {
      expect(score.mean.value).not.toBe(0);
      expect(leptoquark.change).not.toBe(0);
    }
    // only a dead region loses the lepton that triggers
    expect(recorded < 1).toBe(shift === 'dead region');
    expect(recorded).toBeGreaterThan(0.8);
    expect(leptoquark.shifted).toBe(shift !== 'none');
  }
  expect(text).toContain('over nominal');
  expect(text).toMatch(/having lost the lepton that triggers: dead region \d/);
  expect(text).toContain('The signal itself is nominal under none.');
});
