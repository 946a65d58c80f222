// What a detector would do otherwise, and what its faults do, to events: what they keep, and how what they draw is distributed.
import type { Columns } from '../../src/addon.js';
import { Kind, layout } from '../../src/events/objects.js';
import { augment, step } from '../support/augment.js';
import { againstUniform, kolmogorov, normalCdf, pull } from '../support/statistics.js';
import { sampleEvents } from './events.js';

type One = Readonly<Record<'kind' | 'pt' | 'eta' | 'phi', number>>;
type Pair = { was: One[]; now: One[] };
const trigger = 23;

let events: Columns;
beforeAll(async () => {
  events = await sampleEvents(8000);
});

function objectsOf({ pt, eta, phi, kind, offsets }: Columns, e: number): One[] {
  return Array.from({ length: offsets[e + 1] - offsets[e] }, (_, k) => {
    const o = offsets[e] + k;
    return { kind: kind[o], pt: pt[o], eta: eta[o], phi: phi[o] };
  });
}

/** Every event before and after. */
async function pairs(name: string, parameters: Record<string, number> = {}): Promise<Pair[]> {
  const after = await augment(events, [{ weight: 1, steps: [step(name, parameters)] }], 11, 3);
  expect(after.offsets).toHaveLength(events.offsets.length);
  return Array.from({ length: events.offsets.length - 1 }, (_, e) => ({
    was: objectsOf(events, e),
    now: objectsOf(after, e),
  }));
}

function near(a: number, b: number): void {
  if (!(Math.abs(a - b) < 1e-6)) throw new Error(`${a} where ${b} is expected`);
}

const of = (objects: readonly One[], kind: number): One[] => objects.filter(o => o.kind === kind);
const leptons = (objects: readonly One[]): One[] =>
  objects.filter(o => o.kind === Kind.electron || o.kind === Kind.muon);
const but = (objects: readonly One[], ...kinds: number[]): One[] => objects.filter(o => !kinds.includes(o.kind));
const vector = (objects: readonly One[]): [x: number, y: number] => [
  objects.reduce((sum, o) => sum + o.pt * Math.cos(o.phi), 0),
  objects.reduce((sum, o) => sum + o.pt * Math.sin(o.phi), 0),
];
/** What MET has gained. */
function metGain({ was, now }: Pair): [x: number, y: number] {
  const [[ax, ay], [bx, by]] = [was, now].map(one => vector(of(one, Kind.met)));
  return [bx - ax, by - ay];
}

/** `expect(now).toEqual(was)` at a hundredth of its cost: it is asked of every event. */
function expectSame(now: readonly One[], was: readonly One[]): void {
  const same = (a: One, b: One): boolean => a.kind === b.kind && a.pt === b.pt && a.eta === b.eta && a.phi === b.phi;
  if (now.length !== was.length || !now.every((o, i) => same(o, was[i]))) expect(now).toEqual(was);
}

/** MET and all visible objects have the same sum as before. */
function expectBalance({ was, now }: Pair): void {
  const [[ax, ay], [bx, by]] = [vector(was), vector(now)];
  const scale = 1e-5 * [...was, ...now].reduce((sum, o) => sum + o.pt, 0);
  if (!(Math.hypot(ax - bx, ay - by) <= scale)) throw new Error(`(${bx}, ${by}) where it was (${ax}, ${ay})`);
}

test('scale_jets: one factor an event, uniform between its limits, which MET balances', async () => {
  const units: number[] = [];
  for (const pair of await pairs('scale_jets', { low: 0.8, high: 1.3 })) {
    expectBalance(pair);
    const [was, now] = [pair.was, pair.now].map(one => of(one, Kind.jet));
    expect(now).toHaveLength(was.length);
    if (was.length === 0) {
      expectSame(pair.now, pair.was);
      continue;
    }
    const factors = was.map((jet, i) => now[i].pt / jet.pt);
    for (const factor of factors) near(factor, factors[0]);
    units.push((factors[0] - 0.8) / 0.5);
    expectSame(leptons(pair.now), leptons(pair.was));
  }
  expect(units.length).toBeGreaterThan(4000);
  expect(againstUniform(units)).toBeLessThan(kolmogorov);
});

test.each([
  ['of a given width', { sigma: 9.2, relative: 0 }, () => 9.2],
  ['in proportion', { sigma: 3, relative: 0.5 }, (met: number) => Math.hypot(3, 0.5 * met)],
])('smear_met, %s: independent normal shifts of both components', async (_, parameters, sigma) => {
  const x: number[] = [];
  const y: number[] = [];
  for (const pair of await pairs('smear_met', parameters)) {
    expectSame(but(pair.now, Kind.met), but(pair.was, Kind.met));
    const width = sigma(of(pair.was, Kind.met)[0].pt);
    const [dx, dy] = metGain(pair);
    x.push(dx / width);
    y.push(dy / width);
  }
  for (const pulls of [x, y]) {
    expect(againstUniform(pulls.map(normalCdf))).toBeLessThan(kolmogorov);
    const variance = pulls.reduce((sum, one) => sum + one * one, 0) / pulls.length;
    expect(Math.abs(variance - 1) * Math.sqrt(pulls.length / 2)).toBeLessThan(4.5);
  }
  const correlation = x.reduce((sum, dx, i) => sum + dx * y[i], 0) / x.length;
  expect(Math.abs(correlation) * Math.sqrt(x.length)).toBeLessThan(4.5);
});

test('lose_leptons: each with its probability, never the last that triggers', async () => {
  const probability = 0.3;
  let [lost, free, single] = [0, 0, 0];
  for (const { was, now } of await pairs('lose_leptons', { probability, trigger })) {
    expectSame(but(now, Kind.electron, Kind.muon), but(was, Kind.electron, Kind.muon));
    const triggering = (one: One[]): number => leptons(one).filter(o => o.pt > trigger).length;
    expect(triggering(was)).toBeGreaterThan(0);
    expect(triggering(now)).toBeGreaterThan(0);
    single += triggering(was) === 1 ? 1 : 0;
    const soft = (one: One[]): number => leptons(one).filter(o => o.pt <= trigger).length;
    free += soft(was);
    lost += soft(was) - soft(now);
  }
  expect(single).toBeGreaterThan(1000);
  expect(free).toBeGreaterThan(50);
  expect(Math.abs(pull(lost, free, probability))).toBeLessThan(4.5);
  // without a trigger none is spared
  let [all, gone] = [0, 0];
  for (const { was, now } of await pairs('lose_leptons', { probability, trigger: 1000 })) {
    all += leptons(was).length;
    gone += leptons(was).length - leptons(now).length;
  }
  expect(Math.abs(pull(gone, all, probability))).toBeLessThan(4.5);
});

describe('add_pileup', () => {
  test('a Poisson number of jets, exponential above the threshold, flat in eta and phi; MET stays', async () => {
    const mean = 1.3;
    const counts: number[] = [];
    const units: Record<'pt' | 'eta' | 'phi', number[]> = { pt: [], eta: [], phi: [] };
    for (const { was, now } of await pairs('add_pileup', { mean })) {
      expectSame(now.slice(0, was.length), was);
      const added = now.slice(was.length);
      expect(of(added, Kind.jet)).toHaveLength(added.length);
      if (of(was, Kind.jet).length <= 2) counts.push(added.length); // room for whatever is drawn
      for (const { pt, eta, phi } of added) {
        units.pt.push(1 - Math.exp(-(pt - 15) / 5));
        units.eta.push((eta + 4) / 8);
        units.phi.push((phi + Math.PI) / (2 * Math.PI));
      }
    }
    expect(counts.length).toBeGreaterThan(5000);
    let probability = Math.exp(-mean);
    for (let n = 0; n <= 4; n++) {
      const hits = counts.filter(count => count === n).length;
      expect(Math.abs(pull(hits, counts.length, probability))).toBeLessThan(4.5);
      probability *= mean / (n + 1);
    }
    for (const values of Object.values(units)) expect(againstUniform(values)).toBeLessThan(kolmogorov);
  });

  test('as many as there is room for; noise on MET where asked for', async () => {
    const x: number[] = [];
    for (const pair of await pairs('add_pileup', { mean: 10, met_sigma: 12.5 })) {
      expect(of(pair.now, Kind.jet).length).toBeLessThanOrEqual(layout.jet.capacity);
      x.push(metGain(pair)[0] / 12.5);
    }
    expect(againstUniform(x.map(normalCdf))).toBeLessThan(kolmogorov);
  });
});

describe('dead_region', () => {
  test.each([
    ['within', -0.5, 2, -1, 1.5, (phi: number) => phi >= -1 && phi <= 1.5],
    ['across pi', -3, 3, 2.5, -2.5, (phi: number) => phi >= 2.5 || phi <= -2.5],
  ])('%s: nothing left in it, MET takes what was', async (_, low, high, phiLow, phiHigh, inPhi) => {
    const parameters = { eta_low: low, eta_high: high, phi_low: phiLow, phi_high: phiHigh };
    let lost = 0;
    for (const pair of await pairs('dead_region', parameters)) {
      const dead = ({ kind, eta, phi }: One): boolean => kind !== Kind.met && eta >= low && eta <= high && inPhi(phi);
      expectSame(
        but(pair.now, Kind.met),
        but(pair.was, Kind.met).filter(o => !dead(o)),
      );
      expectBalance(pair);
      if (pair.now.length === pair.was.length) expectSame(pair.now, pair.was);
      else lost++;
    }
    expect(lost).toBeGreaterThan(1000);
  });
});

test('hot_region: in a share of events one jet in its square, which MET balances', async () => {
  const given = { probability: 0.2, low: 30, high: 80, eta: -2, phi: 3, half_width: 0.4 };
  const units: Record<'pt' | 'eta' | 'phi', number[]> = { pt: [], eta: [], phi: [] };
  let [hot, all] = [0, 0];
  for (const pair of await pairs('hot_region', given)) {
    if (of(pair.was, Kind.jet).length === layout.jet.capacity) continue;
    all++;
    const added = pair.now.slice(pair.was.length);
    if (added.length === 0) {
      expectSame(pair.now, pair.was);
      continue;
    }
    hot++;
    expect(added).toHaveLength(1);
    expectSame(but(pair.now.slice(0, pair.was.length), Kind.met), but(pair.was, Kind.met));
    expectBalance(pair);
    const [{ kind, pt, eta, phi }] = added;
    expect(kind).toBe(Kind.jet);
    units.pt.push((pt - 30) / 50);
    units.eta.push((eta + 2.4) / 0.8);
    units.phi.push(((phi < 0 ? phi + 2 * Math.PI : phi) - 2.6) / 0.8); // the square passes pi
  }
  expect(Math.abs(pull(hot, all, 0.2))).toBeLessThan(4.5);
  for (const values of Object.values(units)) expect(againstUniform(values)).toBeLessThan(kolmogorov);
});

test('scale_pt: a factor for each kind, which MET balances', async () => {
  const factor: Record<number, number> = { [Kind.electron]: 0.9, [Kind.muon]: 1.2, [Kind.jet]: 1.1 };
  for (const pair of await pairs('scale_pt', { electrons: 0.9, muons: 1.2, jets: 1.1 })) {
    expectBalance(pair);
    const [was, now] = [pair.was, pair.now].map(one => but(one, Kind.met));
    expect(now.map(o => o.kind)).toEqual(was.map(o => o.kind));
    for (const [i, o] of was.entries()) near(now[i].pt / (factor[o.kind] * o.pt), 1);
  }
  // jets alone by default
  for (const { was, now } of await pairs('scale_pt')) expectSame(leptons(now), leptons(was));
});

test('stick_met: one value, whatever the event', async () => {
  for (const { was, now } of await pairs('stick_met', { pt: 42, phi: -1.5 })) {
    expectSame(of(now, Kind.met), [{ kind: Kind.met, pt: 42, eta: 0, phi: -1.5 }]);
    expectSame(but(now, Kind.met), but(was, Kind.met));
  }
});
