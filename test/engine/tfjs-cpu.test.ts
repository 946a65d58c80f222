import { surroundings } from '../support/tfjs.js';
import { goldenTests } from './tfjs-golden.js';
import { parityTests } from './tfjs-parity.js';

const on = await surroundings('cpu');
describe('TensorFlow.js, cpu', () => {
  goldenTests(on);
  parityTests(on);
});
