import { adam } from './adam.js';
import { attention } from './attention.js';
import { augment } from './augment.js';
import type { Case } from './case.js';
import { denses } from './dense.js';
import { losses } from './loss.js';
import { scores } from './score.js';
import { scoreFilesCase } from './score-files.js';
import { trainSteps } from './train-step.js';

/** Every case there is. */
export const cases: readonly Case[] = [
  ...trainSteps,
  ...scores,
  scoreFilesCase,
  ...augment,
  ...losses,
  attention,
  ...denses,
  adam,
];
