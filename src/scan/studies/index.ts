import type { StudyName } from '../../config/options-scan.js';
import type { Study } from '../study.js';

/** Every study, loaded when it is asked for. */
const studies: Readonly<Record<StudyName, () => Promise<Study>>> = {
  comparison: async () => (await import('./comparison.js')).comparison,
  augmentations: async () => (await import('./augmentations.js')).augmentations,
  dimension: async () => (await import('./dimension.js')).dimension,
  searches: async () => (await import('./searches.js')).searches,
  scenarios: async () => (await import('./scenarios.js')).scenarios,
  detectors: async () => (await import('./detectors.js')).detectors,
  uncertainties: async () => (await import('./uncertainties.js')).uncertainties,
};

export function loadStudy(name: string): Promise<Study> {
  return studies[name as StudyName]();
}
