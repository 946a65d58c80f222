import { Kind } from '../events/objects.js';
import { parameter, type Augmentation } from './augmentation.js';
import { mostObjects } from './event.js';
import { constituents, member } from './jet.js';

const f = Math.fround;

/** Physical: collinear splittings, which no measurement resolves. */
export const splitConstituents: Augmentation = {
  info: {
    name: 'split_constituents',
    role: 'physical',
    data: 'jet',
    help: 'split constituents in two along their direction',
    source: 'JetCLR, arXiv:2108.04253',
    params: [
      parameter('most', 16, [0, mostObjects], 'objects', 'most constituents split'),
      parameter('fill', 0, [0, 1], '', '1: as many as that and the room allow, 0: a number drawn up to it'),
      parameter(
        'leading',
        0,
        [0, 1],
        '',
        '1: the first split, which are the hardest as files hold them, 0: random ones',
      ),
      parameter('min_fraction', 0, [0, 0.5], '', "smallest share of the parent's pt that either half gets"),
    ],
  },
  apply(event, p, numbers) {
    const least = f(p[3]);
    const n = constituents(event);
    let most = Math.min(Math.trunc(p[0]), n, event.room(Kind.constituent));
    if (p[1] < 1) most = numbers.integer(most);
    for (let k = 0; k < most; k++) {
      if (p[2] < 1) {
        const other = k + numbers.integer(n - 1 - k);
        const chosen = member[other];
        member[other] = member[k];
        member[k] = chosen;
      }
      const i = member[k];
      const r = numbers.uniform(least, f(1 - least));
      event.add(f(f(1 - r) * event.pt[i]), event.eta[i], event.phi[i], Kind.constituent);
      event.pt[i] *= r;
    }
  },
};
