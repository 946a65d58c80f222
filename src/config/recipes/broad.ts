import type { Recipe } from '../recipe.js';
import { reconstruction, scenario } from './reconstruction.js';

const physical = reconstruction();

/** Every kind of anomaly side by side, each in moderation: multiplicity, splitting, missing momentum, momentum scale. */
export const broadRecipe: Recipe = {
  name: 'broad',
  anchor: [],
  physical,
  anomalous: [
    scenario('add_leptons', { augmentation: 'add_objects', max_electrons: 2, max_muons: 2, max_jets: 0 }, physical),
    scenario('add_jets', { augmentation: 'add_objects', max_electrons: 0, max_muons: 0, max_jets: 3 }, physical),
    scenario('add_mixed', { augmentation: 'add_objects', max_electrons: 1, max_muons: 1, max_jets: 2 }, physical),
    scenario('split_jets', { augmentation: 'split_collinear', max_electrons: 0, max_muons: 0, max_jets: 3 }, physical),
    scenario(
      'split_leptons',
      { augmentation: 'split_collinear', max_electrons: 2, max_muons: 2, max_jets: 0 },
      physical,
    ),
    scenario('shift_met', { augmentation: 'shift_met' }, physical),
    scenario('shift_pt', { augmentation: 'shift_pt' }, physical),
    scenario('shift_all', { augmentation: 'shift_all' }, physical),
  ],
};
