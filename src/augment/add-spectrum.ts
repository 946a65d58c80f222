import { parameter, type Augmentation } from './augmentation.js';
import { capacity, maxAbsEta, minPt, visibleKinds, type MutableEvent } from './event.js';
import { balanceMet } from './met.js';
import { isJet, logUniform, placesBesideMet, Transverse } from './momentum.js';
import type { Numbers } from './numbers.js';

const f = Math.fround;
const pi = f(Math.PI);
const counts = [0, 0, 0];
const may = [false, false, false];
const sum = new Transverse();

/** Anomalous: further objects in falling numbers and with a falling spectrum, as most new physics would add them. */
export const addSpectrum: Augmentation = {
  info: {
    name: 'add_spectrum',
    role: 'anomalous',
    data: 'event',
    help: 'add electrons, muons and jets in falling numbers with a falling spectrum',
    source: 'geometric numbers and a spectrum flat in log pt, in place of the flat ones of arXiv:2301.04660 sec. 3',
    params: [
      parameter('electrons', 0.5, [0, 1], '', 'probability of one electron, and of each further one'),
      parameter('muons', 0.5, [0, 1], '', 'probability of one muon, and of each further one'),
      parameter('jets', 0.6, [0, 1], '', 'probability of one jet, and of each further one'),
      parameter('top', 1, [0.1, 20], '', 'largest pt over the largest pt of the event'),
      parameter('balanced', 0.5, [0, 1], '', 'probability that MET balances what was added'),
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
    if (isJet(event)) return;
    drawCounts(event, p, numbers);
    if (counts[0] + counts[1] + counts[2] === 0) return;

    const balanced = numbers.unit() < f(p[4]);
    const high = f(f(p[3]) * event.largestPt());
    sum.clear();
    for (let k = 0; k < 3; k++) {
      const kind = visibleKinds[k];
      const least = f(f(1.2) * minPt[kind]);
      for (let n = counts[k]; n > 0; n--) {
        const pt = logUniform(minPt[kind], high > least ? high : least, numbers);
        const eta = numbers.uniform(-maxAbsEta[kind], maxAbsEta[kind]);
        const phi = numbers.uniform(-pi, pi);
        event.add(pt, eta, phi, kind);
        sum.add(pt, phi);
      }
    }
    if (balanced) balanceMet(event, sum.x, sum.y);
  },
};

/** How many electrons, muons and jets come into `event`, to `counts`. */
function drawCounts(event: MutableEvent, p: Float64Array, numbers: Numbers): void {
  let left = placesBesideMet(event);
  let total = 0;
  let possible = 0;
  for (let k = 0; k < 3; k++) {
    const most = Math.min(capacity[visibleKinds[k]] - event.count(visibleKinds[k]), left);
    may[k] = most > 0 && p[k] > 0;
    if (may[k]) possible++;
    counts[k] = 0;
    while (counts[k] < most && numbers.unit() < f(p[k])) counts[k]++;
    left -= counts[k];
    total += counts[k];
  }
  if (total > 0 || p[5] < 1 || possible === 0) return;
  let skip = numbers.integer(possible - 1);
  for (let k = 0; k < 3; k++) if (may[k] && skip-- === 0) counts[k] = 1;
}
