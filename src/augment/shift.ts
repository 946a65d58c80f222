import { Kind } from '../events/objects.js';
import { parameter, type Augmentation } from './augmentation.js';

const f = Math.fround;
const source = 'arXiv:2301.04660 sec. 3';
const range = (low: number) => [
  parameter('low', low, [0.01, 100], '', 'smallest factor'),
  parameter('high', 5, [0.01, 100], '', 'largest factor'),
];

/** Anomalous: MET out of scale by one factor, uniform on [low, high]. */
export const shiftMet: Augmentation = {
  info: {
    name: 'shift_met',
    role: 'anomalous',
    data: 'event',
    help: 'multiply MET by one factor',
    source,
    params: range(0.5),
  },
  apply(event, p, numbers) {
    const factor = numbers.uniform(f(p[0]), f(p[1]));
    for (let i = 0; i < event.size; i++) if (event.kind[i] === Kind.met) event.pt[i] *= factor;
  },
};

/** Anomalous: visible momenta out of scale by one factor; MET stays. */
export const shiftPt: Augmentation = {
  info: {
    name: 'shift_pt',
    role: 'anomalous',
    data: 'event',
    help: 'multiply the pt of every visible object by one factor',
    source,
    params: range(1),
  },
  apply(event, p, numbers) {
    const factor = numbers.uniform(f(p[0]), f(p[1]));
    for (let i = 0; i < event.size; i++)
      if (event.kind[i] !== Kind.met && event.kind[i] !== Kind.constituent) event.pt[i] *= factor;
  },
};

/** Anomalous: a harder event of the same shape: one factor on every pt, MET included. */
export const shiftAll: Augmentation = {
  info: {
    name: 'shift_all',
    role: 'anomalous',
    data: 'event',
    help: 'multiply MET and the pt of every object by one factor',
    source,
    params: range(1),
  },
  apply(event, p, numbers) {
    const factor = numbers.uniform(f(p[0]), f(p[1]));
    for (let i = 0; i < event.size; i++) if (event.kind[i] !== Kind.constituent) event.pt[i] *= factor;
  },
};
