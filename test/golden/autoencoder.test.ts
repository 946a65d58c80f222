import { loadAddon } from '../../src/addon.js';
import { everything } from '../support/golden.js';
import { autoencoderTests } from '../support/golden-autoencoder.js';

autoencoderTests(loadAddon(), everything);
