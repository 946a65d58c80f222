import { Kind } from '../events/objects.js';
import { parameter, type Augmentation } from './augmentation.js';
import { wrapAngle } from './math.js';
import { balanceMet } from './met.js';
import { isJet, isVisible, placesBesideMet, Transverse } from './momentum.js';

const f = Math.fround;
const azimuth = [-Math.PI, Math.PI] as const;
const sum = new Transverse();

/** Physical, a fault: what lies in a box of eta and phi is not seen, and MET takes its momentum. */
export const deadRegion: Augmentation = {
  info: {
    name: 'dead_region',
    role: 'physical',
    data: 'event',
    help: 'lose what lies in a box of eta and phi; MET takes its momentum',
    source: "a detector fault; the default is the box of CMS's hadron endcap modules 15 and 16, lost in 2018",
    params: [
      parameter('eta_low', -3, [-10, 10], '', 'least eta'),
      parameter('eta_high', -1.3, [-10, 10], '', 'largest eta'),
      parameter('phi_low', -1.57, azimuth, 'rad', 'where it begins in phi'),
      parameter('phi_high', -0.87, azimuth, 'rad', 'where it ends'),
    ],
  },
  apply(event, p) {
    const [etaLow, etaHigh, low, high] = Float32Array.from(p);
    sum.clear();
    let kept = 0;
    for (let i = 0; i < event.size; i++) {
      const [kind, eta, phi] = [event.kind[i], event.eta[i], event.phi[i]];
      const seen =
        !isVisible(kind) ||
        eta < etaLow ||
        eta > etaHigh ||
        !(low <= high ? phi >= low && phi <= high : phi >= low || phi <= high);
      if (seen) {
        event.move(i, kept++);
        continue;
      }
      sum.add(event.pt[i], phi);
    }
    const lost = event.size - kept;
    event.size = kept;
    if (lost > 0) balanceMet(event, -sum.x, -sum.y);
  },
};

/** Physical, a fault: in a share of events a jet appears in a hot region, and MET balances it. */
export const hotRegion: Augmentation = {
  info: {
    name: 'hot_region',
    role: 'physical',
    data: 'event',
    help: 'add a jet in a hot region and let MET balance it',
    source: 'a detector fault',
    params: [
      parameter('probability', 0.05, [0, 1], '', 'of a jet in an event'),
      parameter('low', 20, [0.1, 10_000], 'GeV', 'least pt'),
      parameter('high', 100, [0.1, 10_000], 'GeV', 'largest pt'),
      parameter('eta', 1.5, [-10, 10], '', 'centre of the region'),
      parameter('phi', 1, azimuth, 'rad', 'centre of the region'),
      parameter('half_width', 0.2, [0, 3], '', 'half its width, in eta and in phi'),
    ],
  },
  apply(event, p, numbers) {
    if (isJet(event)) return; // no event of the detector as a whole
    if (!(numbers.unit() < f(p[0]))) return;
    if (event.room(Kind.jet) < 1 || placesBesideMet(event) < 1) return;
    const [, low, high, eta, phi, width] = Float32Array.from(p);
    const pt = numbers.uniform(low, high);
    const jetEta = numbers.uniform(f(eta - width), f(eta + width));
    const jetPhi = wrapAngle(numbers.uniform(f(phi - width), f(phi + width)));
    event.add(pt, jetEta, jetPhi, Kind.jet);
    sum.clear();
    sum.add(pt, jetPhi);
    balanceMet(event, sum.x, sum.y);
  },
};

/** Physical, a fault: a fixed factor on the pt of each kind, carried into MET. */
export const scalePt: Augmentation = {
  info: {
    name: 'scale_pt',
    role: 'physical',
    data: 'event',
    help: 'multiply the pt of each kind by a fixed factor and let MET balance it',
    source: 'a detector fault',
    params: [
      parameter('electrons', 1, [0.01, 100], '', 'factor of electrons'),
      parameter('muons', 1, [0.01, 100], '', 'factor of muons'),
      parameter('jets', 1.1, [0.01, 100], '', 'factor of jets'),
    ],
  },
  apply(event, p) {
    sum.clear();
    let scaled = 0;
    for (let i = 0; i < event.size; i++) {
      const kind = event.kind[i];
      if (!isVisible(kind)) continue;
      const factor = f(kind === Kind.electron ? p[0] : kind === Kind.muon ? p[1] : p[2]);
      if (factor === 1) continue;
      scaled++;
      const pt = f(event.pt[i] * factor);
      sum.add(f(pt - event.pt[i]), event.phi[i]);
      event.pt[i] = pt;
    }
    if (scaled > 0) balanceMet(event, sum.x, sum.y);
  },
};

/** Physical, a fault: MET is stuck at one value. */
export const stickMet: Augmentation = {
  info: {
    name: 'stick_met',
    role: 'physical',
    data: 'event',
    help: 'set MET to one value',
    source: 'a detector fault',
    params: [parameter('pt', 30, [0, 10_000], 'GeV', 'its size'), parameter('phi', 0, azimuth, 'rad', 'its direction')],
  },
  apply(event, p) {
    for (let i = 0; i < event.size; i++) {
      if (event.kind[i] !== Kind.met) continue;
      event.pt[i] = p[0];
      event.phi[i] = p[1];
    }
  },
};
