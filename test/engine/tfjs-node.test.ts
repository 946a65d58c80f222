import { AnomalyClrError } from '../../src/errors.js';
import { howToAdd } from '../../src/ops/backend.js';
import { surroundings } from '../support/tfjs.js';
import { goldenTests } from './tfjs-golden.js';
import { parityTests } from './tfjs-parity.js';

const on = await surroundings('node').catch((error: unknown) => {
  if (error instanceof AnomalyClrError && /is not installed/.test(error.message)) return undefined;
  throw error;
});
describe('TensorFlow.js, node', () => {
  if (on) {
    goldenTests(on);
    parityTests(on);
  } else {
    test.skip(`tfjs-node is not installed here; to add it: ${howToAdd('node')}`, () => {});
  }
});
