import { setImmediate as turn } from 'node:timers/promises';
import { loadAddon } from '../../src/addon.js';
import * as samples from './samples.js';

const addon = loadAddon();

/** How often the event loop turns before `job` is done. */
async function turnsDuring(job: Promise<unknown>): Promise<number> {
  let running = true;
  const done = job.finally(() => (running = false));
  let turns = 0;
  while (running) {
    await turn();
    turns++;
  }
  await done;
  return turns;
}

// Each job is far longer than one turn; blocking the loop would leave one or two.
test('the event loop turns while the engine works', async () => {
  const events = samples.manyEvents(3000);
  const index = Int32Array.from({ length: 3000 }, (_, i) => i);
  const trainer = new addon.Trainer(samples.trainerConfig({ width: 32, heads: 4, layers: 2, feedForward: 64 }));
  const perceptron = new addon.Perceptron(samples.perceptronConfig({ widths: Int32Array.of(4, 256, 2, 256, 4) }));
  const z = new Float32Array(4000 * 16).map((_, i) => Math.sin(i));
  const jobs: [string, () => Promise<unknown>][] = [
    ['step', () => trainer.step({ events, index, seed: 1, epoch: 0, rate: 1e-3, update: true })],
    ['embed', () => trainer.embed({ events })],
    ['score', () => perceptron.score({ x: samples.rows(100_000) })],
    ['scorer', () => new addon.Scorer(samples.scorerConfig()).score({ events: samples.manyEvents(20_000) })],
    ['loss', () => addon.contrastiveLoss({ loss: 'ntxent', z, zPhysical: z, events: 4000, dim: 16, temperature: 0.1 })],
  ];
  for (const [name, start] of jobs) expect([name, (await turnsDuring(start())) > 10]).toEqual([name, true]);
});
