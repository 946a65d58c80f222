import type { Recipe, Step } from '../recipe.js';
import { scenario } from './reconstruction.js';

/**
 * What leaves a jet the same jet: a turn about its axis, a shift of the whole, what soft radiation and collinear splitting
 * change and no measurement tells (JetCLR, arXiv:2108.04253).
 */
const physical: Step[] = [
  { augmentation: 'rotate_jet' },
  { augmentation: 'translate_jet' },
  { augmentation: 'soft_distort' },
  { augmentation: 'split_constituents' },
];

/** Jets: parts that nobody sees, a second prong, another fragmentation. */
export const jetRecipe: Recipe = {
  name: 'jet',
  anchor: [],
  physical,
  anomalous: [
    scenario('drop_constituents', { augmentation: 'drop_constituents' }, physical),
    scenario('shift_subjet', { augmentation: 'shift_subjet' }, physical),
    scenario('reweight_pt', { augmentation: 'reweight_pt' }, physical),
  ],
};
