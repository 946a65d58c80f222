import type { AugmentationInfo } from '../config/recipe.js';
import { acceptance } from './acceptance.js';
import { addObjects } from './add-objects.js';
import type { Augmentation } from './augmentation.js';
import { dropConstituents } from './drop-constituents.js';
import { rotateJet, softDistort, translateJet } from './jet-directions.js';
import { redistribute } from './redistribute.js';
import { reweightPt } from './reweight-pt.js';
import { rotatePhi } from './rotate-phi.js';
import { shiftAll, shiftMet, shiftPt } from './shift.js';
import { shiftSubjet } from './shift-subjet.js';
import { smearDirection, smearJets } from './smear.js';
import { splitCollinear } from './split-collinear.js';
import { splitConstituents } from './split-constituents.js';

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
  rotateJet,
  translateJet,
  softDistort,
  splitConstituents,
  dropConstituents,
  shiftSubjet,
  reweightPt,
];

/** What the addon's `augmentations()` says, without the addon. */
export const augmentationCatalogue: AugmentationInfo[] = augmentations.map(({ info }) => info);
