import { parameter, type Augmentation } from './augmentation.js';
import { balanceMet } from './met.js';
import { dropSpent, isJet, isLepton, isVisible, leadingLepton, placesBesideMet, Transverse } from './momentum.js';

const f = Math.fround;
const lost = new Transverse();

/** Anomalous: visible objects lose a share of their momentum, or all of it, to MET. */
export const loseMomentum: Augmentation = {
  info: {
    name: 'lose_momentum',
    role: 'anomalous',
    data: 'event',
    help: 'let visible objects lose a share of their momentum to MET',
    source: 'invisible decay products: vector sum of MET and visible objects kept',
    params: [
      parameter('probability', 0.5, [0, 1], '', 'probability of a loss, for each object'),
      parameter('low', 0, [0, 1], '', 'smallest share lost'),
      parameter('high', 1, [0, 1], '', 'largest share lost'),
      parameter('leptons', 1, [0, 1], '', '1: electrons and muons lose'),
      parameter('jets', 1, [0, 1], '', '1: jets lose'),
      parameter('trigger', 23, [0, 1000], 'GeV', 'pt that the leading lepton keeps; 0: none'),
    ],
  },
  apply(event, p, numbers) {
    if (isJet(event) || placesBesideMet(event) < 0) return;
    const trigger = f(p[5]);
    const lead = trigger > 0 ? leadingLepton(event) : -1;
    let any = false;
    lost.clear();
    for (let i = 0; i < event.size; i++) {
      const kind = event.kind[i];
      if (!isVisible(kind) || p[isLepton(kind) ? 3 : 4] < 1) continue;
      if (!(numbers.unit() < f(p[0]))) continue;
      const above = event.pt[i] > trigger ? f(event.pt[i] - trigger) : 0;
      const gone = f(numbers.uniform(f(p[1]), f(p[2])) * (i === lead ? above : event.pt[i]));
      event.pt[i] -= gone;
      lost.add(gone, event.phi[i]);
      any = true;
    }
    if (!any) return;
    balanceMet(event, -lost.x, -lost.y);
    dropSpent(event);
  },
};
