import type { Recipe, Step } from '../recipe.js';
import { reconstruction } from './reconstruction.js';

/** Directions are smeared and the selection is applied again, as for the background. */
const seen: Step[] = [{ augmentation: 'smear_direction' }, { augmentation: 'acceptance' }];
/** Further objects with falling numbers and spectra that reach beyond the event's own. */
const more: Step = { augmentation: 'add_spectrum', top: 4 };
const rescaled = (low: number, high: number): Step => ({ augmentation: 'rescale', low, high });

/**
 * What any new process may do to an event that background does not: more objects, and all of it softer or harder, with them
 * or without. On the sample both the encoder and the likelihood ratio learned more from these few than from the paper's large
 * changes or from a library of eighty (docs/physics.md).
 */
export const defaultRecipe: Recipe = {
  name: 'default',
  anchor: [],
  physical: reconstruction(),
  anomalous: [
    { name: 'more', weight: 2, steps: [more, ...seen] },
    { name: 'more_softer', weight: 1, steps: [{ augmentation: 'add_spectrum' }, rescaled(0.4, 1), ...seen] },
    { name: 'more_harder', weight: 1, steps: [more, rescaled(1, 4), ...seen] },
    { name: 'softer', weight: 1, steps: [rescaled(0.4, 1), ...seen] },
    { name: 'harder', weight: 0.5, steps: [rescaled(2, 8), ...seen] },
  ],
};
