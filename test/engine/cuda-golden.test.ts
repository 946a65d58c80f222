// The golden suites of the CPU engine on a GPU: the one of this machine under `npm run test:gpu`, else one that the CPU plays.
import { addonOn, cudaLibrary, describeOnCuda } from '../support/device.js';
import { autoencoderTests } from '../support/golden-autoencoder.js';
import { encoderTests } from '../support/golden-encoder.js';
import { lossTests } from '../support/golden-loss.js';
import { trajectoryTests } from '../support/golden-trajectories.js';

describeOnCuda('golden values on CUDA', () => {
  const addon = addonOn({ device: 'cuda', library: cudaLibrary });
  encoderTests(addon, 1e-9);
  lossTests(addon, 1e-9);
  autoencoderTests(addon, 1e-9);
  trajectoryTests(addon, 1e-9);
});
