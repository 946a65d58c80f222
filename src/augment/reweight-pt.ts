import { Kind } from '../events/objects.js';
import { parameter, type Augmentation } from './augmentation.js';
import { hardestAfter, jetSum, restoreJet, type JetSum } from './jet.js';
import { exp, log } from './math.js';

const f = Math.fround;
const before: JetSum = { pt: 0, eta: 0, phi: 0 };
/** Of the logarithm: so that nothing becomes 0. */
const least = -60;

/** Anomalous: another fragmentation. */
export const reweightPt: Augmentation = {
  info: {
    name: 'reweight_pt',
    role: 'anomalous',
    data: 'jet',
    help: 'raise the pt of constituents to a power, at constant pt of the jet',
    source: 'github.com/bmdillon/AnomalyCLR-jets; DarkCLR, arXiv:2312.03067',
    params: [
      parameter('low', 1.5, [0, 10], '', 'smallest power: above 1 harder fragmentation, below softer'),
      parameter('high', 1.5, [0, 10], '', 'largest power'),
    ],
  },
  apply(event, p, numbers) {
    const power = numbers.uniform(f(p[0]), f(p[1]));
    jetSum(event, before);
    const leading = hardestAfter(event, -1);
    if (leading < 0 || !(event.pt[leading] > 0)) return;
    const largest = event.pt[leading];
    for (let i = 0; i < event.size; i++) {
      if (event.kind[i] !== Kind.constituent || !(event.pt[i] > 0)) continue;
      const logarithm = f(power * log(f(event.pt[i] / largest)));
      event.pt[i] = exp(logarithm > least ? logarithm : least);
    }
    restoreJet(event, before, true);
  },
};
