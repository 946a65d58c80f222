import { parameter, type Augmentation } from './augmentation.js';
import { balanceMet } from './met.js';
import { isJet, logUniform, placesBesideMet, Transverse } from './momentum.js';

const f = Math.fround;
const pi = f(Math.PI);
const more = new Transverse();

/** Anomalous: a vector of random direction and size added to MET, which nothing visible explains. */
export const displaceMet: Augmentation = {
  info: {
    name: 'displace_met',
    role: 'anomalous',
    data: 'event',
    help: 'add a vector of random direction and size to MET',
    source: 'invisible particles that nothing visible recoils against',
    params: [
      parameter('low', 10, [0.01, 10000], 'GeV', 'smallest size'),
      parameter('high', 200, [0.01, 10000], 'GeV', 'largest size'),
    ],
  },
  apply(event, p, numbers) {
    if (isJet(event) || placesBesideMet(event) < 0) return;
    const size = logUniform(f(p[0]), f(p[1]), numbers);
    more.clear();
    more.add(size, numbers.uniform(-pi, pi));
    balanceMet(event, -more.x, -more.y);
  },
};
