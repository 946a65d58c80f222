import { parameter, type Augmentation } from './augmentation.js';
import { isJet, leadingLepton, logUniform } from './momentum.js';

const f = Math.fround;

/** Anomalous: what is soft but still selected: one factor on MET and every pt. */
export const rescale: Augmentation = {
  info: {
    name: 'rescale',
    role: 'anomalous',
    data: 'event',
    help: 'multiply MET and every pt by one factor that keeps the leading lepton on its trigger',
    source: 'momentum scale of arXiv:2301.04660 sec. 3, downwards, within the selection of arXiv:2107.02157',
    params: [
      parameter('low', 0.4, [0.01, 100], '', 'smallest factor'),
      parameter('high', 1, [0.01, 100], '', 'largest factor'),
      parameter('trigger', 23, [0, 1000], 'GeV', 'pt that the leading lepton keeps; 0: none'),
    ],
  },
  apply(event, p, numbers) {
    if (isJet(event)) return;
    let low = f(Math.min(p[0], p[1]));
    const high = f(Math.max(p[0], p[1]));
    const trigger = f(p[2]);
    if (trigger > 0) {
      const lead = leadingLepton(event);
      if (lead < 0 || !(event.pt[lead] >= trigger)) return;
      const least = f(trigger / event.pt[lead]);
      if (least > high) return;
      if (least > low) low = least;
    }
    const factor = logUniform(low, high, numbers);
    for (let i = 0; i < event.size; i++) event.pt[i] *= factor;
  },
};
