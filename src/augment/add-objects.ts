import { Kind } from '../events/objects.js';
import { parameter, type Augmentation } from './augmentation.js';
import { capacity, maxAbsEta, minPt, visibleKinds, type MutableEvent } from './event.js';
import { balanceMet } from './met.js';
import { placesBesideMet, Transverse } from './momentum.js';
import type { Numbers } from './numbers.js';

const f = Math.fround;
const pi = f(Math.PI);
const sum = new Transverse();
const most = [0, 0, 0];
const counts = [0, 0, 0];

/** Anomalous: further electrons, muons and jets, which MET then balances. */
export const addObjects: Augmentation = {
  info: {
    name: 'add_objects',
    role: 'anomalous',
    data: 'event',
    help: 'add random electrons, muons and jets and let MET balance them',
    source: 'arXiv:2301.04660 sec. 3, mended: free slots, MET pt and phi both updated, thresholds respected',
    params: [
      parameter('max_electrons', 4, [0, 4], 'objects', 'most electrons added'),
      parameter('max_muons', 4, [0, 4], 'objects', 'most muons added'),
      parameter('max_jets', 10, [0, 10], 'objects', 'most jets added'),
      parameter(
        'at_least',
        0,
        [0, 1],
        'objects',
        '1: where none was drawn, one of a permitted kind is added all the same',
      ),
    ],
  },
  apply(event, p, numbers) {
    if (event.count(Kind.constituent) > 0) return; // a jet's own constituents have no such company
    drawCounts(event, p, numbers);
    if (counts[0] + counts[1] + counts[2] === 0) return;

    const largest = event.largestPt();
    sum.clear();
    for (let k = 0; k < 3; k++) {
      const kind = visibleKinds[k];
      const threshold = minPt[kind];
      for (let n = counts[k]; n > 0; n--) {
        const pt = numbers.uniform(threshold, largest > threshold ? largest : threshold);
        const eta = numbers.uniform(-maxAbsEta[kind], maxAbsEta[kind]);
        const phi = numbers.uniform(-pi, pi);
        event.add(pt, eta, phi, kind);
        sum.add(pt, phi);
      }
    }
    balanceMet(event, sum.x, sum.y);
  },
};

/** How many electrons, muons and jets come into `event`, to `counts`. */
function drawCounts(event: MutableEvent, p: Float64Array, numbers: Numbers): void {
  let left = placesBesideMet(event);
  let total = 0;
  let possible = 0;
  for (let k = 0; k < 3; k++) {
    const free = capacity[visibleKinds[k]] - event.count(visibleKinds[k]);
    most[k] = Math.max(0, Math.min(Math.trunc(p[k]), free, left));
    counts[k] = numbers.integer(most[k]);
    left -= counts[k];
    total += counts[k];
    if (most[k] > 0) possible++;
  }
  if (total > 0 || p[3] < 1 || possible === 0) return;
  let skip = numbers.integer(possible - 1);
  for (let k = 0; k < 3; k++) if (most[k] > 0 && skip-- === 0) counts[k] = 1;
}
