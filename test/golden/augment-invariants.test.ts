import fc from 'fast-check';
import { loadAddon, type Columns } from '../../src/addon.js';
import { Kind, layout } from '../../src/events/objects.js';
import { augment, deltaPhi, step, type Step } from '../support/augment.js';
import { mostObjects, someEvents } from '../support/augment-events.js';

const addon = loadAddon();
const catalogue = addon.augmentations();
const kinds = ['electron', 'muon', 'jet'] as const;

const key = { seed: fc.integer({ min: 0, max: 2 ** 40 }), epoch: fc.nat(1000) };
const runs = { seed: 1, numRuns: 100 };

/** Runs `steps` on random events and hands each event before and after to `look`. */
async function forEvents(steps: fc.Arbitrary<Step[]>, look: (was: Columns, is: Columns, steps: Step[]) => void) {
  await fc.assert(
    fc.asyncProperty(someEvents, steps, key.seed, key.epoch, async (events, chain, seed, epoch) => {
      const original = structuredClone(events);
      const after = await augment(events, [{ weight: 1, steps: chain }], seed, epoch);
      expect(events).toEqual(original);
      expect(after.offsets).toHaveLength(events.offsets.length);
      for (let e = 0; e + 1 < events.offsets.length; e++) look(cut(events, e), cut(after, e), chain);
    }),
    runs,
  );
}

function cut({ pt, eta, phi, kind, offsets }: Columns, e: number): Columns {
  const [from, to] = [offsets[e], offsets[e + 1]];
  return {
    pt: pt.subarray(from, to),
    eta: eta.subarray(from, to),
    phi: phi.subarray(from, to),
    kind: kind.subarray(from, to),
    offsets: Int32Array.of(0, to - from),
  };
}

/** Sums of px, py and pt in GeV over the objects that `counts`. */
function sums({ pt, phi, kind }: Columns, counts: (kind: number) => boolean) {
  let [x, y, scalar] = [0, 0, 0];
  pt.forEach((p, o) => {
    if (!counts(kind[o])) return;
    x += p * Math.cos(phi[o]);
    y += p * Math.sin(phi[o]);
    scalar += p;
  });
  return { x, y, scalar };
}

function expectSameVector(was: Columns, is: Columns, counts: (kind: number) => boolean) {
  const [a, b] = [sums(was, counts), sums(is, counts)];
  const scale = 1e-5 * (sums(was, () => true).scalar + sums(is, () => true).scalar);
  expect(Math.abs(a.x - b.x)).toBeLessThanOrEqual(scale);
  expect(Math.abs(a.y - b.y)).toBeLessThanOrEqual(scale);
}

const count = ({ kind }: Columns, of: number) => kind.reduce((n, k) => n + (k === of ? 1 : 0), 0);
const always = (...steps: Step[]) => fc.constant(steps);

/** Any augmentation with any permitted parameters. */
const anyStep: fc.Arbitrary<Step> = fc
  .constantFrom(...catalogue)
  .chain(({ name, params }) =>
    fc
      .tuple(
        ...params.map(({ default: standard, min, max }) =>
          fc.oneof(fc.constant(standard), fc.constantFrom(min, max), fc.double({ min, max, noNaN: true })),
        ),
      )
      .map(values => step(name, Object.fromEntries(params.map((one, i) => [one.name, values[i]])))),
  );

describe('what an augmentation keeps', () => {
  test('rotation: every pt, eta and angle between objects', () =>
    forEvents(always(step('rotate_phi')), (was, is) => {
      for (const column of ['pt', 'eta', 'kind'] as const) expect(is[column]).toEqual(was[column]);
      const turned = Array.from(was.phi, (phi, o) => deltaPhi(phi, is.phi[o]));
      expect(turned.every(a => Math.abs(deltaPhi(turned[0], a)) < 2e-6)).toBe(true);
    }));

  test('collinear split: vector sum, scalar sum of each kind and MET', () =>
    forEvents(always(step('split_collinear')), (was, is) => {
      expectSameVector(was, is, kind => kind !== Kind.met);
      for (const name of kinds) {
        const [a, b] = [was, is].map(one => sums(one, kind => kind === Kind[name]).scalar);
        expect(Math.abs(a - b)).toBeLessThanOrEqual(1e-5 * a);
        const n = count(was, Kind[name]);
        const free = Math.max(0, Math.min(layout[name].capacity - n, mostObjects - was.pt.length));
        if (was.pt.length <= layout.slots) expect(count(is, Kind[name])).toBe(n + Math.min(n, free));
      }
      expect(metOf(is)).toEqual(metOf(was));
    }));

  test('further objects: the sum with MET, and what was there', () =>
    forEvents(always(step('add_objects')), (was, is) => {
      expectSameVector(was, is, () => true);
      const old = Array.from(was.pt.keys()).filter(o => was.kind[o] !== Kind.met);
      for (const column of ['pt', 'eta', 'phi', 'kind'] as const)
        expect(old.map(o => is[column][o])).toEqual(old.map(o => was[column][o]));
      for (const name of kinds) expect(count(is, Kind[name])).toBeLessThanOrEqual(most(was, name));
    }));

  test('dealing out anew: scalar sum of each kind and MET', () =>
    forEvents(always(step('redistribute')), (was, is) => {
      for (const name of kinds) {
        const [a, b] = [was, is].map(one => sums(one, kind => kind === Kind[name]).scalar);
        expect(Math.abs(a - b)).toBeLessThanOrEqual(1e-5 * a);
        expect(count(is, Kind[name])).toBeLessThanOrEqual(most(was, name));
      }
      expect(metOf(is)).toEqual(metOf(was));
    }));

  test('smearing and selection: MET and the kinds of objects', () =>
    forEvents(always(step('smear_jets'), step('smear_direction'), step('acceptance')), (was, is) => {
      expect(metOf(is)).toEqual(metOf(was));
      for (const name of kinds) expect(count(is, Kind[name])).toBeLessThanOrEqual(count(was, Kind[name]));
    }));
});

const metOf = ({ pt, phi, kind }: Columns) => [pt[kind.indexOf(Kind.met)], phi[kind.indexOf(Kind.met)]];
const most = (was: Columns, name: (typeof kinds)[number]) => Math.max(layout[name].capacity, count(was, Kind[name]));

describe('what no augmentation does', () => {
  test('any chain with any permitted parameters: no angle past pi, no nan, no empty object, none too many', () =>
    forEvents(fc.array(anyStep, { minLength: 1, maxLength: 3 }), (_, is) => {
      expect(is.pt.length).toBeLessThanOrEqual(mostObjects);
      is.pt.forEach((pt, o) => {
        const met = is.kind[o] === Kind.met;
        if (!(pt > 0 || (met && pt === 0)) || !Number.isFinite(pt)) throw new Error(`pt ${pt} of kind ${is.kind[o]}`);
        if (!(Math.abs(is.phi[o]) <= Math.fround(Math.PI))) throw new Error(`phi ${is.phi[o]}`);
        if (!Number.isFinite(is.eta[o]) || (met && is.eta[o] !== 0)) throw new Error(`eta ${is.eta[o]}`);
      });
    }));

  test('after the selection nothing lies outside the acceptance', () =>
    forEvents(
      fc.array(anyStep, { maxLength: 2 }).map(steps => [...steps, step('acceptance')]),
      (_, is) =>
        is.pt.forEach((pt, o) => {
          const name = kinds.find(one => is.kind[o] === Kind[one]);
          if (!name) return; // MET
          if (!(pt >= layout[name].minPt)) throw new Error(`${name} of pt ${pt}`);
          if (!(Math.abs(is.eta[o]) <= Math.fround(layout[name].maxAbsEta))) throw new Error(`${name} at ${is.eta[o]}`);
        }),
    ));

  test('a smearing of many turns ends within pi', async () => {
    const events = 20_000;
    const column = (value: number) => new Float32Array(events).fill(value);
    const after = await augment(
      {
        pt: column(20),
        eta: column(0),
        phi: column(3),
        kind: new Uint8Array(events).fill(Kind.jet),
        offsets: Int32Array.from({ length: events + 1 }, (_, e) => e),
      },
      [{ weight: 1, steps: [step('smear_direction', { strength: 100, width: 1 })] }],
      1,
    );
    // sigma is 100 rad: what stays within |eta| < 4 is 3 %, spread evenly in azimuth
    expect(after.phi.length).toBeGreaterThan(500);
    expect(Math.max(...after.phi.map(Math.abs))).toBeLessThanOrEqual(Math.fround(Math.PI));
    expect(Math.abs(after.phi.reduce((sum, phi) => sum + Math.cos(phi), 0) / after.phi.length)).toBeLessThan(0.12);
  });

  test('at_least 1 adds something wherever a permitted kind has room', () => {
    const limits = { max_electrons: fc.nat(4), max_muons: fc.nat(4), max_jets: fc.nat(10) };
    return forEvents(
      fc.record(limits).map(given => [step('add_objects', { ...given, at_least: 1 })]),
      (was, is, [{ parameters }]) => {
        const added = (name: (typeof kinds)[number]) => count(is, Kind[name]) - count(was, Kind[name]);
        const full = was.pt.length + (count(was, Kind.met) === 0 ? 1 : 0) >= mostObjects;
        const room = kinds.map((name, k) =>
          full ? 0 : Math.min(parameters[k], Math.max(0, layout[name].capacity - count(was, Kind[name]))),
        );
        const total = kinds.reduce((sum, name) => sum + added(name), 0);
        expect(total > 0).toBe(room.some(n => n > 0));
        kinds.forEach((name, k) => expect(added(name)).toBeLessThanOrEqual(room[k]));
        if (total === 0) expect(is).toEqual(was);
      },
    );
  });
});

describe('draws at the end of their range', () => {
  const electron: Columns = {
    pt: Float32Array.of(40),
    eta: Float32Array.of(1),
    phi: Float32Array.of(2),
    kind: Uint8Array.of(Kind.electron),
    offsets: Int32Array.of(0, 1),
  };
  // epochs, found by search, in which the word that matters has its 24 highest bits set
  test.each([
    ['split_collinear', 6871154, 0],
    ['redistribute', 5579327, 1],
  ])('%s: no half is empty and no share is nan', async (name, epoch, word) => {
    const stream = 0x11000001; // augmentation, view 1, step 1
    const words = addon.randomWords({ seed: 1, epoch, event: 0, stream, count: 2 });
    expect(words[word]).toBeGreaterThanOrEqual(0xffffff00);
    const after = await augment(electron, [{ weight: 1, steps: [step(name)] }], 1, epoch);
    expect(after.pt.length).toBeGreaterThan(0);
    for (const pt of after.pt) expect(pt).toBeGreaterThan(0);
    expect(Math.abs(sums(after, () => true).scalar - 40)).toBeLessThan(1e-4);
  });
});
