import { Kind } from '../events/objects.js';
import { parameter, type Augmentation } from './augmentation.js';
import { maxAbsEta } from './event.js';
import { exp, wrapAngle } from './math.js';

const { fround: f, sqrt, abs } = Math;
const normals = new Float32Array(2);

/** Physical: finite angular resolution for soft objects; one pushed past its acceptance in |eta| is lost. MET stays. */
export const smearDirection: Augmentation = {
  info: {
    name: 'smear_direction',
    role: 'physical',
    data: 'event',
    help: 'Gaussian smearing of eta and phi of soft objects',
    source: 'arXiv:2301.04660 sec. 3, mended: azimuth wraps by 2 pi, widths in real eta and phi',
    params: [
      parameter('strength', 1, [0, 100], '', 'factor on the width'),
      parameter('width', 0.028, [0, 1], 'rad', 'width far below the edge, in eta and in phi'),
      parameter('edge', 25, [0, 1000], 'GeV', 'pt at which the width has halved'),
      parameter('softness', 0.1, [0.001, 100], 'GeV', 'how gradually the width falls at the edge'),
    ],
  },
  apply(event, p, numbers) {
    const width = f(p[0] * p[1]);
    const edge = f(p[2]);
    const softness = f(p[3]);
    let kept = 0;
    for (let i = 0; i < event.size; i++) {
      const kind = event.kind[i];
      if (kind !== Kind.met && kind !== Kind.constituent) {
        numbers.normals(normals);
        const steepness = f(f(event.pt[i] - edge) / softness);
        // exp overflows to infinity far above the edge, where the width is rightly 0
        const sigma = f(width / f(1 + exp(steepness)));
        const eta = f(event.eta[i] + f(sigma * normals[0]));
        if (abs(eta) > maxAbsEta[kind]) continue;
        event.eta[i] = eta;
        event.phi[i] = wrapAngle(f(event.phi[i] + f(sigma * normals[1])));
      }
      event.move(i, kept++);
    }
    event.size = kept;
  },
};

/** Physical: jet energy resolution; a jet that falls to pt <= 0 is lost. MET stays. */
export const smearJets: Augmentation = {
  info: {
    name: 'smear_jets',
    role: 'physical',
    data: 'event',
    help: "Gaussian smearing of jet pt by the calorimeter's resolution",
    source: 'arXiv:2301.04660 sec. 3; Delphes 3 CMS card, arXiv:1307.6346',
    params: [
      parameter('strength', 1, [0, 100], '', 'factor on the width'),
      parameter('constant', 0.05, [0, 10], '', 'constant term of sigma/pt'),
      parameter('stochastic', 1.5, [0, 10], 'sqrt(GeV)', 'stochastic term'),
    ],
  },
  apply(event, p, numbers) {
    const strength = f(p[0]);
    const constant = f(p[1] * p[1]);
    const stochastic = f(p[2] * p[2]);
    let kept = 0;
    for (let i = 0; i < event.size; i++) {
      if (event.kind[i] === Kind.jet) {
        const pt = event.pt[i];
        const variance = f(f(f(constant * pt) * pt) + f(stochastic * pt));
        const smeared = f(pt + f(f(strength * f(sqrt(variance))) * numbers.normal()));
        if (!(smeared > 0)) continue;
        event.pt[i] = smeared;
      }
      event.move(i, kept++);
    }
    event.size = kept;
  },
};
