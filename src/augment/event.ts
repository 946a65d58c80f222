import type { Columns } from '../addon.js';
import { AnomalyClrError } from '../errors.js';
import { Kind, layout } from '../events/objects.js';

/** The most objects that an event may have: room for what augmentations add to the 19 of ADC2021. */
export const mostObjects = 64;

/** Class codes of what is not MET. */
export const visibleKinds = [layout.electron.code, layout.muon.code, layout.jet.code] as const;

const byCode = (limit: 'capacity' | 'minPt' | 'maxAbsEta', ofConstituents: number) =>
  Float32Array.of(0, ...(['met', 'electron', 'muon', 'jet'] as const).map(kind => layout[kind][limit]), ofConstituents);
/** How many of a kind ADC2021 keeps, by class code, as the next two; constituents have no limits of their own. */
export const capacity = byCode('capacity', mostObjects);
/** Its threshold, GeV. */
export const minPt = byCode('minPt', 0);
/** Its range in eta. */
export const maxAbsEta = byCode('maxAbsEta', 4);

/** One event while it is worked on. Pt in GeV, phi in rad on [-pi, pi]; kinds are class codes. */
export class MutableEvent {
  size = 0;
  readonly pt = new Float32Array(mostObjects);
  readonly eta = new Float32Array(mostObjects);
  readonly phi = new Float32Array(mostObjects);
  readonly kind = new Uint8Array(mostObjects);

  /** Takes the objects of event e of `events`. */
  load({ pt, eta, phi, kind, offsets }: Columns, e: number): void {
    const [first, end] = [offsets[e], offsets[e + 1]];
    if (!(first >= 0 && end >= first && end <= pt.length))
      throw new AnomalyClrError(`offsets of event ${e} do not lie within its columns`);
    if (end - first > mostObjects)
      throw new AnomalyClrError(`event ${e} has ${end - first} objects, the most is ${mostObjects}`);
    this.size = 0;
    for (let o = first; o < end; o++) {
      if (!(kind[o] >= 1 && kind[o] <= Kind.constituent))
        throw new AnomalyClrError(`event ${e} has an object of class ${kind[o]}`);
      this.add(pt[o], eta[o], phi[o], kind[o]);
    }
  }

  count(kind: number): number {
    let n = 0;
    for (let i = 0; i < this.size; i++) if (this.kind[i] === kind) n++;
    return n;
  }

  /** How many more of a kind the event can hold. */
  room(kind: number): number {
    return Math.max(0, Math.min(capacity[kind] - this.count(kind), mostObjects - this.size));
  }

  /** Place of the first MET, -1 without one. */
  met(): number {
    for (let i = 0; i < this.size; i++) if (this.kind[i] === layout.met.code) return i;
    return -1;
  }

  /** Largest pt of all objects, MET included; 0 without objects. */
  largestPt(): number {
    let largest = 0;
    for (let i = 0; i < this.size; i++) if (this.pt[i] > largest) largest = this.pt[i];
    return largest;
  }

  /** False where there is no place left. */
  add(pt: number, eta: number, phi: number, kind: number): boolean {
    const i = this.size;
    if (i >= mostObjects) return false;
    this.pt[i] = pt;
    this.eta[i] = eta;
    this.phi[i] = phi;
    this.kind[i] = kind;
    this.size = i + 1;
    return true;
  }

  /**
   * Copies object `from` over object `to`. An augmentation that loses objects writes those it keeps one after another
   * and then sets `size`; a callback for each object would cost more than its work.
   */
  move(from: number, to: number): void {
    if (from === to) return;
    this.pt[to] = this.pt[from];
    this.eta[to] = this.eta[from];
    this.phi[to] = this.phi[from];
    this.kind[to] = this.kind[from];
  }
}
