// What anomalous augmentations do to an event: what they keep, and how what they draw is distributed.
import type { Columns } from '../../src/addon.js';
import { Kind, layout } from '../../src/events/objects.js';
import { augment, deltaPhi, step } from '../support/augment.js';
import { againstUniform, kolmogorov, normalCdf, pull } from '../support/statistics.js';
import { sampleEvents } from './events.js';

type One = readonly [kind: number, pt: number, eta: number, phi: number];
const [met, electron, muon, jet] = [Kind.met, Kind.electron, Kind.muon, Kind.jet];
const named: Record<number, { minPt: number; maxAbsEta: number; capacity: number }> = {
  [electron]: layout.electron,
  [muon]: layout.muon,
  [jet]: layout.jet,
};
const trigger = 23;

/** `count` copies of one event; each has numbers of its own. */
function copies(count: number, ...objects: One[]): Columns {
  const column = (place: 1 | 2 | 3) => Float32Array.from({ length: count * objects.length }, (_, i) => at(i)[place]);
  const at = (i: number) => objects[i % objects.length];
  return {
    pt: column(1),
    eta: column(2),
    phi: column(3),
    kind: Uint8Array.from({ length: count * objects.length }, (_, i) => at(i)[0]),
    offsets: Int32Array.from({ length: count + 1 }, (_, e) => e * objects.length),
  };
}

/** The objects of event e. */
function objectsOf({ pt, eta, phi, kind, offsets }: Columns, e: number): One[] {
  return Array.from({ length: offsets[e + 1] - offsets[e] }, (_, k) => {
    const o = offsets[e] + k;
    return [kind[o], pt[o], eta[o], phi[o]];
  });
}

async function view(events: Columns, name: string, parameters: Record<string, number> = {}): Promise<Columns> {
  return augment(events, [{ weight: 1, steps: [step(name, parameters)] }], 7, 2);
}

/** Hands each event before and after to `look`. */
function forEach(was: Columns, now: Columns, look: (was: One[], now: One[]) => void): void {
  expect(now.offsets).toHaveLength(was.offsets.length);
  for (let e = 0; e + 1 < was.offsets.length; e++) look(objectsOf(was, e), objectsOf(now, e));
}

const sumOf = (objects: readonly One[]): { x: number; y: number; scalar: number } => {
  const total = (of: (o: One) => number) => objects.reduce((sum, o) => sum + of(o), 0);
  return { x: total(o => o[1] * Math.cos(o[3])), y: total(o => o[1] * Math.sin(o[3])), scalar: total(o => o[1]) };
};
const visible = (objects: readonly One[]): One[] => objects.filter(o => o[0] !== met);
/** `expect(now).toEqual(was)` at a hundredth of its cost: it is asked of every object. */
function expectSame(now: readonly (number | readonly number[])[], was: readonly (number | readonly number[])[]): void {
  const same = (a: number | readonly number[], b: number | readonly number[]): boolean =>
    typeof a === 'number' || typeof b === 'number'
      ? Object.is(a, b)
      : a.length === b.length && a.every((x, i) => Object.is(x, b[i]));
  if (now.length !== was.length || !now.every((x, i) => same(x, was[i])))
    throw new Error(`got ${JSON.stringify(now)} where it was ${JSON.stringify(was)}`);
}
function expectAtMost(x: number, limit: number): void {
  if (!(x <= limit)) throw new Error(`${x} is above ${limit}`);
}
const metOf = (objects: readonly One[]): One => objects.find(o => o[0] === met) ?? [met, 0, 0, 0];
const leading = (objects: readonly One[]): number =>
  Math.max(0, ...objects.filter(o => o[0] === electron || o[0] === muon).map(o => o[1]));

/** MET and all visible objects together have the momentum that they had. */
function expectBalanced(was: readonly One[], now: readonly One[]): void {
  const [a, b] = [sumOf(was), sumOf(now)];
  const apart = Math.hypot(a.x - b.x, a.y - b.y);
  if (!(apart <= 2e-6 * (a.scalar + b.scalar))) throw new Error(`${apart} GeV are lost of ${a.scalar}`);
}
function expectAccepted(objects: readonly One[]): void {
  for (const [kind, pt, eta] of objects) {
    const { minPt, maxAbsEta } = named[kind];
    if (!(pt >= minPt && Math.abs(eta) <= Math.fround(maxAbsEta))) throw new Error(`kind ${kind}: ${pt} GeV at ${eta}`);
  }
}
const expectUniform = (values: readonly number[]): void => {
  expect(values.length).toBeGreaterThan(300);
  expect(againstUniform(values)).toBeLessThan(kolmogorov);
};
const between = (x: number, low: number, high: number): number => (x - low) / (high - low);
const logBetween = (x: number, low: number, high: number): number => Math.log(x / low) / Math.log(high / low);
const turn = (phi: number): number => between(phi, -Math.PI, Math.PI);

const single = copies(20_000, [met, 30, 0, 1], [muon, 40, 0.5, -2]);
let events: Columns;
beforeAll(async () => {
  events = await sampleEvents(3000);
});

describe('add_spectrum', () => {
  const p = { electrons: 0.5, muons: 0.3, jets: 0.7 };
  test('what was there stays, MET balances, none is out of the acceptance', async () => {
    forEach(events, await view(events, 'add_spectrum', { ...p, top: 3, balanced: 1 }), (was, now) => {
      expectSame(visible(now).slice(0, visible(was).length), visible(was));
      const added = visible(now).slice(visible(was).length);
      expectBalanced(was, now);
      expectAccepted(added);
      const largest = Math.max(...was.map(o => o[1]));
      for (const [kind, pt] of added) expectAtMost(pt, 1.000001 * Math.max(3 * largest, 1.2 * named[kind].minPt));
      for (const [kind, { capacity }] of Object.entries(named))
        expectAtMost(now.filter(o => o[0] === Number(kind)).length, capacity);
    });
  });

  test('numbers fall by one factor up to the room', async () => {
    const now = await view(single, 'add_spectrum', p);
    const n = single.offsets.length - 1;
    for (const [kind, there, chance] of [
      [electron, 0, p.electrons],
      [muon, 1, p.muons],
      [jet, 0, p.jets],
    ]) {
      const counts = Array.from({ length: 12 }, () => 0);
      forEach(single, now, (_, after) => counts[after.filter(o => o[0] === kind).length - there]++);
      const most = named[kind].capacity - there;
      for (let k = 0; k <= most; k++) {
        const share = k < most ? chance ** k * (1 - chance) : chance ** most;
        expect(Math.abs(pull(counts[k], n, share))).toBeLessThan(5);
      }
      expect(counts.slice(most + 1).every(count => count === 0)).toBe(true);
    }
  });

  test('spectrum flat in log pt, directions flat', async () => {
    const now = await view(single, 'add_spectrum', { ...p, top: 2 });
    const added: One[] = [];
    forEach(single, now, (_, after) => added.push(...visible(after).slice(1)));
    for (const [kind, { minPt, maxAbsEta }] of Object.entries(named)) {
      const some = added.filter(o => o[0] === Number(kind));
      expectUniform(some.map(o => logBetween(o[1], minPt, 80)));
      expectUniform(some.map(o => between(o[2], -maxAbsEta, maxAbsEta)));
      expectUniform(some.map(o => turn(o[3])));
    }
  });

  test('MET balances with its probability, and stays otherwise', async () => {
    let balanced = 0;
    let all = 0;
    forEach(single, await view(single, 'add_spectrum', { ...p, balanced: 0.3 }), (was, now) => {
      if (now.length === was.length) return expectSame(now, was);
      all++;
      const stays = metOf(now)[1] === metOf(was)[1] && metOf(now)[3] === metOf(was)[3];
      if (!stays) {
        balanced++;
        expectBalanced(was, now);
      }
    });
    expect(Math.abs(pull(balanced, all, 0.3))).toBeLessThan(5);
  });

  test('at_least: where none was drawn one is added, of a kind that may be', async () => {
    const of = { electrons: 0.1, muons: 0, jets: 0.1, at_least: 1 };
    const kinds = new Map<number, number>();
    forEach(single, await view(single, 'add_spectrum', of), (_, now) => {
      expectAtMost(3, now.length);
      for (const [kind] of now.slice(2)) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    });
    expect(new Set(kinds.keys())).toEqual(new Set([electron, jet]));
    expect(kinds.get(electron)! / kinds.get(jet)!).toBeCloseTo(1, 1);
  });
});

describe('rescale', () => {
  test('one factor for all, flat in its logarithm, that keeps the leading lepton on its trigger', async () => {
    const logs: number[] = [];
    forEach(events, await view(events, 'rescale', { low: 0.5, high: 1.5 }), (was, now) => {
      const factor = now[0][1] / was[0][1];
      now.forEach((o, i) => {
        expectSame([o[0], o[2], o[3]], [was[i][0], was[i][2], was[i][3]]);
        expectAtMost(Math.abs(o[1] / was[i][1] / factor - 1), 1e-6);
      });
      expectAtMost(trigger * (1 - 1e-6), leading(now));
      logs.push(logBetween(factor, Math.max(0.5, trigger / leading(was)), 1.5));
    });
    expectUniform(logs);
  });

  test('without a permitted factor an event stays as it is; trigger 0 permits all', async () => {
    for (const pt of [20, 24]) {
      const soft = copies(1000, [met, 30, 0, 1], [electron, pt, 0, 0], [jet, 50, 1, 2]);
      expect(await view(soft, 'rescale', { low: 0.2, high: 0.9 })).toEqual(soft);
      const free = await view(soft, 'rescale', { low: 0.2, high: 0.9, trigger: 0 });
      expectUniform(Array.from({ length: 1000 }, (_, e) => logBetween(free.pt[3 * e] / 30, 0.2, 0.9)));
    }
  });
});

describe('lose_momentum', () => {
  test('MET gains what is lost; directions stay; shares and their number are as asked for', async () => {
    const shares: number[] = [];
    const ofLead: number[] = [];
    let candidates = 0;
    forEach(events, await view(events, 'lose_momentum', { probability: 0.4, low: 0.2, high: 0.9 }), (was, now) => {
      expectBalanced(was, now);
      expectAtMost(trigger * (1 - 1e-6), leading(now));
      visible(now).forEach((o, i) => {
        const before = visible(was)[i];
        expectSame([o[0], o[2], o[3]], [before[0], before[2], before[3]]);
        candidates++;
        if (o[1] === before[1]) return;
        const lead = before[0] !== jet && before[1] === leading(was);
        (lead ? ofLead : shares).push((before[1] - o[1]) / (lead ? before[1] - trigger : before[1]));
      });
    });
    expect(Math.abs(pull(shares.length + ofLead.length, candidates, 0.4))).toBeLessThan(5);
    expectUniform(shares.map(share => between(share, 0.2, 0.9)));
    // a lepton just above the trigger loses less than float32 resolves to a part in a thousand
    expectUniform(ofLead.map(share => between(share, 0.2, 0.9)));
  });

  test('what loses all is gone, kinds that do not lose stay', async () => {
    const all = { probability: 1, low: 1, high: 1 };
    forEach(events, await view(events, 'lose_momentum', all), (was, now) => {
      expectBalanced(was, now);
      expectSame([visible(now).length], [1]);
      expectAtMost(Math.abs(leading(now) - trigger), 1e-4);
    });
    forEach(events, await view(events, 'lose_momentum', { ...all, trigger: 0 }), (_, now) =>
      expectSame(visible(now), []),
    );
    const isJet = (o: One) => o[0] === jet;
    forEach(events, await view(events, 'lose_momentum', { ...all, leptons: 0 }), (was, now) =>
      expectSame(
        visible(now),
        visible(was).filter(o => !isJet(o)),
      ),
    );
    forEach(events, await view(events, 'lose_momentum', { ...all, jets: 0 }), (was, now) =>
      expectSame(now.filter(isJet), was.filter(isJet)),
    );
  });
});

test.each(['met', 'electrons', 'muons', 'jets', 'met jets'])('turn_kinds: %s', async chosenKinds => {
  const kinds = chosenKinds.split(' ');
  const codes = { met, electrons: electron, muons: muon, jets: jet };
  const turned: number[] = kinds.map(kind => codes[kind as keyof typeof codes]);
  const chosen = Object.fromEntries(Object.keys(codes).map(kind => [kind, kinds.includes(kind) ? 1 : 0]));
  const angles: number[] = [];
  forEach(events, await view(events, 'turn_kinds', { ...chosen, low: 0.4, high: 2.5 }), (was, now) => {
    const found: number[] = [];
    now.forEach((o, i) => {
      expectSame(o.slice(0, 3), was[i].slice(0, 3));
      if (turned.includes(o[0])) found.push(deltaPhi(was[i][3], o[3]));
      else expectSame([o[3]], [was[i][3]]);
    });
    for (const angle of found) expectAtMost(Math.abs(deltaPhi(angle, found[0])), 2e-6);
    angles.push(...found.slice(0, 1));
  });
  expectUniform(angles.map(angle => between(Math.abs(angle), 0.4, 2.5)));
  expect(Math.abs(pull(angles.filter(angle => angle > 0).length, angles.length, 0.5))).toBeLessThan(5);
});

describe('displace_met', () => {
  const range = { low: 5, high: 300 };
  const added = (was: One[], now: One[]) => {
    expectSame(visible(now), visible(was));
    const [a, b] = [sumOf([metOf(was)]), sumOf([metOf(now)])];
    return { size: Math.hypot(b.x - a.x, b.y - a.y), phi: Math.atan2(b.y - a.y, b.x - a.x) };
  };
  test.each([
    ['MET', single],
    ['no MET', copies(3000, [electron, 40, 0, 0], [jet, 50, 1, 2])],
  ])('events with %s: a vector flat in log size and in direction', async (_, of) => {
    const vectors: ReturnType<typeof added>[] = [];
    forEach(of, await view(of, 'displace_met', range), (was, now) => vectors.push(added(was, now)));
    expectUniform(vectors.map(({ size }) => logBetween(size, range.low, range.high)));
    expectUniform(vectors.map(({ phi }) => turn(phi)));
  });
});

describe('add_resonance', () => {
  interface Pair {
    mass: number;
    pt: number;
    phi: number;
    rapidity: number;
    /** Energies in the frame of the pair's rapidity. */
    energy: [number, number];
    apart: number;
  }
  function pairOf([a, b]: One[]): Pair {
    const { x, y } = sumOf([a, b]);
    const e = a[1] * Math.cosh(a[2]) + b[1] * Math.cosh(b[2]);
    const z = a[1] * Math.sinh(a[2]) + b[1] * Math.sinh(b[2]);
    const rapidity = Math.atanh(z / e);
    return {
      mass: Math.sqrt(2 * a[1] * b[1] * (Math.cosh(a[2] - b[2]) - Math.cos(a[3] - b[3]))),
      pt: Math.hypot(x, y),
      phi: Math.atan2(y, x),
      rapidity,
      energy: [a[1] * Math.cosh(a[2] - rapidity), b[1] * Math.cosh(b[2] - rapidity)],
      apart: a[2] - b[2],
    };
  }
  async function pairs(parameters: Record<string, number>): Promise<Pair[]> {
    const found: Pair[] = [];
    forEach(single, await view(single, 'add_resonance', parameters), (was, now) => {
      expectBalanced(was, now);
      const added = visible(now).slice(1);
      expectAccepted(added);
      for (const o of added) expectSame([o[0]], [electron]);
      if (added.length === 2) found.push(pairOf(added));
    });
    return found;
  }

  test('at rest: mass, rapidity and polar angle as drawn, back to back', async () => {
    const all = await pairs({ mass_low: 20, mass_high: 400, pt: 0 });
    for (const { pt, mass } of all) expectAtMost(pt, 1e-5 * mass);
    // of these the acceptance loses none: |eta| < 2 + atanh 0.6, pt > 20/2 0.8
    const cosine = ({ apart }: Pair) => Math.tanh(apart / 2);
    const some = all.filter(pair => Math.abs(cosine(pair)) < 0.6);
    expect(Math.abs(pull(some.length, single.offsets.length - 1, 0.6))).toBeLessThan(5);
    expectUniform(some.map(pair => between(cosine(pair), -0.6, 0.6)));
    expectUniform(some.map(({ mass }) => logBetween(mass, 20, 400)));
    expectUniform(some.map(({ rapidity }) => between(rapidity, -2, 2)));
  });

  test('in flight: the mass, an exponential pt, isotropy about the direction of flight', async () => {
    const all = await pairs({ mass_low: 20, mass_high: 20, pt: 150 });
    for (const { mass, pt } of all) expectAtMost(Math.abs(mass / 20 - 1), 1e-6 * (1 + (pt / 20) ** 2));
    // E1 - E2 = pT cos(angle); of these the acceptance loses none: the softer has 100/2 0.2 GeV
    const fast = all.filter(({ pt }) => pt > 100);
    const cosine = ({ energy: [a, b], pt }: Pair) => (a - b) / pt;
    const kept = fast.filter(pair => Math.abs(cosine(pair)) < 0.8);
    expectUniform(kept.map(pair => between(cosine(pair), -0.8, 0.8)));
    expectUniform(kept.map(({ rapidity }) => between(rapidity, -2, 2)));
    for (const { rapidity } of all) expectAtMost(Math.abs(rapidity), 2 + 1e-4);
    const heavy = await pairs({ mass_low: 2000, mass_high: 2000, pt: 40 });
    expectUniform(heavy.map(({ pt }) => 1 - Math.exp(-pt / 40)));
    expectUniform(heavy.map(({ phi }) => turn(phi)));
  });

  test('kinds as asked for, as many as have room; MET stays if it shall', async () => {
    const full = copies(2000, [met, 30, 0, 1], ...Array.from({ length: 4 }, (): One => [electron, 40, 0, 1]));
    const counts = [0, 0];
    const mixed = { first: 2, second: 4, mass_low: 100, mass_high: 300, balanced: 0 };
    forEach(full, await view(full, 'add_resonance', mixed), (was, now) => {
      expectSame(now.slice(0, 5), was);
      expectSame(
        now.slice(5).map(o => o[0]),
        now.slice(5).map(() => jet),
      );
      counts[now.length - 5]++;
    });
    expect(counts).toHaveLength(2);
    expect(counts[1]).toBeGreaterThan(1500);
  });
});

describe('jitter_pt', () => {
  test('a log-normal factor for each, MET balances, the leading lepton stays above its trigger', async () => {
    const logs: number[] = [];
    forEach(events, await view(events, 'jitter_pt', { sigma: 0.6 }), (was, now) => {
      expectBalanced(was, now);
      const lead = leading(was);
      visible(now).forEach((o, i) => {
        const before = visible(was)[i];
        expectSame([o[0], o[2], o[3]], [before[0], before[2], before[3]]);
        if (before[1] === lead && before[0] !== jet) expectAtMost(trigger, o[1]);
        else logs.push(Math.log(o[1] / before[1]) / 0.6);
      });
    });
    expectUniform(logs.map(normalCdf));
  });

  test('the leading lepton: its logarithm is turned where it would fall below, and nowhere else', async () => {
    const bound = Math.log(trigger / 40) / 0.5;
    const now = await view(single, 'jitter_pt', { sigma: 0.5 });
    const logs = Array.from({ length: single.offsets.length - 1 }, (_, e) => Math.log(now.pt[2 * e + 1] / 40) / 0.5);
    // what lies beyond -bound is twice as likely
    expectUniform(logs.map(x => normalCdf(x) - normalCdf(bound) + (x > -bound ? normalCdf(x) - normalCdf(-bound) : 0)));
    const free = await view(single, 'jitter_pt', { sigma: 0.5, trigger: 0 });
    expectUniform(Array.from({ length: 20_000 }, (_, e) => normalCdf(Math.log(free.pt[2 * e + 1] / 40) / 0.5)));
  });

  test('kinds that do not change stay', async () => {
    forEach(events, await view(events, 'jitter_pt', { leptons: 0 }), (was, now) => {
      expectSame([leading(now)], [leading(was)]);
      expectBalanced(was, now);
    });
    const onlyLeptons = await view(events, 'jitter_pt', { jets: 0 });
    forEach(events, onlyLeptons, (was, now) =>
      expectSame(
        now.filter(o => o[0] === jet),
        was.filter(o => o[0] === jet),
      ),
    );
  });
});

describe('convert_jets', () => {
  const p = { probability: 0.4, electrons: 0.3, low: 0.2, high: 0.8 };
  test('leptons in the direction of jets with a share of their momentum; the rest is MET', async () => {
    const shares: number[] = [];
    const kinds: number[] = [];
    let central = 0;
    forEach(events, await view(events, 'convert_jets', p), (was, now) => {
      expectBalanced(was, now);
      visible(now).forEach((o, i) => {
        const before = visible(was)[i];
        expectSame([o[2], o[3]], [before[2], before[3]]);
        if (before[0] !== jet) return expectSame(o, before);
        if (Math.abs(o[2]) < named[muon].maxAbsEta) central++;
        if (o[0] === jet) return expectSame(o, before);
        expectAtMost(Math.abs(o[2]), Math.fround(named[o[0]].maxAbsEta));
        if (Math.abs(o[2]) < named[muon].maxAbsEta) kinds.push(o[0]);
        shares.push(o[1] / before[1]);
      });
    });
    expectUniform(shares.map(share => between(share, 0.2, 0.8)));
    expect(Math.abs(pull(kinds.length, central, 0.4))).toBeLessThan(5);
    expect(Math.abs(pull(kinds.filter(kind => kind === electron).length, kinds.length, 0.3))).toBeLessThan(5);
  });

  test('as many as have room', async () => {
    const jets = Array.from({ length: 8 }, (_, i): One => [jet, 60 - i, 0, i - 3]);
    const crowded = copies(500, [met, 30, 0, 1], [muon, 40, 0, 0], [muon, 30, 0, 1], ...jets);
    forEach(
      crowded,
      await view(crowded, 'convert_jets', { probability: 1, electrons: 0, low: 0.5, high: 1 }),
      (was, now) => {
        expectBalanced(was, now);
        expectSame(
          now.map(o => o[0]),
          [met, ...Array<number>(4).fill(muon), ...Array<number>(6).fill(jet)],
        );
      },
    );
  });
});
