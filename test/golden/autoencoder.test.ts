import { loadAddon } from '../../src/addon.js';
import { autoencoderTests } from '../support/golden-autoencoder.js';

autoencoderTests(loadAddon(), 1e-10);
