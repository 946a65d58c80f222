import { loadRecipe, type Recipe } from '../../config/recipe.js';
import { dataKind } from '../../events/data-kinds.js';
import { readingOf } from '../../read/reading.js';
import { surveyFiles } from '../../read/store.js';
import type { DotPanel } from '../../report/figure.js';
import {
  auc,
  efficiency,
  type Entry,
  type EntryFigures,
  figuresOfEntries,
  type Measure,
  measureTables,
} from '../entries.js';
import type { Study, StudyRequest, StudyResults, Variant } from '../study.js';

const all = 'all';
const untrained = 'untrained-encoder';
const alone = (scenario: string): string => `only ${scenario}`;
const allBut = (scenario: string): string => `without ${scenario}`;

/** Fig. 2 of arXiv:2301.04660: what each anomalous augmentation is worth. */
export const augmentations: Study = {
  name: 'augmentations',
  title: 'Each anomalous augmentation alone, all but one, and all',
  seeds: 3,

  async variants(request) {
    const recipe = await recipeOf(request);
    const { anomalous: scenarios } = recipe;
    const variant = (name: string, kept: Recipe['anomalous']): Variant => ({
      name,
      // the comparators are the same for all
      options: {
        recipe: { ...recipe, name, anomalous: kept },
        comparators: request.options.comparators && name === all,
      },
    });
    return [
      variant(all, scenarios),
      ...(scenarios.length > 1 ? scenarios.map(one => variant(alone(one.name), [one])) : []),
      // of two, all but one is the other alone
      ...(scenarios.length > 2
        ? scenarios.map(one =>
            variant(
              allBut(one.name),
              scenarios.filter(other => other !== one),
            ),
          )
        : []),
    ];
  },

  async present(results) {
    const figures = await figuresOfEntries(results, entriesOf(results));
    const scenarios = (await recipeOf(results.request)).anomalous.map(({ name }) => name);
    const panels = [auc, efficiency('1e-3')].flatMap(measure =>
      results.signals.map(signal => dotPanel(figures, scenarios, signal, measure)),
    );
    return {
      json: { scenarios, figures },
      tables: measureTables('scenarios', figures),
      figure: {
        title: augmentations.title,
        label: `AUC and signal efficiency for scenarios ${scenarios.join(', ')}, alone and left out, on each signal`,
        panels: panels.filter(({ series }) => series.some(({ values }) => values.some(one => one !== null))),
        columns: Math.min(4, results.signals.length),
      },
    };
  },
};

/** The recipe asked for, else that of the data where it has several scenarios, else the paper's. */
async function recipeOf({ given, options, background }: StudyRequest): Promise<Recipe> {
  if (given.includes('recipe')) return loadRecipe(options.recipe);
  const { dataKind: data } = await surveyFiles(background, await readingOf(options, { write: false }));
  const usual = await loadRecipe(options.recipe === 'default' ? dataKind(data).recipe : options.recipe);
  return usual.anomalous.length > 1 ? usual : loadRecipe('paper');
}

/** All scenarios, the encoder before it has learned anything, then each variant. */
function entriesOf(results: StudyResults): Entry[] {
  const before = results
    .methodsOf(all)
    .filter(method => method === untrained)
    .map(method => ({ name: method, variant: all, method }));
  const own = results.variants.flatMap(({ name }) =>
    results
      .methodsOf(name)
      .slice(0, 1)
      .map(method => ({ name, variant: name, method })),
  );
  return [...before, ...own];
}

/** A row a scenario: what it reaches alone, and what the others reach without it. */
function dotPanel(
  figures: readonly EntryFigures[],
  scenarios: readonly string[],
  signal: string,
  measure: Measure,
): DotPanel {
  const value = (name: string) => {
    const found = figures.find(one => one.name === name)?.signals[signal];
    return found ? measure.of(found) : null;
  };
  const none = scenarios.map(() => null);
  const kinds = [
    { name: 'all', values: [null, value(all), ...none] },
    { name: 'alone', values: [null, null, ...scenarios.map(one => value(alone(one)))] },
    { name: 'all but this', values: [null, null, ...scenarios.map(one => value(allBut(one)))] },
    { name: untrained, values: [value(untrained), null, ...none] },
  ];
  return {
    kind: 'dots',
    title: signal,
    value: { name: measure.title },
    rows: [untrained, all, ...scenarios],

    series: kinds.filter(({ values }) => values.some(one => one !== null)),
  };
}
