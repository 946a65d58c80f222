import { augment } from './augment.js';
import type { Case } from './case.js';
import { losses } from './loss.js';
import { scores } from './score.js';
import { trainSteps } from './train-step.js';

/** Every case there is. */
export const cases = (): Case[] => [...trainSteps, ...augment, ...losses(), ...scores];
