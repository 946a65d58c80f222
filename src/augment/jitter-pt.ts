import { parameter, type Augmentation } from './augmentation.js';
import { exp } from './math.js';
import { balanceMet } from './met.js';
import { isJet, isLepton, isVisible, leadingLepton, placesBesideMet, Transverse } from './momentum.js';

const f = Math.fround;
const lost = new Transverse();

/** Anomalous: momentum shared out otherwise: each visible object has a factor of its own, MET balances. */
export const jitterPt: Augmentation = {
  info: {
    name: 'jitter_pt',
    role: 'anomalous',
    data: 'event',
    help: 'multiply the pt of each visible object by a factor of its own, balanced by MET',
    source: 'sharing of energy among objects; vector sum of MET and visible objects kept',
    params: [
      parameter('sigma', 0.5, [0, 1], '', "width of the factor's logarithm"),
      parameter('leptons', 1, [0, 1], '', '1: electrons and muons change'),
      parameter('jets', 1, [0, 1], '', '1: jets change'),
      parameter('trigger', 23, [0, 1000], 'GeV', 'pt that the leading lepton keeps; 0: none'),
    ],
  },
  apply(event, p, numbers) {
    if (isJet(event) || placesBesideMet(event) < 0) return;
    const trigger = f(p[3]);
    const lead = trigger > 0 ? leadingLepton(event) : -1;
    let any = false;
    lost.clear();
    for (let i = 0; i < event.size; i++) {
      const kind = event.kind[i];
      if (!isVisible(kind) || p[isLepton(kind) ? 1 : 2] < 1) continue;
      const before = event.pt[i];
      const power = f(f(p[0]) * numbers.normal());
      event.pt[i] = before * exp(power);
      if (i === lead && before >= trigger && event.pt[i] < trigger) event.pt[i] = before * exp(-power);
      lost.add(f(before - event.pt[i]), event.phi[i]);
      any = true;
    }
    if (any) balanceMet(event, -lost.x, -lost.y);
  },
};
