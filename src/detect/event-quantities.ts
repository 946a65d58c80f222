import type { EventBatch } from '../events/event-batch.js';
import { Kind } from '../events/objects.js';

/**
 * What one would write down of a collision without any training, in words. Leptons are electrons and muons, objects have
 * no mass of their own, and a sum of objects is that of their momenta. Momenta and masses in GeV are read as log(1 + x),
 * angles in rad; 0 where an event lacks the objects.
 */
export const eventQuantities = {
  electrons: 'number of electrons',
  muons: 'number of muons',
  jets: 'number of jets',
  'electron-sum-pt': 'scalar sum of electron pT',
  'muon-sum-pt': 'scalar sum of muon pT',
  ht: 'HT, the scalar sum of jet pT',
  'electron-pt': 'largest electron pT',
  'muon-pt': 'largest muon pT',
  'jet-pt': 'largest jet pT',
  met: 'missing transverse momentum',
  'lepton-mass': 'invariant mass of all leptons',
  'jet-mass': 'invariant mass of all jets',
  mass: 'invariant mass of all leptons and jets',
  'transverse-mass': 'transverse mass of the lepton sum with MET, sqrt(2 pT MET (1 - cos dphi))',
  'lepton-jet-angle': '|dphi| of lepton sum and jet sum',
  'lepton-met-angle': '|dphi| of lepton sum and MET',
  'jet-met-angle': '|dphi| of jet sum and MET',
} as const;

export const eventQuantityCount = Object.keys(eventQuantities).length;

/** A sum of massless objects: momentum and energy, GeV. */
class Sum {
  count = 0;
  scalarPt = 0;
  largestPt = 0;
  x = 0;
  y = 0;
  z = 0;
  energy = 0;

  add(pt: number, eta: number, phi: number): void {
    this.count++;
    this.scalarPt += pt;
    this.largestPt = Math.max(this.largestPt, pt);
    this.x += pt * Math.cos(phi);
    this.y += pt * Math.sin(phi);
    this.z += pt * Math.sinh(eta);
    this.energy += pt * Math.cosh(eta);
  }

  /** This and another together. */
  with(other: Sum): Sum {
    const both = new Sum();
    both.count = this.count + other.count;
    both.x = this.x + other.x;
    both.y = this.y + other.y;
    both.z = this.z + other.z;
    both.energy = this.energy + other.energy;
    return both;
  }

  /** GeV; of fewer than two objects 0, which rounding would blur. */
  get mass(): number {
    if (this.count < 2) return 0;
    return Math.sqrt(Math.max(0, this.energy ** 2 - this.x ** 2 - this.y ** 2 - this.z ** 2));
  }
}

/** |dphi| of two sums, 0 to pi; 0 where one has no objects. */
function angle(a: Sum, b: Sum): number {
  if (a.count === 0 || b.count === 0) return 0;
  return Math.abs(Math.atan2(a.x * b.y - a.y * b.x, a.x * b.x + a.y * b.y));
}

/** sqrt(2 pT MET (1 - cos dphi)), as sqrt(2 (pT MET - p . MET)). */
function transverseMass(a: Sum, met: Sum): number {
  const product = Math.hypot(a.x, a.y) * Math.hypot(met.x, met.y);
  return Math.sqrt(2 * Math.max(0, product - a.x * met.x - a.y * met.y));
}

/** The {@link eventQuantities} of collisions, in their order. [events, 17] */
export function eventQuantityRows(batch: EventBatch): Float32Array {
  const rows = new Float32Array(batch.count * eventQuantityCount);
  for (let e = 0; e < batch.count; e++) rows.set(quantitiesOf(batch, e), e * eventQuantityCount);
  return rows;
}

function quantitiesOf({ offsets, pt, eta, phi, kind }: EventBatch, e: number): number[] {
  const [met, electrons, muons, jets] = [new Sum(), new Sum(), new Sum(), new Sum()];
  const sums: Partial<Record<number, Sum>> = {
    [Kind.met]: met,
    [Kind.electron]: electrons,
    [Kind.muon]: muons,
    [Kind.jet]: jets,
  };
  for (let o = offsets[e]; o < offsets[e + 1]; o++) sums[kind[o]]?.add(pt[o], eta[o], phi[o]);
  const leptons = electrons.with(muons);
  const log = Math.log1p;
  return [
    electrons.count,
    muons.count,
    jets.count,
    log(electrons.scalarPt),
    log(muons.scalarPt),
    log(jets.scalarPt),
    log(electrons.largestPt),
    log(muons.largestPt),
    log(jets.largestPt),
    log(met.scalarPt),
    log(leptons.mass),
    log(jets.mass),
    log(leptons.with(jets).mass),
    log(transverseMass(leptons, met)),
    angle(leptons, jets),
    angle(leptons, met),
    angle(jets, met),
  ];
}
