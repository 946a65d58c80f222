import { loadAddon } from '../../src/addon.js';
import { everything } from '../support/golden.js';
import { encoderTests } from '../support/golden-encoder.js';

encoderTests(loadAddon(), everything);
