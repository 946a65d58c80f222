import { existsSync } from 'node:fs';
import { z } from 'zod';
import { augmentationCatalogue } from '../../src/augment/list.js';
import { library, librarySizes } from '../../src/config/recipes/library.js';
import { type Recipe, resolveRecipe } from '../../src/config/recipe.js';
import { scan } from '../../src/scan/scan.js';
import { resemblingScenarios, scenarios } from '../../src/scan/studies/scenarios.js';
import type { Study } from '../../src/scan/study.js';
import { entryFiguresSchema } from '../../src/scan/study-file.js';
import { temporaryFolder } from '../read/craft.js';
import { sample } from '../support/cli.js';
import { here, requestOf } from './trials.js';

const at = temporaryFolder();
const names = library.map(({ name }) => name);
const signals = ['leptoquark', 'hToTauTau'].map(name => ({ name, file: sample(name) }));
const ofVariant = (options: object): string[] =>
  (options as { recipe: Recipe }).recipe.anomalous.map(({ name }) => name);

test('variants: nested, over all families, and those that resemble no signal', async () => {
  const variants = await scenarios.variants(requestOf({ signals }));
  expect(variants.map(({ name }) => name)).toEqual([...librarySizes.map(String), 'unlike']);
  for (const { name, x, options } of variants) {
    const own = ofVariant(options);
    expect(own).toHaveLength(x!);
    if (name !== 'unlike') expect(own).toEqual(names.slice(0, x));
    expect(resolveRecipe(options.recipe as Recipe, augmentationCatalogue, 'event').anomalous).toHaveLength(x!);
  }
  const left = ofVariant(variants[variants.length - 1].options);
  const like = new Set(signals.flatMap(({ name }) => resemblingScenarios(name)!));
  expect(names.filter(name => !left.includes(name)).toSorted()).toEqual([...like].toSorted());
  expect(like).toContain('resonance/ej-100-800');
  expect(like).toContain('conversion/tau-muon');
  expect(like.size).toBeLessThan(40);
  expect(left.length).toBeGreaterThan(40);
});

test('of a signal that is not declared nothing is taken out, and it is said so', async () => {
  expect(resemblingScenarios('something')).toBeUndefined();
  const variants = await scenarios.variants(requestOf({ signals: [{ name: 'something', file: sample('Ato4l') }] }));
  expect(variants.map(({ name }) => name)).toEqual(librarySizes.map(String));
});

test('the library: families in turn, so that none has one more than another before it is used up', () => {
  const family = (name: string): string => name.split('/')[0];
  const sizes = new Map<string, number>();
  for (const name of names) sizes.set(family(name), (sizes.get(family(name)) ?? 0) + 1);
  expect(sizes.size).toBe(9);
  expect(new Set(names).size).toBe(80);
  for (const count of librarySizes) {
    const taken = new Map([...sizes.keys()].map(one => [one, 0]));
    for (const name of names.slice(0, count)) taken.set(family(name), taken.get(family(name))! + 1);
    const open = [...taken].filter(([one, n]) => n < sizes.get(one)!).map(([, n]) => n);
    const most = Math.max(...taken.values());
    for (const n of open) expect(n).toBeGreaterThanOrEqual(most - 1);
  }
});

test('figures, time and memory of each number, from trials that trained', async () => {
  const out = at('scenarios');
  const shown = ['4', '80', 'unlike'];
  const few: Study = {
    ...scenarios,
    variants: async asked => (await scenarios.variants(asked)).filter(({ name }) => shown.includes(name)),
  };
  const { start } = here(few);
  const request = requestOf({ study: 'scenarios', signals, train: { maxEvents: 300 } });
  const { json, text, failed } = await scan(few, request, { out, jobs: 1, version: '1', start });
  expect(failed).toEqual([]);
  expect(existsSync(`${out}/scenarios.svg`)).toBe(true);
  const figures = entryFiguresSchema.array().parse(json['figures']);
  expect(figures.map(({ name }) => name)).toEqual(shown);
  for (const { signals: of } of figures) expect(of['leptoquark']?.auc?.value).toBeGreaterThan(0);

  const ranged = z.object({ value: z.number(), low: z.number(), high: z.number() });
  const costs = z
    .array(z.object({ variant: z.string(), scenarios: z.number(), step: ranged, memory: ranged, processor: ranged }))
    .parse(json['costs']);
  json.trials.forEach(({ variant, training, cpuSeconds }, i) => {
    expect(costs[i].variant).toBe(variant);
    expect(costs[i].step.value).toBeCloseTo((1000 * request.options.batch) / training.eventsPerSecond, 6);
    expect(costs[i].memory.value).toBe(training.peakMemoryMb);
    expect(costs[i].processor.value).toBe(cpuSeconds);
  });
  expect(json['timeRatio']).toBeCloseTo(costs[1].step.value / costs[0].step.value, 6);

  const resembling = z
    .array(z.object({ variant: z.string(), signals: z.record(z.string(), z.array(z.string())) }))
    .parse(json['resembling']);
  const counts = (signal: string): number[] => resembling.map(({ signals: of }) => of[signal].length);
  for (const { name } of signals) {
    const all = resemblingScenarios(name)!;
    expect(counts(name)).toEqual([all.filter(one => names.indexOf(one) < 4).length, all.length, 0]);
  }
  expect(text).toContain('## Scenarios that resemble a signal');
  expect(text).toContain('## Time per step and peak memory of training');
});
