import type { Recipe } from '../recipe.js';
import { reconstruction, scenario } from './reconstruction.js';

/** Jet resolution as the published code has it: sigma^2 = 0.052 pt^2 + 1.502 pt, wider than the Delphes card's. */
const physical = reconstruction({ constant: Math.sqrt(0.052), stochastic: Math.sqrt(1.502) });

/** The augmentations of the AnomalyCLR paper (arXiv:2301.04660): objects added up to the free slots of each kind. */
export const paperRecipe: Recipe = {
  name: 'paper',
  anchor: [],
  physical,
  anomalous: [
    scenario('add_objects', { augmentation: 'add_objects', max_electrons: 4, max_muons: 4, max_jets: 10 }, physical),
    scenario('redistribute', { augmentation: 'redistribute' }, physical),
    scenario('shift_met', { augmentation: 'shift_met' }, physical),
    scenario('shift_pt', { augmentation: 'shift_pt' }, physical),
    scenario('shift_all', { augmentation: 'shift_all' }, physical),
  ],
};
