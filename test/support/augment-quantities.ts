import type { Columns } from '../../src/addon.js';
import { Kind, layout } from '../../src/events/objects.js';
import { deltaPhi, type Traced } from './augment.js';

/** The quantities of the golden distribution files: values of every draw, and tables of counts. */
export interface Quantities {
  continuous: Map<string, number[]>;
  discrete: Map<string, number[][]>;
}

const classes = [
  { name: 'e', kind: Kind.electron, ...layout.electron },
  { name: 'mu', kind: Kind.muon, ...layout.muon },
  { name: 'j', kind: Kind.jet, ...layout.jet },
] as const;

// pt in GeV before, around the edge of the direction smearing at 25
const directionBins = [20, 24, 24.8, 25.2, 26, Infinity];
const directionNames = ['lt_20', '20_24', '24_24.8', '24.8_25.2', '25.2_26', 'gt_26'];
const energyBins = [20, 30, 50, 100, Infinity];
const energyNames = ['15_20', '20_30', '30_50', '50_100', '100_inf'];

/** Quantities of `traced`, whose events all have a MET. */
export function quantitiesOf({ before, after, origin }: Traced): Quantities {
  const continuous = new Map<string, number[]>();
  const discrete = new Map<string, number[][]>();
  const put = (name: string, value: number) => {
    const values = continuous.get(name);
    if (values) values.push(value);
    else continuous.set(name, [value]);
  };
  const table = (name: string, rows: number, columns: number): number[][] => {
    const counts = discrete.get(name) ?? Array.from({ length: rows }, () => Array.from({ length: columns }, () => 0));
    discrete.set(name, counts);
    return counts;
  };
  // place of each object of `before` in `after`, -1 where it was lost
  const fate = new Int32Array(before.pt.length).fill(-1);
  origin.forEach((from, to) => {
    if (from >= 0) fate[from] = to;
  });

  for (let e = 0; e + 1 < before.offsets.length; e++) {
    const was = range(before, e);
    const is = range(after, e);
    wholeEvent(before, was, after, is, put);
    for (const one of classes) {
      const old = was.filter(o => before.kind[o] === one.kind);
      const now = is.filter(o => after.kind[o] === one.kind);
      const fresh = now.filter(o => origin[o] < 0);
      const size = one.capacity + 1;
      const name = (quantity: string) => `${one.name}/${quantity}`;
      table(name('count_after'), 1, size)[0][now.length]++;
      table(name('count_before_vs_after'), size, size)[old.length][now.length]++;
      table(name('count_before_vs_new_slots'), size, size)[old.length][fresh.length]++;
      if (old.length > 0) {
        const sum = total(before, old);
        put(name('class_pT_sum_ratio'), total(after, now) / sum);
        put(name('class_pT_sum_change_GeV'), felt(total(after, now) - sum, sum));
      }
      if (now.length > 0) {
        const pts = now.map(o => after.pt[o]);
        put(name('leading_pT_after'), Math.max(...pts));
        put(name('softest_pT_after'), Math.min(...pts));
      }
      const highest = Math.max(...was.map(o => before.pt[o]));
      for (const o of fresh) {
        put(name('new_pT'), after.pt[o]);
        put(name('new_eta'), after.eta[o]);
        put(name('new_phi'), after.phi[o]);
        // an event whose every pt lies below the threshold has no such interval
        if (highest > one.minPt)
          put(name('new_pT_position_in_(threshold,max)'), (after.pt[o] - one.minPt) / (highest - one.minPt));
      }
      for (const o of old) {
        const pt = before.pt[o];
        const kept = fate[o] >= 0;
        const hardness = pt < 25 ? 'dropped_of_soft_below_25_(kept,dropped)' : 'dropped_of_hard_(kept,dropped)';
        table(name('dropped_of_soft_below_25_(kept,dropped)'), 1, 2);
        table(name('dropped_of_hard_(kept,dropped)'), 1, 2);
        table(name(hardness), 1, 2)[0][kept ? 0 : 1]++;
        if (!kept) continue;
        const to = fate[o];
        const turned = deltaPhi(before.phi[o], after.phi[to]);
        const bin = directionNames[directionBins.findIndex(edge => pt < edge)];
        put(name('kept_pT_ratio'), after.pt[to] / pt);
        put(name(`kept_delta_eta_pT_${bin}`), after.eta[to] - before.eta[o]);
        put(name(`kept_delta_phi_pT_${bin}`), turned);
        table(name('kept_abs_delta_phi_above_1_(no,yes)'), 1, 2)[0][Math.abs(turned) > 1 ? 1 : 0]++;
        if (one.kind === Kind.jet)
          put(
            name(`kept_relative_pT_change_pT_${energyNames[energyBins.findIndex(edge => pt < edge)]}`),
            (after.pt[to] - pt) / pt,
          );
      }
    }
  }
  return { continuous, discrete };
}

function wholeEvent(
  before: Columns,
  was: number[],
  after: Columns,
  is: number[],
  put: (name: string, value: number) => void,
): void {
  const oldMet = was.find(o => before.kind[o] === Kind.met);
  const met = is.find(o => after.kind[o] === Kind.met);
  if (oldMet === undefined || met === undefined) throw new Error('an event without MET');
  put('met_ratio', after.pt[met] / before.pt[oldMet]);
  put('met_delta_phi', deltaPhi(before.phi[oldMet], after.phi[met]));
  put('largest_abs_phi', Math.max(...is.map(o => Math.abs(after.phi[o]))));
  const scale = total(before, was) + total(after, is);
  const moved = (drop: number) => {
    const [x0, y0] = vector(
      before,
      was.filter(o => before.kind[o] !== drop),
    );
    const [x1, y1] = vector(
      after,
      is.filter(o => after.kind[o] !== drop),
    );
    return felt(Math.hypot(x1 - x0, y1 - y0), scale);
  };
  put('visible_vector_change', moved(Kind.met));
  put('closure_met_plus_visible_change', moved(0));
}

/** A difference of sums of size `scale`, or 0 where float32 can't tell. */
function felt(difference: number, scale: number): number {
  return Math.abs(difference) < 2 ** -21 * scale ? 0 : difference;
}

function range({ offsets }: Columns, e: number): number[] {
  return Array.from({ length: offsets[e + 1] - offsets[e] }, (_, i) => offsets[e] + i);
}

function total({ pt }: Columns, objects: number[]): number {
  return objects.reduce((sum, o) => sum + pt[o], 0);
}

function vector({ pt, phi }: Columns, objects: number[]): [x: number, y: number] {
  let x = 0;
  let y = 0;
  for (const o of objects) {
    x += pt[o] * Math.cos(phi[o]);
    y += pt[o] * Math.sin(phi[o]);
  }
  return [x, y];
}
