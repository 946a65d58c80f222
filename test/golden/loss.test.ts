import { loadAddon } from '../../src/addon.js';
import { everything } from '../support/golden.js';
import { lossTests } from '../support/golden-loss.js';

const addon = loadAddon();
lossTests(addon, everything);

test('a batch of 4,096 needs memory by the batch, not by its square', async () => {
  const events = 4096;
  const dim = 8;
  const z = Float32Array.from({ length: events * dim }, (_, i) => (Math.sin(i * 12.9898) * 43758.5453) % 1);
  const before = process.memoryUsage().rss;
  const got = await addon.contrastiveLoss({
    loss: 'clr',
    z,
    zPhysical: z.map(x => x + 0.1),
    events,
    dim,
    temperature: 0.5,
  });
  expect(Number.isFinite(got.loss)).toBe(true);
  // the square of 2N in float32 would be 268 MB
  expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
});
