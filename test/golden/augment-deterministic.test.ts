import { loadAddon, type DoubleColumns } from '../../src/addon.js';
import { Kind, layout } from '../../src/events/objects.js';
import {
  asCoded,
  exactInFloat32,
  fromSlots,
  step,
  toColumns,
  worstObject,
  type Objects,
  type Step,
} from '../support/augment.js';
import { Golden, goldenTest } from '../support/golden.js';

const addon = loadAddon();
const file = 'aug/deterministic';
const visible = ['electron', 'muon', 'jet'] as const;

interface Case {
  golden: Golden;
  name: string;
  /** The events, each object with its slot. */
  slots: Objects & { slot: number[] };
}

/** The augmentation, and the numbers it asks for, of event e. */
type Script = (one: Case, e: number) => { step: Step; numbers: number[] };

/** Slots of the objects of a kind of event e, counted from 0 within the kind. */
function slotsOf(
  { slots }: Case,
  e: number,
  kind: (typeof visible)[number],
  from: Objects & { slot: number[] } = slots,
) {
  const result: number[] = [];
  for (let o = from.offsets[e]; o < from.offsets[e + 1]; o++)
    if (from.kind[o] === Kind[kind]) result.push(from.slot[o] - layout[kind].firstSlot);
  return result;
}

/** Row e of an input of the case. */
function input({ golden, name }: Case, tensor: string, e: number): number[] {
  const key = `${name}/${tensor}`;
  const width = golden
    .shape(key)
    .slice(1)
    .reduce((a, b) => a * b, 1);
  const integers = ['count', 'mode', 'n_e', 'n_mu', 'n_j'].includes(tensor);
  return Array.from(integers ? golden.ints(key) : golden.f64(key)).slice(e * width, (e + 1) * width);
}

const short = { electron: 'e', muon: 'mu', jet: 'j' } as const;

const smearDirection =
  (strength: number): Script =>
  (one, e) => {
    const eta = input(one, 'n_eta', e);
    const phi = input(one, 'n_phi', e);
    const slots = visible.flatMap(kind => slotsOf(one, e, kind).map(s => s + layout[kind].firstSlot - 1));
    return { step: step('smear_direction', { strength }), numbers: slots.flatMap(s => [eta[s], phi[s]]) };
  };

const smearJets =
  (strength: number, resolution: Record<string, number>): Script =>
  (one, e) => {
    const n = input(one, 'n', e);
    return { step: step('smear_jets', { strength, ...resolution }), numbers: slotsOf(one, e, 'jet').map(s => n[s]) };
  };

const split: Script = (one, e) => ({
  step: step('split_collinear'),
  numbers: visible.flatMap(kind => {
    const n = slotsOf(one, e, kind).length;
    return input(one, `r_${short[kind]}`, e).slice(0, Math.min(n, layout[kind].capacity - n));
  }),
});

const redistribute: Script = (one, e) => ({
  step: step('redistribute'),
  numbers: visible.flatMap(kind => {
    const { capacity, minPt } = layout[kind];
    const old = slotsOf(one, e, kind);
    const drawn = input(one, `n_${short[kind]}`, e)[0];
    const weights = input(one, `w_${short[kind]}`, e);
    const add = Math.min(drawn, old.length, capacity - old.length);
    let sum = 0;
    for (let o = one.slots.offsets[e]; o < one.slots.offsets[e + 1]; o++)
      if (one.slots.kind[o] === Kind[kind]) sum += one.slots.pt[o];
    const available = sum - (kind === 'jet' ? 0 : 23 - minPt) - minPt * (old.length + add);
    if (old.length === 0 || available < 0) return [drawn];
    return [drawn, ...old.map(s => weights[s]), ...old.slice(0, add).map(s => weights[capacity - 1 - s])];
  }),
});

const addObjects: Script = (one, e) => {
  const count = input(one, 'count', e);
  const objects = input(one, 'objects', e); // [kind, 10, (pt, eta, phi)]
  return {
    step: step('add_objects'),
    numbers: [...count, ...count.flatMap((n, k) => objects.slice(k * 30, k * 30 + n * 3))],
  };
};

const shift: Script = (one, e) => {
  const mode = input(one, 'mode', e)[0];
  const factor = input(one, mode === 0 ? 'factor_met' : 'factor', e);
  return { step: step(['shift_met', 'shift_pt', 'shift_all'][mode]), numbers: factor };
};

const scripts: Record<string, Script> = {
  rotate: (one, e) => ({ step: step('rotate_phi'), numbers: input(one, 'angle', e) }),
  smear_direction_strength1: smearDirection(1),
  smear_direction_strength5: smearDirection(5),
  smear_jets_strength1: smearJets(1, asCoded),
  smear_jets_strength3: smearJets(3, asCoded),
  smear_jets_delphes_strength1: smearJets(1, {}),
  smear_jets_delphes_strength3: smearJets(3, {}),
  collinear_split: split,
  redistribute,
  add_objects: addObjects,
  shift,
};

/** Event e alone, in the form the addon takes. */
function single({ pt, eta, phi, kind, offsets }: Objects, e: number): DoubleColumns {
  const cut = (a: ArrayLike<number>) => Float64Array.from(a).slice(offsets[e], offsets[e + 1]);
  const ends = Int32Array.from([0, offsets[e + 1] - offsets[e]]);
  return { pt: cut(pt), eta: cut(eta), phi: cut(phi), kind: kind.slice(offsets[e], offsets[e + 1]), offsets: ends };
}

describe('augmentations with given random numbers, float64', () => {
  for (const [name, script] of Object.entries(scripts))
    goldenTest(`${file}.safetensors`, `${name}: every event as the golden one`, async () => {
      const golden = await Golden.load(file);
      const one = { golden, name, slots: fromSlots(golden.f64('events'), golden.shape('events')) };
      const want = fromSlots(golden.f64(`${name}/right`), golden.shape(`${name}/right`));
      const wanted = golden.json.events as string[];
      const far: string[] = [];
      for (const [e, title] of wanted.entries()) {
        const { step: used, numbers } = script(one, e);
        // numbers that do not come out even are an error of the addon
        const got = addon.augmentWithNumbers({
          events: single(one.slots, e),
          ...used,
          numbers: Float64Array.from(numbers),
          numberOffsets: Int32Array.from([0, numbers.length]),
        });
        const cut = { ...want, offsets: want.offsets.subarray(e, e + 2) };
        if (!(worstObject(got, cut) < 1e-10)) far.push(title);
      }
      expect(far).toEqual([]);
    });

  goldenTest(`${file}.json`, 'there is no case left out', async () => {
    const { cases } = (await Golden.load(file)).json;
    expect(Object.keys(cases).sort()).toEqual([...Object.keys(scripts), 'sin_cos_features'].sort());
  });
});

describe('features with sine and cosine', () => {
  goldenTest(`${file}.safetensors`, 'sin_cos_features: each row as the golden one', async () => {
    const golden = await Golden.load(file);
    const all = fromSlots(golden.f64('events'), golden.shape('events'));
    const want = golden.f64('sin_cos_features/right');
    // An encoder that does nothing to a row: identity embedding, no layers, no head, one object per event.
    const nothing = { layers: 0, headLayers: 0, headNorm: false, heads: 1, feedForward: 8, dropout: 0 };
    const shape = { features: 8, width: 8, output: 8, ptFeature: 'linear', ptScale: 1, mask: 'hard' } as const;
    const training = { precision: 'f64', loss: 'clr', temperature: 0.1, optimiser: { kind: 'adam' } } as const;
    const trainer = new addon.Trainer({ ...shape, ...nothing, ...training });
    const weights = trainer.weights().fill(0);
    const embedding = trainer.layout().find(one => one.shape.length === 2);
    expect(embedding?.shape).toEqual([8, 8]);
    for (let i = 0; i < 8; i++) weights[embedding!.offset + 9 * i] = 1;
    trainer.setWeights({ weights });
    const offsets = Int32Array.from({ length: all.pt.length + 1 }, (_, o) => o);
    const rows = await trainer.embed({ events: toColumns({ ...all, offsets }) });
    trainer.dispose();
    const far: number[] = [];
    for (let e = 0; e < golden.json.events.length; e++)
      for (let o = all.offsets[e]; o < all.offsets[e + 1]; o++) {
        const row = rows.subarray(8 * o, 8 * o + 8);
        row[1] *= 4; // the encoder reads eta/4
        const at = (e * layout.slots + all.slot[o]) * 8;
        // a MET of 0 is empty to the mask: it makes no row
        const wanted = all.pt[o] > 0 ? want.subarray(at, at + 8) : new Float64Array(8);
        const tolerance = exactInFloat32(all, e) ? 1e-10 : 2 ** -23; // half a step of float32 at 3 rad
        if (wanted.some((value, i) => !(Math.abs(value - row[i]) <= tolerance * Math.max(1, Math.abs(value)))))
          far.push(o);
      }
    expect(far).toEqual([]);
    expect(rows.length).toBe(8 * all.pt.length);
  });
});

describe('widths of the smearing', () => {
  /** One object of `pt` GeV moved by unit normals. */
  const moved = (name: string, kind: number, pt: number, parameters: Record<string, number> = {}) => {
    const events = {
      pt: Float64Array.of(pt),
      eta: Float64Array.of(0),
      phi: Float64Array.of(0),
      kind: Uint8Array.of(kind),
      offsets: Int32Array.of(0, 1),
    };
    const used = step(name, parameters);
    const numbers = name === 'smear_jets' ? Float64Array.of(1) : Float64Array.of(1, -1);
    const got = addon.augmentWithNumbers({ events, ...used, numbers, numberOffsets: Int32Array.of(0, numbers.length) });
    return { pt: got.pt[0] - events.pt[0], eta: got.eta[0], phi: got.phi[0] };
  };
  const near = (got: number, want: number) => Math.abs(got - want) <= 1e-10 * Math.abs(want);

  goldenTest('aug/widths.json', 'directions and jet energies at every pt', async () => {
    const {
      pT_GeV: pts,
      sigma_eta_and_phi,
      sigma_jet_as_coded,
      sigma_jet_delphes_like,
    } = (await Golden.load('aug/widths')).json;
    expect(pts).toHaveLength(33);
    const far: string[] = [];
    for (const [i, pt] of pts.entries()) {
      if (pt === 0) continue; // an empty slot, which is no object here
      const direction = moved('smear_direction', Kind.electron, pt);
      if (!near(direction.eta, sigma_eta_and_phi[i]) || !near(-direction.phi, sigma_eta_and_phi[i]))
        far.push(`direction at ${pt} GeV`);
      for (const [label, parameters, width] of [
        ['as coded', asCoded, sigma_jet_as_coded[i]],
        ['Delphes', { constant: 0.05, stochastic: 1.5 }, sigma_jet_delphes_like[i]],
      ] as const) {
        const jet = moved('smear_jets', Kind.jet, pt, parameters);
        if (!near(jet.pt, width)) far.push(`jet ${label} at ${pt} GeV`);
      }
    }
    expect(far).toEqual([]);
  });
});
