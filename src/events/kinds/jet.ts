import type { DataKind } from '../data-kind.js';
import type { EventBatch } from '../event-batch.js';

/** Constituents that the plain data have places for; those after them are soft. */
const slots = 40;

/** A jet: its constituents, with eta and phi relative to its axis, the hardest first. */
export const jet: DataKind = {
  kinds: ['constituent'],
  words: { one: 'jet', many: 'jets', object: 'constituent', objects: 'constituents' },
  raw: { slots, places: { constituent: { firstSlot: 0, capacity: slots } } },
  // a jet is narrow: the radius of a common clustering, beyond which only few constituents lie
  etaScale: 0.4,
  phiScale: 0.4,
  roundPhi: false,
  // the sine and cosine of a small angle are itself and nearly 1
  angles: 'phi',
  recipe: 'jet',
  // its pT and how many constituents that leaves are of how it was chosen, and would outshine what is in it
  sums: [],
  symmetry: { augmentation: 'rotate_jet', words: 'turned about its axis by random angles' },
  cuts: {
    multiplicity: 'number of constituents',
    mass: 'mass of the massless constituents together, GeV',
    width: 'pT-weighted mean distance of the constituents from the axis',
    'mass-over-pt': 'mass over the scalar sum of pT',
    'leading-fraction': 'share of pT that the hardest constituent does not have',
  },
  cutsOf,
  quantities: {
    pt: { label: 'sum of pT [GeV]', of: (batch, e) => shapeOf(batch, e).pt },
    mass: { label: 'mass [GeV]', of: (batch, e) => shapeOf(batch, e).mass },
  },
  selection: [
    'jets: as the training files have them; their pT, mass and clustering are not restricted here, and show in the ' +
      'boundaries of the domain',
    'constituents: massless, eta and phi relative to the axis of the jet',
  ],
};

interface Shape {
  /** Scalar sum, GeV. */
  readonly pt: number;
  /** GeV */
  readonly mass: number;
  readonly width: number;
  /** Largest pT of a constituent, GeV. */
  readonly leading: number;
  readonly constituents: number;
}

/** Quantities of jet e. The mass is that of massless constituents, m^2 = E^2 - p^2, which a boost along the beam leaves. */
function shapeOf({ offsets, pt, eta, phi }: EventBatch, e: number): Shape {
  let [sum, energy, px, py, pz, width, leading] = [0, 0, 0, 0, 0, 0, 0];
  for (let o = offsets[e]; o < offsets[e + 1]; o++) {
    sum += pt[o];
    leading = Math.max(leading, pt[o]);
    width += pt[o] * Math.hypot(eta[o], phi[o]);
    energy += pt[o] * Math.cosh(eta[o]);
    pz += pt[o] * Math.sinh(eta[o]);
    px += pt[o] * Math.cos(phi[o]);
    py += pt[o] * Math.sin(phi[o]);
  }
  return {
    pt: sum,
    mass: Math.sqrt(Math.max(0, energy * energy - px * px - py * py - pz * pz)),
    width: sum > 0 ? width / sum : 0,
    leading,
    constituents: offsets[e + 1] - offsets[e],
  };
}

function cutsOf(batch: EventBatch, e: number): number[] {
  const { constituents, mass, width, pt, leading } = shapeOf(batch, e);
  return [constituents, mass, width, pt > 0 ? mass / pt : 0, pt > 0 ? 1 - leading / pt : 0];
}
