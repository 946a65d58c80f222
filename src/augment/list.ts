import type { AugmentationInfo } from '../config/recipe.js';
import { acceptance } from './acceptance.js';
import { addObjects } from './add-objects.js';
import type { Augmentation } from './augmentation.js';
import { redistribute } from './redistribute.js';
import { rotatePhi } from './rotate-phi.js';
import { shiftAll, shiftMet, shiftPt } from './shift.js';
import { smearDirection, smearJets } from './smear.js';
import { splitCollinear } from './split-collinear.js';

/** Every augmentation there is, in the order of native/augment/list.h. */
export const augmentations: readonly Augmentation[] = [
  rotatePhi,
  smearDirection,
  smearJets,
  acceptance,
  addObjects,
  splitCollinear,
  redistribute,
  shiftMet,
  shiftPt,
  shiftAll,
];

/** What the addon's `augmentations()` says, without the addon. */
export const augmentationCatalogue: AugmentationInfo[] = augmentations.map(({ info }) => info);
