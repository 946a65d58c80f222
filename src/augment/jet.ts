import { Kind } from '../events/objects.js';
import { mostObjects, type MutableEvent } from './event.js';
import { wrapAngle } from './math.js';

const f = Math.fround;

/** Over the constituents of a jet: pt, pt eta and pt phi. The last two over the first are its centre. */
export interface JetSum {
  pt: number;
  eta: number;
  phi: number;
}

/** The places of the constituents in the event, as {@link constituents} last found them. */
export const member = new Int32Array(mostObjects);

/** Finds the constituents, to `member`; returns how many there are. */
export function constituents(event: MutableEvent): number {
  let n = 0;
  for (let i = 0; i < event.size; i++) if (event.kind[i] === Kind.constituent) member[n++] = i;
  return n;
}

export function jetSum(event: MutableEvent, sum: JetSum): void {
  let [pt, eta, phi] = [0, 0, 0];
  for (let i = 0; i < event.size; i++) {
    if (event.kind[i] !== Kind.constituent) continue;
    pt = f(pt + event.pt[i]);
    eta = f(eta + f(event.pt[i] * event.eta[i]));
    phi = f(phi + f(event.pt[i] * event.phi[i]));
  }
  sum.pt = pt;
  sum.eta = eta;
  sum.phi = phi;
}

const now: JetSum = { pt: 0, eta: 0, phi: 0 };

/** Moves the jet so that its centre is again what it was, and scales its pt to the sum that it had if asked for. */
export function restoreJet(event: MutableEvent, before: JetSum, scale: boolean): void {
  jetSum(event, now);
  if (!(before.pt > 0 && now.pt > 0)) return;
  const factor = scale ? f(before.pt / now.pt) : 1;
  const eta = f(f(before.eta / before.pt) - f(now.eta / now.pt));
  const phi = f(f(before.phi / before.pt) - f(now.phi / now.pt));
  for (let i = 0; i < event.size; i++) {
    if (event.kind[i] !== Kind.constituent) continue;
    event.pt[i] *= factor;
    event.eta[i] += eta;
    event.phi[i] = wrapAngle(f(event.phi[i] + phi));
  }
}

/**
 * The place of the hardest constituent that is softer than the one at `after`, or as hard and behind it; of the hardest
 * of all for -1. -1 where there is none.
 */
export function hardestAfter(event: MutableEvent, after: number): number {
  let found = -1;
  for (let i = 0; i < event.size; i++) {
    if (event.kind[i] !== Kind.constituent) continue;
    const pt = event.pt[i];
    const follows = after < 0 || pt < event.pt[after] || (pt === event.pt[after] && i > after);
    if (follows && (found < 0 || pt > event.pt[found])) found = i;
  }
  return found;
}

/** Of object i from a direction. */
export function squaredDistance(event: MutableEvent, i: number, eta: number, phi: number): number {
  const x = f(event.eta[i] - eta);
  const y = f(event.phi[i] - phi);
  return f(f(x * x) + f(y * y));
}
