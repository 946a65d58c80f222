import { Kind } from '../events/objects.js';
import { parameter, type Augmentation } from './augmentation.js';

const { fround: f, abs } = Math;

/** Selection: drops what the data could not hold. */
export const acceptance: Augmentation = {
  info: {
    name: 'acceptance',
    role: 'selection',
    data: 'event',
    help: 'drop objects below the pt threshold or outside the eta range of their kind',
    source: 'selection of the ADC2021 sample, arXiv:2107.02157',
    params: [
      parameter('lepton_pt', 3, [0, 1000], 'GeV', 'threshold of electrons and muons'),
      parameter('jet_pt', 15, [0, 1000], 'GeV', 'threshold of jets'),
      parameter('electron_eta', 3, [0, 10], '', 'largest |eta| of electrons'),
      parameter('muon_eta', 2.1, [0, 10], '', 'largest |eta| of muons'),
      parameter('jet_eta', 4, [0, 10], '', 'largest |eta| of jets'),
    ],
  },
  apply(event, p) {
    let kept = 0;
    for (let i = 0; i < event.size; i++) {
      const kind = event.kind[i];
      if (kind !== Kind.met && kind !== Kind.constituent) {
        const threshold = f(kind === Kind.jet ? p[1] : p[0]);
        const limit = f(kind === Kind.electron ? p[2] : kind === Kind.muon ? p[3] : p[4]);
        if (event.pt[i] < threshold || abs(event.eta[i]) > limit) continue;
      }
      event.move(i, kept++);
    }
    event.size = kept;
  },
};
