import { loadRecipe, type Recipe, type Step } from '../../config/recipe.js';
import { dataKind } from '../../events/data-kinds.js';
import { readingOf } from '../../read/reading.js';
import { surveyFiles } from '../../read/store.js';
import type { Study, StudyRequest, Variant } from '../study.js';
import { recorded, shiftedSamples, triggered } from './shifts.js';
import { presentUncertainties } from './uncertainties-present.js';

/** The weight of the pivot where none is given. */
const usualPivot = 10;

/** What detectors do otherwise, drawn anew for each event: the shifts of the generator, none of which has more noise on MET. */
const nuisances = (jets: readonly [low: number, high: number]): Step[] => [
  { augmentation: 'scale_jets', low: jets[0], high: jets[1] },
  { augmentation: 'smear_met' },
  { augmentation: 'lose_leptons' },
  // with that of smear_met as much as doubled pile-up makes, 12.5 GeV
  { augmentation: 'add_pileup', met_sigma: 8.5 },
];

/** What becomes of scores under another detector, and what helps against it. */
export const uncertainties: Study = {
  name: 'uncertainties',
  title: 'What a shifted or faulty detector does to scores, and two cures',
  seeds: 3,

  async variants(request) {
    const base = await recipeOf(request);
    const { pivotWeight, comparators, device, sums } = request.options;
    const variant = (name: string, options: Variant['options']): Variant => ({
      name,
      // the comparators are the same for all
      options: { pivotWeight: 0, ...options, comparators: comparators && name === 'plain' },
    });
    return [
      variant('plain', { recipe: base }),
      // what the pivot is to be compared with: sums would go round it
      ...(sums ? [variant('no-sums', { recipe: base, sums: false })] : []),
      variant('nuisances', { recipe: withNuisances(base, nuisances([0.95, 1.05])) }),
      // it compares populations: nothing but the nuisances is to tell them apart, and jets scaled both ways would not
      variant('pivot', {
        recipe: { ...withNuisances(base, nuisances([1.05, 1.05])), anchor: base.physical },
        pivotWeight: pivotWeight > 0 ? pivotWeight : usualPivot,
        sums: false,
        device: device === 'auto' ? 'cpu' : device,
      }),
    ];
  },

  async samples(request) {
    return shiftedSamples(request);
  },

  async methods() {
    return [{ name: triggered, score: async events => recorded(events) }];
  },

  present: results => presentUncertainties(results, uncertainties.title),
};

/** The recipe asked for, else that of the data. */
async function recipeOf({ options, background }: StudyRequest): Promise<Recipe> {
  if (options.recipe !== 'default') return loadRecipe(options.recipe);
  const { dataKind: data } = await surveyFiles(background, await readingOf(options, { write: false }));
  return loadRecipe(dataKind(data).recipe);
}

/** Nuisances as further steps of the physical view, before what ends it: the selection. */
function withNuisances(recipe: Recipe, steps: readonly Step[]): Recipe {
  const selects = recipe.physical.at(-1)?.augmentation === 'acceptance';
  const seen = selects ? recipe.physical.slice(0, -1) : recipe.physical;
  const selection = recipe.physical.slice(seen.length);
  return {
    ...recipe,
    physical: [...seen, ...steps, ...(selects ? selection : [{ augmentation: 'acceptance' }])],
  };
}
