import { parameter, type Augmentation } from './augmentation.js';
import { visibleKinds } from './event.js';

const f = Math.fround;

/** Anomalous: the leading objects of a kind split in two along their own direction, fractions r and 1 - r. */
export const splitCollinear: Augmentation = {
  info: {
    name: 'split_collinear',
    role: 'anomalous',
    data: 'event',
    help: 'split the leading objects of each kind in two along their direction',
    source: 'arXiv:2301.04660 sec. 3 (multiplicity at constant pt and MET)',
    params: [
      parameter('max_electrons', 4, [0, 4], 'objects', 'most electrons split'),
      parameter('max_muons', 4, [0, 4], 'objects', 'most muons split'),
      parameter('max_jets', 10, [0, 10], 'objects', 'most jets split'),
      parameter('min_fraction', 0, [0, 0.5], '', "smallest share of the parent's pt that either half gets"),
    ],
  },
  apply(event, p, numbers) {
    const least = f(p[3]);
    const { size } = event; // children are not split again
    for (let k = 0; k < 3; k++) {
      const kind = visibleKinds[k];
      let parents = Math.min(event.room(kind), Math.trunc(p[k]));
      for (let i = 0; i < size && parents > 0; i++) {
        if (event.kind[i] !== kind) continue;
        parents--;
        const r = numbers.uniform(least, f(1 - least));
        event.add(f(f(1 - r) * event.pt[i]), event.eta[i], event.phi[i], kind);
        event.pt[i] *= r;
      }
    }
  },
};
