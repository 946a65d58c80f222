import { parameter, type Augmentation } from './augmentation.js';
import { mostObjects } from './event.js';
import { constituents, hardestAfter, jetSum, member, restoreJet, squaredDistance, type JetSum } from './jet.js';

const f = Math.fround;
const before: JetSum = { pt: 0, eta: 0, phi: 0 };
const lost = new Uint8Array(mostObjects);

/** Anomalous: constituents that nobody sees, as where a part of a dark shower stays invisible. */
export const dropConstituents: Augmentation = {
  info: {
    name: 'drop_constituents',
    role: 'anomalous',
    data: 'jet',
    help: 'lose constituents at random, at constant pt of the jet',
    source: 'DarkCLR, arXiv:2312.03067; github.com/bmdillon/AnomalyCLR-jets',
    params: [
      parameter('low', 0.3, [0, 1], '', "smallest probability of a constituent's loss"),
      parameter('high', 0.5, [0, 1], '', 'largest probability'),
      parameter('radius', 0, [0, 10], '', '0: of any constituent, else of those within it of a random one'),
      parameter('rescale', 1, [0, 1], '', '1: pt of the rest is scaled so that the jet keeps its own'),
    ],
  },
  apply(event, p, numbers) {
    const n = constituents(event);
    if (n === 0) return;
    jetSum(event, before);
    const probability = numbers.uniform(f(p[0]), f(p[1]));
    const radius = f(p[2]);
    const centre = member[numbers.integer(n - 1)];
    lost.fill(0);
    let left = n;
    for (let k = 0; k < n; k++) {
      const apart = squaredDistance(event, member[k], event.eta[centre], event.phi[centre]);
      const within = !(radius > 0) || apart <= f(radius * radius);
      if (!(numbers.unit() < probability && within)) continue;
      lost[member[k]] = 1;
      left--;
    }
    if (left === 0) lost[hardestAfter(event, -1)] = 0;
    let kept = 0;
    for (let i = 0; i < event.size; i++) if (lost[i] === 0) event.move(i, kept++);
    event.size = kept;
    restoreJet(event, before, p[3] >= 1);
  },
};
