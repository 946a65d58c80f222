import { Kind } from '../events/objects.js';
import type { Augmentation } from './augmentation.js';
import { wrapAngle } from './math.js';

const f = Math.fround;
const pi = f(Math.PI);

/** Physical: one azimuthal shift for the whole event, MET included. */
export const rotatePhi: Augmentation = {
  info: {
    name: 'rotate_phi',
    role: 'physical',
    data: 'event',
    help: 'turn the event about the beam by one uniform angle',
    source: 'arXiv:2301.04660 sec. 3; the beams have no preferred azimuth',
    params: [],
  },
  apply(event, _, numbers) {
    const shift = numbers.uniform(-pi, pi);
    for (let i = 0; i < event.size; i++)
      if (event.kind[i] !== Kind.constituent) event.phi[i] = wrapAngle(f(event.phi[i] + shift));
  },
};
