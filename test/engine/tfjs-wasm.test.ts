import { surroundings } from '../support/tfjs.js';
import { goldenTests } from './tfjs-golden.js';
import { parityTests } from './tfjs-parity.js';

const on = await surroundings('wasm');
describe('TensorFlow.js, wasm', () => {
  goldenTests(on);
  parityTests(on);
});
