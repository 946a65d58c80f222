/**
 * The kinds of reconstructed object, with their class codes: 1 to 4 as in the ADC2021 layout (0 is an empty slot), 5 a
 * constituent of a jet, its eta and phi relative to the jet's axis.
 */
export const Kind = { met: 1, electron: 2, muon: 3, jet: 4, constituent: 5 } as const;
export type KindName = keyof typeof Kind;
/** In the order of their codes: the kind of code c is `kindNames[c - 1]`. */
export const kindNames = ['met', 'electron', 'muon', 'jet', 'constituent'] as const satisfies readonly KindName[];
/** Those of a collision in the ADC2021 layout. */
export const eventKindNames = ['met', 'electron', 'muon', 'jet'] as const satisfies readonly KindName[];

/**
 * Where each kind sits among the 19 slots of an ADC2021 event, and the selection of the public sample.
 * pt in GeV, eta dimensionless. The limits are those of the published code and of the ADC2021 description.
 */
export const layout = {
  slots: 19,
  met: { code: 1, firstSlot: 0, capacity: 1, minPt: 0, maxAbsEta: 0 },
  electron: { code: 2, firstSlot: 1, capacity: 4, minPt: 3, maxAbsEta: 3 },
  muon: { code: 3, firstSlot: 5, capacity: 4, minPt: 3, maxAbsEta: 2.1 },
  jet: { code: 4, firstSlot: 9, capacity: 10, minPt: 15, maxAbsEta: 4 },
} as const;
