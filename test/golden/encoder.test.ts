import { loadAddon } from '../../src/addon.js';
import { encoderTests } from '../support/golden-encoder.js';

encoderTests(loadAddon(), 1e-10);
