import type { KindName } from '../events/objects.js';
import type { Style } from './palette.js';

/** How each kind of object is drawn, in pictures of events and in spectra. */
export const kindStyles: Record<KindName, Style> = {
  met: { colour: 'slate', dash: [6, 3], width: 2 },
  electron: { colour: 'blue', dash: [], width: 2 },
  muon: { colour: 'vermillion', dash: [2, 2], width: 2 },
  jet: { colour: 'green', dash: [8, 3, 2, 3], width: 2 },
  constituent: { colour: 'blue', dash: [], width: 2 },
};

/** The letter beside an object, so that colour is not all that tells kinds apart. */
export const kindLetters: Record<KindName, string> = {
  met: 'MET',
  electron: 'e',
  muon: 'μ',
  jet: 'j',
  constituent: 'c',
};
