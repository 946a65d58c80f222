import { Kind } from '../events/objects.js';
import { parameter, type Augmentation } from './augmentation.js';
import { sinCos, wrapAngle } from './math.js';

const f = Math.fround;
const pi = f(Math.PI);
const source = 'JetCLR, arXiv:2108.04253';
const angle = new Float32Array(2); // sine, cosine
const normals = new Float32Array(2);

/** Physical: the jet turned about its axis. */
export const rotateJet: Augmentation = {
  info: {
    name: 'rotate_jet',
    role: 'physical',
    data: 'jet',
    help: 'turn the constituents about the axis of the jet by one uniform angle',
    source,
    params: [],
  },
  apply(event, _, numbers) {
    sinCos(numbers.uniform(-pi, pi), angle);
    const [sine, cosine] = angle;
    for (let i = 0; i < event.size; i++) {
      if (event.kind[i] !== Kind.constituent) continue;
      const eta = f(f(cosine * event.eta[i]) - f(sine * event.phi[i]));
      const phi = f(f(sine * event.eta[i]) + f(cosine * event.phi[i]));
      event.eta[i] = eta;
      event.phi[i] = wrapAngle(phi);
    }
  },
};

/** Physical: the whole jet moved, by up to its own extent. */
export const translateJet: Augmentation = {
  info: {
    name: 'translate_jet',
    role: 'physical',
    data: 'jet',
    help: 'move the jet by one shift in eta and one in phi',
    source,
    params: [parameter('width', 1, [0, 10], '', 'largest shift over the extent of the jet')],
  },
  apply(event, p, numbers) {
    let [etaLeast, etaMost, phiLeast, phiMost] = [0, 0, 0, 0];
    let any = false;
    for (let i = 0; i < event.size; i++) {
      if (event.kind[i] !== Kind.constituent) continue;
      const eta = event.eta[i];
      const phi = event.phi[i];
      if (!any || eta < etaLeast) etaLeast = eta;
      if (!any || eta > etaMost) etaMost = eta;
      if (!any || phi < phiLeast) phiLeast = phi;
      if (!any || phi > phiMost) phiMost = phi;
      any = true;
    }
    if (!any) return;
    const width = f(p[0]);
    const etaReach = f(width * f(etaMost - etaLeast));
    const phiReach = f(width * f(phiMost - phiLeast));
    // no constituent passes +-pi
    const left = f(-pi - phiLeast);
    const right = f(pi - phiMost);
    const eta = numbers.uniform(-etaReach, etaReach);
    const phi = numbers.uniform(-phiReach > left ? -phiReach : left, phiReach < right ? phiReach : right);
    for (let i = 0; i < event.size; i++) {
      if (event.kind[i] !== Kind.constituent) continue;
      event.eta[i] += eta;
      event.phi[i] = wrapAngle(f(event.phi[i] + phi));
    }
  },
};

/** Physical: soft constituents have no well-defined direction. */
export const softDistort: Augmentation = {
  info: {
    name: 'soft_distort',
    role: 'physical',
    data: 'jet',
    help: 'Gaussian smearing of eta and phi of constituents by scale / pt',
    source,
    params: [
      parameter('scale', 0.1, [0, 100], 'GeV', 'width times pt: the scale of soft radiation'),
      parameter('least_pt', 0.1, [0.001, 1000], 'GeV', 'pt below which the width grows no more'),
    ],
  },
  apply(event, p, numbers) {
    const scale = f(p[0]);
    const least = f(p[1]);
    for (let i = 0; i < event.size; i++) {
      if (event.kind[i] !== Kind.constituent) continue;
      numbers.normals(normals);
      const pt = event.pt[i];
      const sigma = f(scale / (pt > least ? pt : least));
      event.eta[i] = f(event.eta[i] + f(sigma * normals[0]));
      event.phi[i] = wrapAngle(f(event.phi[i] + f(sigma * normals[1])));
    }
  },
};
