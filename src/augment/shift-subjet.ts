import { Kind } from '../events/objects.js';
import { parameter, type Augmentation } from './augmentation.js';
import { mostObjects, type MutableEvent } from './event.js';
import { constituents, hardestAfter, jetSum, member, restoreJet, squaredDistance, type JetSum } from './jet.js';
import { sinCos, wrapAngle } from './math.js';

const f = Math.fround;
const pi = f(Math.PI);
const before: JetSum = { pt: 0, eta: 0, phi: 0 };
const angle = new Float32Array(2); // sine, cosine

/** Anomalous: a second prong, as a heavy particle that decays within the jet leaves it. */
export const shiftSubjet: Augmentation = {
  info: {
    name: 'shift_subjet',
    role: 'anomalous',
    data: 'jet',
    help: 'move one subjet away from the rest, at constant pt of the jet',
    source: 'github.com/bmdillon/AnomalyCLR-jets, after arXiv:2301.04660; mended: the part that moves is one subjet',
    params: [
      parameter('low', 0.1, [0, 10], '', 'smallest shift, in eta and phi'),
      parameter('high', 0.6, [0, 10], '', 'largest shift'),
      parameter(
        'hardest',
        5,
        [1, mostObjects],
        'objects',
        'among how many of the hardest after the leading one it is drawn',
      ),
      parameter(
        'radius',
        0,
        [0, 10],
        '',
        '0: what is nearer to it than to the leading one moves, else what is within this',
      ),
      parameter('edge', 0.8, [0, 10], '', 'distance from the axis past which constituents are lost; 0: none is'),
    ],
  },
  apply(event, p, numbers) {
    const n = constituents(event);
    const among = Math.min(Math.trunc(p[2]), n - 1);
    if (among < 1) return;
    jetSum(event, before);
    const size = numbers.uniform(f(p[0]), f(p[1]));
    sinCos(numbers.uniform(-pi, pi), angle);
    const eta = f(size * angle[1]);
    const phi = f(size * angle[0]);
    const leading = hardestAfter(event, -1);
    let chosen = hardestAfter(event, leading);
    for (let skip = numbers.integer(among - 1); skip > 0 && chosen >= 0; skip--) chosen = hardestAfter(event, chosen);
    if (chosen < 0) return; // a pt that is no number

    const radius = f(p[3]);
    const [eta1, phi1, eta2, phi2] = [event.eta[leading], event.phi[leading], event.eta[chosen], event.phi[chosen]];
    for (let k = 0; k < n; k++) {
      const i = member[k];
      const apart = squaredDistance(event, i, eta2, phi2);
      const nearer = radius > 0 ? apart <= f(radius * radius) : apart < squaredDistance(event, i, eta1, phi1);
      if (i === leading || !(nearer || i === chosen)) continue;
      event.eta[i] += eta;
      event.phi[i] = wrapAngle(f(event.phi[i] + phi));
    }
    restoreJet(event, before, false);
    loseOutside(event, leading, f(p[4]));
    restoreJet(event, before, true);
  },
};

/** Of the constituents the one at `leading` stays; 0 for `edge` loses none. */
function loseOutside(event: MutableEvent, leading: number, edge: number): void {
  let kept = 0;
  for (let i = 0; i < event.size; i++) {
    const outside = edge > 0 && squaredDistance(event, i, 0, 0) > f(edge * edge);
    if (outside && i !== leading && event.kind[i] === Kind.constituent) continue;
    event.move(i, kept++);
  }
  event.size = kept;
}
