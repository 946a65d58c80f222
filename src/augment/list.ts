import type { AugmentationInfo } from '../config/recipe.js';
import { acceptance } from './acceptance.js';
import { addObjects } from './add-objects.js';
import { addResonance } from './add-resonance.js';
import { addSpectrum } from './add-spectrum.js';
import type { Augmentation } from './augmentation.js';
import { convertJets } from './convert-jets.js';
import { displaceMet } from './displace-met.js';
import { dropConstituents } from './drop-constituents.js';
import { deadRegion, hotRegion, scalePt, stickMet } from './faults.js';
import { rotateJet, softDistort, translateJet } from './jet-directions.js';
import { jitterPt } from './jitter-pt.js';
import { loseMomentum } from './lose-momentum.js';
import { addPileup, loseLeptons, scaleJets, smearMet } from './nuisances.js';
import { redistribute } from './redistribute.js';
import { rescale } from './rescale.js';
import { reweightPt } from './reweight-pt.js';
import { rotatePhi } from './rotate-phi.js';
import { shiftSubjet } from './shift-subjet.js';
import { shiftAll, shiftMet, shiftPt } from './shift.js';
import { smearDirection, smearJets } from './smear.js';
import { splitCollinear } from './split-collinear.js';
import { splitConstituents } from './split-constituents.js';
import { turnKinds } from './turn-kinds.js';

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
  scaleJets,
  smearMet,
  loseLeptons,
  addPileup,
  deadRegion,
  hotRegion,
  scalePt,
  stickMet,
  addSpectrum,
  rescale,
  loseMomentum,
  turnKinds,
  displaceMet,
  addResonance,
  jitterPt,
  convertJets,
];

/** What the addon's `augmentations()` says, without the addon. */
export const augmentationCatalogue: AugmentationInfo[] = augmentations.map(({ info }) => info);
