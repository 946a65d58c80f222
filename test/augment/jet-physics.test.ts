// What augmentations of jets do to a jet: what they keep, and how what they draw is distributed.
import type { Columns } from '../../src/addon.js';
import { augment, deltaPhi, step } from '../support/augment.js';
import { drawnJets, jetAt, jetColumns, shapeOf } from '../support/jets.js';
import { againstUniform, kolmogorov } from '../support/statistics.js';

const jets = drawnJets(1000, 40, 11);
const count = jets.offsets.length - 1;

async function viewOf(name: string, parameters: Record<string, number> = {}, of = jets): Promise<Columns> {
  return augment(of, [{ weight: 1, steps: [step(name, parameters)] }], 5, 3);
}

function forJets(is: Columns, look: (was: Columns, now: Columns) => void, was = jets): void {
  expect(is.offsets).toHaveLength(was.offsets.length);
  for (let e = 0; e + 1 < was.offsets.length; e++) look(jetAt(was, e), jetAt(is, e));
}

function expectSamePt(was: Columns, now: Columns): void {
  const [a, b] = [shapeOf(was).pt, shapeOf(now).pt];
  if (!(Math.abs(a - b) <= 1e-5 * a)) throw new Error(`a jet of ${a} GeV became one of ${b}`);
}
function expectSameCentre(was: Columns, now: Columns): void {
  const [a, b] = [shapeOf(was), shapeOf(now)];
  const apart = Math.hypot(a.eta - b.eta, a.phi - b.phi);
  if (!(apart <= 2e-6)) throw new Error(`the centre moved by ${apart}`);
}
/** The largest of some numbers, NaN where there is one. */
const largest = (values: Iterable<number>): number => Math.max(0, ...values);
const indices = (of: Columns): number[] => Array.from(of.pt.keys());
const distance = ({ eta, phi }: Columns, a: number, b: number): number => Math.hypot(eta[a] - eta[b], phi[a] - phi[b]);

test('rotate_jet: every pt, every distance from the axis and from each other; all angles alike', async () => {
  const angles: number[] = [];
  forJets(await viewOf('rotate_jet'), (was, now) => {
    expect(now.pt).toEqual(was.pt);
    const turns = indices(was).map(o =>
      deltaPhi(Math.atan2(was.phi[o], was.eta[o]), Math.atan2(now.phi[o], now.eta[o])),
    );
    const radius = (of: Columns, o: number): number => Math.hypot(of.eta[o], of.phi[o]);
    const all = indices(was);
    expect(largest(all.map(o => Math.abs(radius(now, o) - radius(was, o))))).toBeLessThan(1e-6);
    expect(largest(all.map(o => Math.abs(distance(was, 0, o) - distance(now, 0, o))))).toBeLessThan(1e-6);
    const far = all.filter(o => radius(was, o) > 1e-3);
    expect(largest(far.map(o => Math.abs(deltaPhi(turns[far[0]], turns[o]))))).toBeLessThan(1e-3);
    angles.push(turns[0] / (2 * Math.PI) + 0.5);
  });
  expect(againstUniform(angles)).toBeLessThan(kolmogorov);
});

test.each([1, 0.3])('translate_jet: one shift, uniform within %d times the extent', async width => {
  const shares: number[][] = [[], []];
  forJets(await viewOf('translate_jet', { width }), (was, now) => {
    expect(now.pt).toEqual(was.pt);
    for (const [k, column] of (['eta', 'phi'] as const).entries()) {
      const shift = now[column][0] - was[column][0];
      expect(largest(indices(was).map(o => Math.abs(now[column][o] - was[column][o] - shift)))).toBeLessThan(1e-6);
      const extent = Math.max(...was[column]) - Math.min(...was[column]);
      if (extent > 1e-3) shares[k].push(0.5 + shift / (2 * width * extent));
    }
  });
  for (const share of shares) expect(againstUniform(share)).toBeLessThan(kolmogorov);
});

test('translate_jet: a jet at the end of phi does not pass it', async () => {
  const jet = [
    [50, 0, 3],
    [20, 0.5, 2.5],
  ] as const;
  const after = await viewOf('translate_jet', { width: 10 }, jetColumns(Array.from({ length: 500 }, () => jet)));
  forJets(after, (_, now) => expect(now.phi[0] - now.phi[1]).toBeCloseTo(0.5, 5), after);
  expect(Math.max(...after.phi)).toBeGreaterThan(3.1);
  expect(Math.min(...after.phi)).toBeLessThan(-2);
});

test.each([
  [0.1, 0.1],
  [0.5, 20],
])('soft_distort, scale %d GeV, least pt %d GeV: normal shifts of width scale / pt', async (scale, least) => {
  const pulls: number[] = [];
  let product = 0;
  forJets(await viewOf('soft_distort', { scale, least_pt: least }), (was, now) => {
    expect(now.pt).toEqual(was.pt);
    was.pt.forEach((pt, o) => {
      const sigma = scale / Math.max(pt, least);
      if (!(sigma > 1e-4)) return; // float32 has not the digits
      const both = [now.eta[o] - was.eta[o], now.phi[o] - was.phi[o]].map(x => x / sigma);
      if (sigma < 0.5) pulls.push(...both); // wider ones go round the circle
      product += both[0] * both[1];
    });
  });
  const n = pulls.length;
  expect(n).toBeGreaterThan(5000);
  const mean = pulls.reduce((sum, x) => sum + x, 0) / n;
  const variance = pulls.reduce((sum, x) => sum + (x - mean) ** 2, 0) / n;
  const beyond = pulls.filter(x => Math.abs(x) > 1.959964).length / n;
  expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(n));
  expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / n) + 0.01);
  expect(Math.abs(beyond - 0.05)).toBeLessThan(4 * Math.sqrt(0.05 / n));
  expect(Math.abs(product / (n / 2))).toBeLessThan(6 / Math.sqrt(n / 2));
});

describe('split_constituents', () => {
  /** Parents by place, each with its share, or an error where a child is not of its parent. */
  function splits(was: Columns, now: Columns): Map<number, number> {
    const n = was.pt.length;
    const found = new Map<number, number>();
    const parents = indices(was).filter(o => now.pt[o] !== was.pt[o]);
    for (let child = n; child < now.pt.length; child++) {
      const parent = parents.find(
        o =>
          !found.has(o) &&
          now.eta[child] === was.eta[o] &&
          now.phi[child] === was.phi[o] &&
          Math.abs(now.pt[child] + now.pt[o] - was.pt[o]) <= 1e-6 * was.pt[o],
      );
      if (parent === undefined) throw new Error(`child ${child} has no parent`);
      found.set(parent, now.pt[parent] / was.pt[parent]);
    }
    expect(found.size).toBe(parents.length);
    return found;
  }

  test('sums stay; numbers, shares and choice are uniform', async () => {
    const shares: number[] = [];
    const numbers: number[] = [];
    const places: number[] = [];
    forJets(await viewOf('split_constituents'), (was, now) => {
      expectSamePt(was, now);
      expectSameCentre(was, now);
      const found = splits(was, now);
      const [n, most] = [was.pt.length, Math.min(16, was.pt.length)];
      expect(now.pt.length).toBe(n + found.size);
      expect(found.size).toBeLessThanOrEqual(most);
      if (n >= 16) numbers.push(found.size);
      shares.push(...found.values());
      if (n >= 20) places.push(...[...found.keys()].map(o => (o + 0.5) / n));
    });
    expect(againstUniform(shares)).toBeLessThan(kolmogorov);
    expect(againstUniform(places)).toBeLessThan(kolmogorov + 0.6); // values are discrete
    const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
    expect(Math.abs(mean - 8)).toBeLessThan((4 * 4.9) / Math.sqrt(numbers.length));
    expect([Math.min(...numbers), Math.max(...numbers)]).toEqual([0, 16]);
  });

  test('fill: as many as the room allows', async () => {
    const parameters = { most: 64, fill: 1, min_fraction: 0.25 };
    forJets(await viewOf('split_constituents', parameters), (was, now) => {
      const found = splits(was, now);
      expect(found.size).toBe(Math.min(was.pt.length, 64 - was.pt.length));
      expect(largest([...found.values()].map(share => Math.abs(share - 0.5)))).toBeLessThan(0.2501);
    });
  });

  test('leading: the first', async () => {
    forJets(await viewOf('split_constituents', { most: 3, fill: 1, leading: 1 }), (was, now) => {
      const first = Array.from({ length: Math.min(3, was.pt.length) }, (_, o) => o);
      expect([...splits(was, now).keys()].toSorted((a, b) => a - b)).toEqual(first);
    });
  });
});

describe('drop_constituents', () => {
  test('the jet keeps its pt and its centre; the probability is uniform on its range', async () => {
    let [all, kept, squares] = [0, 0, 0];
    forJets(await viewOf('drop_constituents'), (was, now) => {
      expectSamePt(was, now);
      expectSameCentre(was, now);
      expect(now.pt.length).toBeGreaterThan(0);
      const n = was.pt.length;
      if (n < 10) return;
      all += n;
      kept += now.pt.length;
      squares += n * n;
    });
    // the share that stays: mean 0.6; the probability of a jet has variance 0.2^2 / 12
    const sigma = Math.sqrt(0.24 * all + (0.04 / 12) * squares);
    expect(Math.abs(kept - 0.6 * all)).toBeLessThan(4 * sigma);
  });

  test('without rescaling the pt of the rest is what it was', async () => {
    forJets(await viewOf('drop_constituents', { rescale: 0 }), (was, now) => {
      const left = [...was.pt];
      for (const pt of now.pt)
        if (left.splice(left.indexOf(pt), 1)[0] !== pt) throw new Error(`pt ${pt} was not there`);
    });
  });

  test.each([
    [0, (was: Columns) => was.pt.length],
    [1, () => 1],
  ])('probability %d', async (probability, wanted) => {
    const given = { low: probability, high: probability, rescale: 0 };
    forJets(await viewOf('drop_constituents', given), (was, now) => {
      expect(now.pt.length).toBe(wanted(was));
      expect(now.pt[0]).toBe(Math.max(...was.pt));
    });
  });

  test('a radius: what is lost lies in a cone', async () => {
    let lostSome = 0;
    forJets(await viewOf('drop_constituents', { low: 1, high: 1, radius: 0.1, rescale: 0 }), (was, now) => {
      const left = [...now.pt];
      const lost = indices(was).filter(o => {
        const at = left.indexOf(was.pt[o]);
        if (at >= 0) left.splice(at, 1);
        return at < 0;
      });
      const inCone = (o: number) => indices(was).filter(other => distance(was, o, other) <= 0.1);
      if (was.pt.length > 1) expect(lost.length).toBeGreaterThan(0);
      // all lost ones are the neighbours of one of them, but for the hardest of a jet that would be empty
      const cones = lost.map(inCone).filter(cone => cone.length - lost.length <= (now.pt.length === 1 ? 1 : 0));
      if (lost.length > 0) expect(cones.some(cone => lost.every(o => cone.includes(o)))).toBe(true);
      if (lost.length > 1 && now.pt.length > 1) lostSome++;
    });
    expect(lostSome).toBeGreaterThan(count / 4);
  });
});

describe('shift_subjet', () => {
  test('one part of the jet moves by one shift; pt, centre and number stay', async () => {
    const sizes: number[] = [];
    const directions: number[] = [];
    const given = { low: 0.2, high: 0.5, edge: 0 };
    forJets(await viewOf('shift_subjet', given), (was, now) => {
      expectSamePt(was, now);
      expectSameCentre(was, now);
      const n = was.pt.length;
      expect(now.pt.length).toBe(n);
      const moved = indices(was).flatMap(o => {
        const [x, y] = (['eta', 'phi'] as const).map(c => now[c][o] - now[c][0] - (was[c][o] - was[c][0]));
        return Math.hypot(x, y) > 1e-5 ? [{ o, x, y }] : [];
      });
      if (n === 1) return expect(moved).toEqual([]);
      expect(moved.length).toBeGreaterThan(0);
      expect(moved.length).toBeLessThan(n);
      const [{ x, y }] = moved;
      expect(largest(moved.map(one => Math.hypot(one.x - x, one.y - y)))).toBeLessThan(2e-6);
      // it is the part nearest to one of the five hardest after the first
      const part = (chosen: number) =>
        indices(was).filter(o => o > 0 && (o === chosen || distance(was, o, chosen) < distance(was, o, 0)));
      const found = moved.map(({ o }) => o);
      expect([1, 2, 3, 4, 5].some(chosen => chosen < n && part(chosen).join() === found.join())).toBe(true);
      sizes.push((Math.hypot(x, y) - 0.2) / 0.3);
      directions.push(Math.atan2(y, x) / (2 * Math.PI) + 0.5);
      return undefined;
    });
    expect(againstUniform(sizes)).toBeLessThan(kolmogorov);
    expect(againstUniform(directions)).toBeLessThan(kolmogorov);
  });

  test('what moves out of the jet is lost, its pt is not', async () => {
    let lost = 0;
    forJets(await viewOf('shift_subjet', { low: 1, high: 2, edge: 0.5 }), (was, now) => {
      expectSamePt(was, now);
      expectSameCentre(was, now);
      lost += was.pt.length - now.pt.length;
    });
    expect(lost).toBeGreaterThan(count);
  });

  test('a radius: what moves lies within it of one of the hardest', async () => {
    forJets(await viewOf('shift_subjet', { low: 0.3, high: 0.3, hardest: 1, radius: 0.05, edge: 0 }), (was, now) => {
      const within = indices(was).filter(o => o > 0 && distance(was, o, 1) <= 0.05);
      const moved = indices(was).filter(o => Math.abs(distance(was, 0, o) - distance(now, 0, o)) > 1e-5);
      expect(moved.every(o => within.includes(o))).toBe(true);
    });
  });
});

describe.each([0.5, 1.5, 2])('reweight_pt, power %d', power => {
  test('the published formula; the jet keeps its pt and its centre', async () => {
    forJets(await viewOf('reweight_pt', { low: power, high: power }), (was, now) => {
      expectSamePt(was, now);
      expectSameCentre(was, now);
      const raised = Array.from(was.pt, pt => pt ** power);
      const factor = shapeOf(was).pt / raised.reduce((sum, pt) => sum + pt, 0);
      const all = indices(was);
      expect(largest(all.map(o => Math.abs(now.pt[o] / (raised[o] * factor) - 1)))).toBeLessThan(1e-5);
      for (const column of ['eta', 'phi'] as const) {
        const shift = now[column][0] - was[column][0];
        expect(largest(all.map(o => Math.abs(now[column][o] - was[column][o] - shift)))).toBeLessThan(1e-6);
      }
    });
  });

  test('more or less in the leading constituent', async () => {
    const share = (of: Columns) => of.pt[0] / shapeOf(of).pt;
    forJets(await viewOf('reweight_pt', { low: power, high: power }), (was, now) => {
      if (was.pt.length > 1) expect(share(now) > share(was) === power > 1).toBe(true);
    });
  });
});
