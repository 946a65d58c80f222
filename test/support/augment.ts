import { loadAddon, type Columns, type Floats, type NativeRecipe } from '../../src/addon.js';
import { Kind } from '../../src/events/objects.js';

const addon = loadAddon();
const catalogue = addon.augmentations();

export type Scenario = NativeRecipe[number][number];
export type Step = Scenario['steps'][number];

/** Events in float32 or float64: objects of event i are `offsets[i] .. offsets[i+1]-1`. */
export interface Objects {
  readonly pt: Floats;
  readonly eta: Floats;
  readonly phi: Floats;
  readonly kind: Uint8Array;
  readonly offsets: Int32Array;
}

/** A step by its name; parameters left out take the addon's defaults. */
export function step(name: string, parameters: Record<string, number> = {}): Step {
  const augmentation = catalogue.findIndex(one => one.name === name);
  if (augmentation < 0) throw new Error(`no augmentation ${name}`);
  const { params } = catalogue[augmentation];
  for (const given of Object.keys(parameters))
    if (!params.some(one => one.name === given)) throw new Error(`${name} has no parameter ${given}`);
  return { augmentation, parameters: Float64Array.from(params, one => parameters[one.name] ?? one.default) };
}

export const nameOf = (one: Step): string => catalogue[one.augmentation].name;

/** sigma^2 = 0.052 pt^2 + 1.502 pt, as the published code has it. */
export const asCoded = { constant: Math.sqrt(0.052), stochastic: Math.sqrt(1.502) };

/** A recipe whose view 1 is made by `scenarios`. */
export function viewOne(scenarios: Scenario[]): NativeRecipe {
  return [[], scenarios, []];
}

/** View 1 of `events` by `scenarios`. */
export function augment(events: Columns, scenarios: Scenario[], seed: number, epoch = 0, index?: Int32Array) {
  return addon.augment({ events, index, recipe: viewOne(scenarios), view: 1, seed, epoch });
}

/**
 * The occupied slots of x [events, slots, features] (pt, eta, phi, four flags): pt not 0, or a flag set, as for a MET
 * of 0. `slot` is where each object stood within its event.
 */
export function fromSlots(x: Float64Array, [events, slots, features]: readonly number[]): Objects & { slot: number[] } {
  const pt: number[] = [];
  const eta: number[] = [];
  const phi: number[] = [];
  const kind: number[] = [];
  const slot: number[] = [];
  const offsets = new Int32Array(events + 1);
  for (let e = 0; e < events; e++) {
    for (let s = 0; s < slots; s++) {
      const row = x.subarray((e * slots + s) * features, (e * slots + s + 1) * features);
      const flag = row.subarray(3).indexOf(1);
      if (row[0] === 0 && flag < 0) continue;
      if (flag < 0) throw new Error(`event ${e}, slot ${s}: pt ${row[0]} without a kind`);
      pt.push(row[0]);
      eta.push(row[1]);
      phi.push(row[2]);
      kind.push(flag + 1);
      slot.push(s);
    }
    offsets[e + 1] = pt.length;
  }
  const [f64, ints] = [Float64Array, Uint8Array];
  return { pt: f64.from(pt), eta: f64.from(eta), phi: f64.from(phi), kind: ints.from(kind), offsets, slot };
}

/** The same events in float32. */
export function toColumns({ pt, eta, phi, kind, offsets }: Objects): Columns {
  return { pt: Float32Array.from(pt), eta: Float32Array.from(eta), phi: Float32Array.from(phi), kind, offsets };
}

/** Whether float32 holds event e exactly. */
export function exactInFloat32({ pt, eta, phi, offsets }: Objects, e: number): boolean {
  for (let o = offsets[e]; o < offsets[e + 1]; o++)
    if ([pt[o], eta[o], phi[o]].some(x => Math.fround(x) !== x)) return false;
  return true;
}

/** `copies` of every event, side by side: the place in the batch is the key of an event's random numbers. */
export function repeat(events: Columns, copies: number): Columns {
  const sizes = Array.from(events.offsets.subarray(1), (end, e) => end - events.offsets[e]);
  const from: number[] = [];
  const offsets = [0];
  for (const [e, size] of sizes.entries())
    for (let c = 0; c < copies; c++) {
      for (let o = 0; o < size; o++) from.push(events.offsets[e] + o);
      offsets.push(from.length);
    }
  const pick = (a: Float32Array) => Float32Array.from(from, o => a[o]);
  return {
    pt: pick(events.pt),
    eta: pick(events.eta),
    phi: pick(events.phi),
    kind: Uint8Array.from(from, o => events.kind[o]),
    offsets: Int32Array.from(offsets),
  };
}

/** b - a, both azimuths, in [-pi, pi]. */
export function deltaPhi(a: number, b: number): number {
  const d = b - a;
  return d > Math.PI ? d - 2 * Math.PI : d < -Math.PI ? d + 2 * Math.PI : d;
}

/**
 * Largest distance between objects of two sets of events, each paired with the nearest left of its kind in its event,
 * relative to the largest value of `want`; azimuths modulo 2 pi. Infinite where numbers of objects differ.
 */
export function worstObject(got: Objects, want: Objects): number {
  let scale = 1;
  for (const column of [want.pt, want.eta, want.phi]) for (const x of column) scale = Math.max(scale, Math.abs(x));
  let worst = got.offsets.length === want.offsets.length ? 0 : Infinity;
  for (let e = 0; e + 1 < want.offsets.length; e++) {
    const left = Array.from({ length: got.offsets[e + 1] - got.offsets[e] }, (_, i) => got.offsets[e] + i);
    for (let w = want.offsets[e]; w < want.offsets[e + 1]; w++) {
      const distance = (g: number) =>
        got.kind[g] === want.kind[w]
          ? Math.max(
              Math.abs(got.pt[g] - want.pt[w]),
              Math.abs(got.eta[g] - want.eta[w]),
              Math.abs(deltaPhi(got.phi[g], want.phi[w])),
            )
          : Infinity;
      let nearest = 0;
      for (let i = 1; i < left.length; i++) if (distance(left[i]) < distance(left[nearest])) nearest = i;
      const [g] = left.splice(nearest, 1);
      worst = Math.max(worst, g === undefined ? Infinity : distance(g));
    }
    if (left.length > 0) worst = Infinity;
  }
  return worst / scale;
}

/** Events before and after; `origin` says which object of `before` each object of `after` is, -1 for a new one. */
export interface Traced {
  before: Columns;
  after: Columns;
  origin: Int32Array;
}

// Every augmentation leaves each survivor either its pt or both its angles, bit for bit.
const keepsPt = new Set(['rotate_phi', 'smear_direction', 'acceptance']);

/**
 * View 1 of `events`, with the origin of every object. A step's numbers do not depend on the steps after it, so running
 * the first 1, 2, .. steps gives every stage between; from stage to stage survivors keep their order.
 */
export async function trace(events: Columns, scenarios: Scenario[], seed: number): Promise<Traced> {
  let stage: Traced = { before: events, after: events, origin: Int32Array.from(events.pt, (_, o) => o) };
  const steps = Math.max(...scenarios.map(one => one.steps.length));
  for (let k = 0; k < steps; k++) {
    const invariants = new Set(scenarios.map(one => keepsPt.has(nameOf(one.steps[k]))));
    if (invariants.size !== 1) throw new Error(`step ${k}: scenarios keep pt in one and angles in another`);
    const prefix = scenarios.map(one => ({ ...one, steps: one.steps.slice(0, k + 1) }));
    const after = await augment(events, prefix, seed);
    stage = { before: events, after, origin: follow(stage, after, invariants.has(true)) };
  }
  return stage;
}

function follow({ after: from, origin }: Traced, to: Columns, ptKept: boolean): Int32Array {
  const result = new Int32Array(to.pt.length).fill(-1);
  for (let e = 0; e + 1 < to.offsets.length; e++) {
    let f = from.offsets[e];
    for (let t = to.offsets[e]; t < to.offsets[e + 1]; t++) {
      const same = (o: number) =>
        from.kind[o] === to.kind[t] &&
        (to.kind[t] === Kind.met ||
          (ptKept ? from.pt[o] === to.pt[t] : from.eta[o] === to.eta[t] && from.phi[o] === to.phi[t]));
      let found = f;
      while (found < from.offsets[e + 1] && !same(found)) found++;
      if (found === from.offsets[e + 1]) continue;
      result[t] = origin[found];
      f = found + 1;
    }
  }
  return result;
}
