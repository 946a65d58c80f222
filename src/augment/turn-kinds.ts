import { Kind } from '../events/objects.js';
import { parameter, type Augmentation } from './augmentation.js';
import { wrapAngle } from './math.js';

const f = Math.fround;

/** Anomalous: all objects of some kinds turn together about the beam, relative to the rest. */
export const turnKinds: Augmentation = {
  info: {
    name: 'turn_kinds',
    role: 'anomalous',
    data: 'event',
    help: 'turn all objects of some kinds about the beam relative to the rest',
    source: 'angular correlations between MET, leptons and jets; every pt and eta kept',
    params: [
      parameter('met', 1, [0, 1], '', '1: MET turns'),
      parameter('electrons', 0, [0, 1], '', '1: electrons turn'),
      parameter('muons', 0, [0, 1], '', '1: muons turn'),
      parameter('jets', 0, [0, 1], '', '1: jets turn'),
      parameter('low', 0.5, [0, Math.PI], 'rad', 'smallest angle'),
      parameter('high', Math.PI, [0, Math.PI], 'rad', 'largest angle'),
    ],
  },
  apply(event, p, numbers) {
    const size = numbers.uniform(f(p[4]), f(p[5]));
    const turn = numbers.unit() < 0.5 ? -size : size;
    for (let i = 0; i < event.size; i++) {
      const kind = event.kind[i];
      if (kind === Kind.constituent || p[kind - Kind.met] < 1) continue;
      event.phi[i] = wrapAngle(f(event.phi[i] + turn));
    }
  },
};
