import { parameter, type Augmentation } from './augmentation.js';
import { maxAbsEta, minPt } from './event.js';
import { atan2, log, sinCos, wrapAngle } from './math.js';
import { balanceMet } from './met.js';
import { isJet, logUniform, placesBesideMet, Transverse } from './momentum.js';
import type { Numbers } from './numbers.js';

const { fround: f, abs, sqrt } = Math;
const pi = f(Math.PI);
const angle = new Float32Array(2); // sine, cosine
const sum = new Transverse();
/** The particle, and one product in its rest frame, x along its transverse momentum: see add_resonance.h. */
const decay = { phi: 0, rapidity: 0, gamma: 0, gammaBeta: 0, energy: 0, kx: 0, ky: 0, kz: 0 };
const product = { pt: 0, eta: 0, phi: 0 };

/** Anomalous: two objects from the isotropic decay of one particle. */
export const addResonance: Augmentation = {
  info: {
    name: 'add_resonance',
    role: 'anomalous',
    data: 'event',
    help: 'add the two products of the decay of one particle',
    source: 'isotropic two-body decay into massless products',
    params: [
      parameter('first', 2, [2, 4], '', 'kind of one product: 2 electron, 3 muon, 4 jet'),
      parameter('second', 2, [2, 4], '', 'kind of the other'),
      parameter('mass_low', 10, [0.1, 10000], 'GeV', 'smallest mass'),
      parameter('mass_high', 200, [0.1, 10000], 'GeV', 'largest mass'),
      parameter('pt', 20, [0, 1000], 'GeV', 'mean transverse momentum of the particle'),
      parameter('balanced', 1, [0, 1], '', '1: MET balances what was added, 0: it stays'),
    ],
  },
  apply(event, p, numbers) {
    if (isJet(event)) return;
    drawDecay(p, numbers);
    let any = false;
    sum.clear();
    for (let i = 0; i < 2; i++) {
      const kind = Math.trunc(p[i]);
      boost(i === 0 ? 1 : -1);
      const { pt, eta, phi } = product;
      if (!(pt >= minPt[kind] && abs(eta) <= maxAbsEta[kind])) continue;
      if (event.room(kind) < 1 || placesBesideMet(event) < 1) continue;
      event.add(pt, eta, phi, kind);
      sum.add(pt, phi);
      any = true;
    }
    if (any && p[5] >= 1) balanceMet(event, sum.x, sum.y);
  },
};

/** A particle and how it decays, to `decay`. */
function drawDecay(p: Float64Array, numbers: Numbers): void {
  const mass = logUniform(f(p[2]), f(p[3]), numbers);
  const pt = f(f(p[4]) * numbers.exponential());
  decay.phi = numbers.uniform(-pi, pi);
  decay.rapidity = numbers.uniform(-2, 2);
  const cosT = numbers.uniform(-1, 1);
  const sinT = f(sqrt(f(1 - f(cosT * cosT))));
  const half = f(0.5 * mass);
  sinCos(numbers.uniform(-pi, pi), angle);
  decay.energy = half;
  decay.kx = f(f(half * sinT) * angle[1]);
  decay.ky = f(f(half * sinT) * angle[0]);
  decay.kz = f(half * cosT);
  decay.gamma = f(f(sqrt(f(f(mass * mass) + f(pt * pt)))) / mass);
  decay.gammaBeta = f(pt / mass);
}

/** The product with momentum `sign` times that of `decay`, as the detector sees it, to `product`. */
function boost(sign: 1 | -1): void {
  const { gamma, gammaBeta, energy: half, kz } = decay;
  const kx = sign * decay.kx;
  const energy = f(f(gamma * half) + f(gammaBeta * kx));
  const x = f(f(gamma * kx) + f(gammaBeta * half));
  const y = sign * decay.ky;
  product.pt = f(sqrt(f(f(x * x) + f(y * y))));
  const eta = log(f(f(energy + abs(kz)) / product.pt)); // without the difference of large numbers
  product.eta = f((sign * kz < 0 ? -eta : eta) + decay.rapidity);
  product.phi = wrapAngle(f(atan2(y, x) + decay.phi));
}
