import type { DataKind } from '../data-kind.js';
import type { EventBatch } from '../event-batch.js';
import { eventKindNames, Kind, layout } from '../objects.js';

const { electron, muon, jet } = layout;

/** A collision: MET, electrons, muons and jets, as in the ADC2021 layout. */
export const event: DataKind = {
  kinds: eventKindNames,
  words: { one: 'event', many: 'events', object: 'object', objects: 'objects' },
  raw: { slots: layout.slots, places: layout },
  etaScale: 4,
  phiScale: Math.PI,
  roundPhi: true,
  angles: 'sincos',
  recipe: 'default',
  sums: eventKindNames,
  symmetry: { augmentation: 'rotate_phi', words: 'turned in φ by random angles' },
  cuts: {
    'leading-pt': 'largest pT of any electron, muon or jet, GeV',
    ht: 'HT, the scalar sum of jet pT, GeV',
    met: 'missing transverse momentum, GeV',
    multiplicity: 'number of electrons, muons and jets',
  },
  cutsOf,
  quantities: { ht: { label: 'HT [GeV]', of: htOf } },
  selection: [
    `electrons: pT > ${electron.minPt} GeV, |eta| < ${electron.maxAbsEta}, the ${electron.capacity} of largest pT`,
    `muons: pT > ${muon.minPt} GeV, |eta| < ${muon.maxAbsEta}, the ${muon.capacity} of largest pT`,
    `jets: pT > ${jet.minPt} GeV, |eta| < ${jet.maxAbsEta}, the ${jet.capacity} of largest pT`,
    'events: at least one electron or muon with pT > 23 GeV',
    'MET: eta = 0, one for each event',
    'These are the cuts of the ADC2021 sample, whose layout the training files have; a file of other cuts would show in ' +
      'the boundaries of the domain.',
  ],
};

/** 0 where an event lacks the objects. */
function cutsOf(batch: EventBatch, e: number): number[] {
  let [leading, ht, met, visible] = [0, 0, 0, 0];
  for (let o = batch.offsets[e]; o < batch.offsets[e + 1]; o++) {
    const pt = batch.pt[o];
    if (batch.kind[o] === Kind.met) {
      met = pt;
      continue;
    }
    visible += 1;
    leading = Math.max(leading, pt);
    if (batch.kind[o] === Kind.jet) ht += pt;
  }
  return [leading, ht, met, visible];
}

function htOf(batch: EventBatch, e: number): number {
  let ht = 0;
  for (let o = batch.offsets[e]; o < batch.offsets[e + 1]; o++) if (batch.kind[o] === Kind.jet) ht += batch.pt[o];
  return ht;
}
