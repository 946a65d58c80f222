import { Kind } from '../events/objects.js';
import { parameter, type Augmentation } from './augmentation.js';
import { atan2, exp, sinCos } from './math.js';
import { balanceMet } from './met.js';
import { isJet, isLepton, Transverse } from './momentum.js';

const { fround: f, sqrt } = Math;
const pi = f(Math.PI);
const angle = new Float32Array(2); // sine, cosine
const gained = new Transverse();
const normals = new Float32Array(2);

/** Physical: jet energy scale, one factor for all jets, carried into MET. */
export const scaleJets: Augmentation = {
  info: {
    name: 'scale_jets',
    role: 'physical',
    data: 'event',
    help: 'multiply the pt of every jet by one factor and let MET balance it',
    source: 'jet energy scale of +-5 %, as tools/pythia_adc2021.py --jes',
    params: [
      parameter('low', 0.95, [0.01, 100], '', 'smallest factor'),
      parameter('high', 1.05, [0.01, 100], '', 'largest factor'),
    ],
  },
  apply(event, p, numbers) {
    const factor = numbers.uniform(f(p[0]), f(p[1]));
    gained.clear();
    let jets = 0;
    for (let i = 0; i < event.size; i++) {
      if (event.kind[i] !== Kind.jet) continue;
      jets++;
      const scaled = f(event.pt[i] * factor);
      gained.add(f(scaled - event.pt[i]), event.phi[i]);
      event.pt[i] = scaled;
    }
    if (jets > 0) balanceMet(event, gained.x, gained.y);
  },
};

/** Physical: MET resolution, a Gaussian on each component. */
export const smearMet: Augmentation = {
  info: {
    name: 'smear_met',
    role: 'physical',
    data: 'event',
    help: 'Gaussian smearing of the two components of MET',
    source: 'MET resolution of +20 %, as tools/pythia_adc2021.py --met-res 1.2',
    params: [
      parameter('sigma', 9.2, [0, 1000], 'GeV', 'width for each component'),
      parameter('relative', 0, [0, 10], '', 'further width over MET, added in quadrature'),
    ],
  },
  apply(event, p, numbers) {
    const square = f(p[0] * p[0]);
    const relative = f(p[1]);
    for (let i = 0; i < event.size; i++) {
      if (event.kind[i] !== Kind.met) continue;
      numbers.normals(normals);
      const further = f(relative * event.pt[i]);
      const sigma = f(sqrt(f(square + f(further * further))));
      sinCos(event.phi[i], angle);
      const x = f(f(event.pt[i] * angle[1]) + f(sigma * normals[0]));
      const y = f(f(event.pt[i] * angle[0]) + f(sigma * normals[1]));
      event.pt[i] = sqrt(f(f(x * x) + f(y * y)));
      event.phi[i] = atan2(y, x);
    }
  },
};

/** Physical: lepton efficiency; the last lepton that triggers is never lost. */
export const loseLeptons: Augmentation = {
  info: {
    name: 'lose_leptons',
    role: 'physical',
    data: 'event',
    help: 'lose electrons and muons, but the last one that triggers',
    source: 'lepton efficiency of -5 %, as tools/pythia_adc2021.py --lep-eff 0.95',
    params: [
      parameter('probability', 0.05, [0, 1], '', "of each lepton's loss"),
      parameter('trigger', 23, [0, 1000], 'GeV', 'pt above which a lepton triggers'),
    ],
  },
  apply(event, p, numbers) {
    const probability = f(p[0]);
    const trigger = f(p[1]);
    let triggering = 0;
    for (let i = 0; i < event.size; i++) if (isLepton(event.kind[i]) && event.pt[i] > trigger) triggering++;
    let kept = 0;
    for (let i = 0; i < event.size; i++) {
      if (isLepton(event.kind[i]) && numbers.unit() < probability) {
        if (!(event.pt[i] > trigger)) continue;
        if (triggering > 1) {
          triggering--;
          continue;
        }
      }
      event.move(i, kept++);
    }
    event.size = kept;
  },
};

/** Physical: soft jets of pile-up, a Poisson number of them. */
export const addPileup: Augmentation = {
  info: {
    name: 'add_pileup',
    role: 'physical',
    data: 'event',
    help: 'add soft jets of pile-up',
    source: 'tools/pythia_adc2021.py --pu 2, which adds as many again',
    params: [
      parameter('mean', 0.5, [0, 10], 'jets', 'mean number of jets'),
      parameter('threshold', 15, [0.1, 1000], 'GeV', 'least pt'),
      parameter('slope', 5, [0, 1000], 'GeV', 'mean pt above it'),
      parameter('eta', 4, [0, 10], '', 'largest |eta|'),
      parameter(
        'met_sigma',
        0,
        [0, 1000],
        'GeV',
        'noise on each component of MET; 12.5 as much as doubled pile-up adds',
      ),
    ],
  },
  apply(event, p, numbers) {
    if (isJet(event)) return; // a jet's own constituents have no such company
    // the least n whose cumulative probability reaches the draw
    const draw = numbers.unit();
    const mean = f(p[0]);
    const most = event.room(Kind.jet);
    let term = exp(-mean);
    let cumulative = term;
    let n = 0;
    while (n < most && draw > cumulative) {
      n++;
      term = f(f(term * mean) / n);
      cumulative = f(cumulative + term);
    }
    const eta = f(p[3]);
    for (; n > 0; n--) {
      const pt = f(f(p[1]) + f(f(p[2]) * numbers.exponential()));
      event.add(pt, numbers.uniform(-eta, eta), numbers.uniform(-pi, pi), Kind.jet);
    }
    const sigma = f(p[4]);
    if (!(sigma > 0) || event.met() < 0) return;
    numbers.normals(normals);
    balanceMet(event, f(sigma * normals[0]), f(sigma * normals[1]));
  },
};
