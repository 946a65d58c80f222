import { Kind } from '../events/objects.js';
import { mostObjects, type MutableEvent } from './event.js';
import { exp, log, sinCos } from './math.js';
import type { Numbers } from './numbers.js';

const f = Math.fround;
const angle = new Float32Array(2); // sine, cosine

/** A vector in the transverse plane, GeV. */
export class Transverse {
  x = 0;
  y = 0;

  clear(): void {
    this.x = 0;
    this.y = 0;
  }

  add(pt: number, phi: number): void {
    sinCos(phi, angle);
    this.x = f(this.x + f(pt * angle[1]));
    this.y = f(this.y + f(pt * angle[0]));
  }
}

/** Whether an event is a jet, which has no MET and no leptons. */
export const isJet = (event: MutableEvent): boolean => event.count(Kind.constituent) > 0;
export const isLepton = (kind: number): boolean => kind === Kind.electron || kind === Kind.muon;
export const isVisible = (kind: number): boolean => isLepton(kind) || kind === Kind.jet;

/** Places left in the event, one kept for a MET where there is none yet; below 0 that one has no place. */
export function placesBesideMet(event: MutableEvent): number {
  return mostObjects - event.size - (event.met() < 0 ? 1 : 0);
}

/** The place of the hardest electron or muon, -1 without one. */
export function leadingLepton(event: MutableEvent): number {
  let found = -1;
  for (let i = 0; i < event.size; i++)
    if (isLepton(event.kind[i]) && (found < 0 || event.pt[i] > event.pt[found])) found = i;
  return found;
}

/** The logarithm uniform between those of low and high, both above 0. */
export function logUniform(low: number, high: number, numbers: Numbers): number {
  return f(low * exp(f(numbers.unit() * log(f(high / low)))));
}

/** Drops visible objects that have given away all they had. */
export function dropSpent(event: MutableEvent): void {
  let kept = 0;
  for (let i = 0; i < event.size; i++) {
    if (isVisible(event.kind[i]) && !(event.pt[i] > 0)) continue;
    event.move(i, kept++);
  }
  event.size = kept;
}
