// The golden suites of the CPU engine on a GPU: the one of this machine under `npm run test:gpu`, else one that the CPU plays.
import { addonOn, cudaLibrary, describeOnCuda, onGpu } from '../support/device.js';
import { autoencoderTests } from '../support/golden-autoencoder.js';
import { encoderTests } from '../support/golden-encoder.js';
import { lossTests } from '../support/golden-loss.js';
import { trajectoryTests } from '../support/golden-trajectories.js';

describeOnCuda('golden values on CUDA', () => {
  const addon = addonOn({ device: 'cuda', library: cudaLibrary });
  // a GPU that the CPU plays is thousands of times slower; products choose their way by the size of a batch
  const extent = { exact: 1e-9, small: !onGpu, anyBatch: false, bf16: 2e-2 };
  encoderTests(addon, extent);
  lossTests(addon, extent);
  autoencoderTests(addon, extent);
  trajectoryTests(addon, extent);
});
