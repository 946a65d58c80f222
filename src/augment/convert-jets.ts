import { Kind } from '../events/objects.js';
import { parameter, type Augmentation } from './augmentation.js';
import { capacity, maxAbsEta, visibleKinds } from './event.js';
import { balanceMet } from './met.js';
import { dropSpent, isJet, placesBesideMet, Transverse } from './momentum.js';

const { fround: f, abs } = Math;
const lost = new Transverse();
const room = [0, 0];

/** Anomalous: jets that are leptons with a share of their momentum, as decays of taus leave them; the rest is MET. */
export const convertJets: Augmentation = {
  info: {
    name: 'convert_jets',
    role: 'anomalous',
    data: 'event',
    help: 'turn jets into leptons with a share of their momentum, the rest into MET',
    source: 'leptonic decays of taus; vector sum of MET and visible objects kept',
    params: [
      parameter('probability', 0.5, [0, 1], '', 'probability that a jet becomes a lepton'),
      parameter('electrons', 0.5, [0, 1], '', 'share of electrons among these leptons'),
      parameter('low', 0, [0, 1], '', "smallest share of the jet's momentum"),
      parameter('high', 1, [0, 1], '', "largest share of the jet's momentum"),
    ],
  },
  apply(event, p, numbers) {
    if (isJet(event) || placesBesideMet(event) < 0) return;
    for (let k = 0; k < 2; k++) room[k] = capacity[visibleKinds[k]] - event.count(visibleKinds[k]);
    let any = false;
    lost.clear();
    for (let i = 0; i < event.size; i++) {
      if (event.kind[i] !== Kind.jet || !(numbers.unit() < f(p[0]))) continue;
      const k = numbers.unit() < f(p[1]) ? 0 : 1;
      const share = numbers.uniform(f(p[2]), f(p[3]));
      if (room[k] < 1 || abs(event.eta[i]) > maxAbsEta[visibleKinds[k]]) continue;
      room[k]--;
      const kept = f(share * event.pt[i]);
      lost.add(f(event.pt[i] - kept), event.phi[i]);
      event.pt[i] = kept;
      event.kind[i] = visibleKinds[k];
      any = true;
    }
    if (!any) return;
    balanceMet(event, -lost.x, -lost.y);
    dropSpent(event);
  },
};
