import type { NativeRecipe } from '../addon.js';
import { resolveRecipe, type AugmentationInfo, type Recipe, type Step } from '../config/recipe.js';

/** A recipe in the addon's terms: names to places in its list, parameters in its order. */
export function nativeRecipe(recipe: Recipe, catalogue: readonly AugmentationInfo[]): NativeRecipe {
  const { anchor, physical, anomalous } = resolveRecipe(recipe, catalogue);
  const steps = (chain: readonly Step[]) =>
    chain.map(step => {
      const augmentation = catalogue.findIndex(({ name }) => name === step.augmentation);
      return { augmentation, parameters: Float64Array.from(catalogue[augmentation].params, p => Number(step[p.name])) };
    });
  return [
    [{ weight: 1, steps: steps(anchor) }],
    [{ weight: 1, steps: steps(physical) }],
    anomalous.map(({ weight, steps: chain }) => ({ weight, steps: steps(chain) })),
  ];
}
