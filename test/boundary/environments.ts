import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { findAddon, loadAddon, packageRoot } from '../../src/addon.js';
import { freePort } from '../support/free-port.js';
import type { Scenarios } from './child.js';
import * as samples from './samples.js';

// Threads of Node.js that have the addon each for themselves, many at once, and end whenever they are told to.

/** `body` knows addon, given and say; what it starts it need not await. */
function thread(body: string, given: object): Worker {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { file, given } = workerData;
    const addon = require(file);
    const say = word => parentPort.postMessage(word);
    (async () => { ${body} })().catch(error => { throw error; });`;
  return new Worker(source, { eval: true, workerData: { file: findAddon().file, given } });
}
const word = (worker: Worker): Promise<unknown> =>
  new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });

const events = samples.manyEvents(200);
const all = Int32Array.from({ length: 200 }, (_, i) => i);
const given = {
  trainer: samples.trainerConfig(),
  scorer: samples.scorerConfig(),
  recipe: samples.recipe(),
  weights: samples.someWeights(595),
  step: { events, index: all, seed: 1, epoch: 0, rate: 1e-3, update: true },
  events,
};
/** A step and scores, as numbers. */
const once = `
  const trainer = new addon.Trainer(given.trainer);
  trainer.setWeights({ weights: given.weights });
  trainer.setRecipe(given.recipe);
  const { loss } = await trainer.step(given.step);
  const scores = await new addon.Scorer(given.scorer).score({ events: given.events });
  say([loss, scores.reduce((a, b) => a + b)]);`;
const forever = `
  const trainer = new addon.Trainer(given.trainer);
  trainer.setWeights({ weights: given.weights });
  const scorer = new addon.Scorer(given.scorer);
  (async () => { for (;;) await scorer.score({ events: given.events }); })();
  (async () => { for (;;) await addon.augment({ ...given.step, recipe: given.recipe, view: 2 }); })();
  for (;;) say((await trainer.step(given.step)).loss);`;

export const scenarios: Scenarios = {
  'many environments at once give what one gives alone': async () => {
    const want = await word(thread(once, given));
    const got = await Promise.all(Array.from({ length: 6 }, () => word(thread(once, given))));
    for (const one of got) assert.deepEqual(one, want);
  },
  'environments that end in the middle of everything leave the others alone': async () => {
    const want = await word(thread(once, given));
    for (let round = 0; round < 4; round++) {
      const busy = Array.from({ length: 4 }, () => thread(forever, given));
      await Promise.all(busy.map(word));
      await new Promise(resolve => setTimeout(resolve, 10 * round));
      const beside = word(thread(once, given));
      await Promise.all(busy.map(worker => worker.terminate()));
      assert.deepEqual(await beside, want);
    }
    assert.equal((await new (loadAddon().Scorer)(samples.scorerConfig()).score({ events })).length, 200);
  },
  'one that ends while its ranks have not met ends by their deadline': async () => {
    const config = samples.groupConfig({ ranks: 2, port: await freePort(), seconds: 1 });
    const worker = thread(
      'new addon.Group(given).connect().catch(() => {}); say(0); setInterval(() => {}, 1000);',
      config,
    );
    await word(worker);
    const began = performance.now();
    await worker.terminate();
    assert.ok(performance.now() - began < 20_000);
  },
  'what an environment was given is of no use in another': async () => {
    const trainer = new (loadAddon().Trainer)(samples.trainerConfig());
    const copy = structuredClone(trainer); // a session does not cross: what arrives is an empty object
    const methods: any = loadAddon().Trainer.prototype;
    for (const method of ['step', 'weights', 'dispose'])
      assert.throws(() => methods[method].call(copy, given.step), Error);
  },
  'the addon loaded again is the same': async () => {
    const again = createRequire(`${packageRoot()}/`)(findAddon().file);
    assert.equal(again, loadAddon());
    const worker = thread(
      'for (let i = 0; i < 50; i++) { delete require.cache[file]; require(file).info(); } say(7);',
      {},
    );
    assert.equal(await word(worker), 7);
  },
};
