import { loadAddon } from '../../src/addon.js';
import { manyEvents, recipe, someWeights, trainerConfig } from '../boundary/samples.js';
import * as reference from './reference.js';

const addon = loadAddon();
const sizes = Array.from({ length: 600 }, (_, e) => e % 13);
const offsets = reference.offsetsOf(sizes);
const qkv = Float32Array.from(reference.uniform((offsets.at(-1) as number) * 96, 1));
const z = Float32Array.from(reference.uniform(200 * 16, 2));

/** Calls that use the pool, each of several tasks. */
const kernels = (): unknown =>
  reference.bits([
    addon.attention({ qkv, offsets, heads: 4 }),
    addon.contrastiveLossNow({ loss: 'clr', z, zPhysical: z, events: 200, dim: 16, temperature: 0.1 }),
    addon.augmentNow({ events: manyEvents(3000), recipe: recipe(), view: 1, seed: 1, epoch: 0 }),
    addon.dense({ x: qkv, weight: qkv.subarray(0, 32 * 96), inputs: 96, outputs: 32 }),
  ]);

test('calls at once change nothing of a job beside them, nor it of them', async () => {
  const events = manyEvents(400);
  const index = Int32Array.from({ length: 400 }, (_, i) => i);
  const steps = async (meanwhile: () => void): Promise<unknown[]> => {
    const trainer = new addon.Trainer(trainerConfig({ width: 32, heads: 4, layers: 2, feedForward: 32 }));
    trainer.setWeights({ weights: someWeights(trainer.weights().length) });
    trainer.setRecipe(recipe());
    const results: unknown[] = [];
    for (let epoch = 0; epoch < 6; epoch++) {
      let running = true;
      const step = trainer.step({ events, index, seed: 1, epoch, rate: 1e-3, update: true });
      const done = step.finally(() => (running = false));
      while (running) {
        meanwhile();
        await new Promise(resolve => setImmediate(resolve));
      }
      results.push(await done);
    }
    return [...results, reference.bits(trainer.weights())];
  };
  try {
    for (const threads of [1, 2, 3]) {
      addon.setThreads(threads);
      const want = await steps(() => {});
      const alone = kernels();
      let calls = 0;
      const together = await steps(() => {
        expect(kernels()).toEqual(alone);
        calls++;
      });
      expect(together).toEqual(want);
      expect(calls).toBeGreaterThan(5);
    }
  } finally {
    addon.setThreads(0);
  }
});
