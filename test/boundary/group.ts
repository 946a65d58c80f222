import assert from 'node:assert/strict';
import { loadAddon, type Columns, type NativeGroup, type NativeTrainer } from '../../src/addon.js';
import { freePort } from '../support/free-port.js';
import type { Scenarios } from './child.js';
import { everyCall } from './members.js';
import * as samples from './samples.js';
import { meet, outcome } from './wrong-arguments.js';

/** Two ranks that have met, in one process. */
async function pair(): Promise<NativeGroup[]> {
  const port = await freePort();
  const groups = [0, 1].map(rank => new (loadAddon().Group)(samples.groupConfig({ rank, ranks: 2, port })));
  await Promise.all(groups.map(group => group.connect()));
  return groups;
}

function trainerOf(group: NativeGroup | undefined): NativeTrainer {
  const trainer = new (loadAddon().Trainer)({ ...samples.trainerConfig(), ...(group && { group }) });
  trainer.setWeights({ weights: samples.someWeights(trainer.weights().length) });
  trainer.setRecipe(samples.recipe());
  return trainer;
}

const step = (events: Columns, index: number[], share = {}): Parameters<NativeTrainer['step']>[0] => ({
  events, index: Int32Array.from(index), seed: 1, epoch: 0, rate: 1e-3, update: true, ...share,
}); // prettier-ignore
const code = (error: unknown): unknown => (error as { code?: unknown }).code;
const lost = (words: RegExp) => (error: unknown) => code(error) === 'PEER_LOST' && words.test((error as Error).message);

export const scenarios: Scenarios = {
  'ranks gather what each hands in': async () => {
    const groups = await pair();
    const parts = await Promise.all(
      groups.map((group, i) => group.gather({ bytes: new Uint8Array(i * 100_000).fill(i) })),
    );
    for (const [first, second] of parts)
      assert.deepEqual([first.length, second.length, second[99_999]], [0, 100_000, 1]);
    const alone = new (loadAddon().Group)(samples.groupConfig());
    assert.deepEqual(await alone.gather({ bytes: Uint8Array.of(7) }), [Uint8Array.of(7)]);
  },
  'one call at a time, and none before the ranks have met or after one has left': async () => {
    const [first, second] = await pair();
    const job = first.gather({ bytes: Uint8Array.of(1) });
    assert.throws(() => first.gather({ bytes: Uint8Array.of(1) }), error => code(error) === 'BUSY'); // prettier-ignore
    const told = assert.rejects(job, lost(/^rank 1 stopped: no time$/));
    await second.leave({ reason: 'no time' });
    await told;
    await assert.rejects(first.gather({ bytes: Uint8Array.of(1) }), lost(/no time/));
    await assert.rejects(second.gather({ bytes: Uint8Array.of(1) }), lost(/has left/));
    const early = new (loadAddon().Group)(samples.groupConfig({ ranks: 2 }));
    await assert.rejects(early.gather({ bytes: Uint8Array.of(1) }), lost(/have not met/));
  },
  'leave: wrong types': () => meet(everyCall()['group.leave']),
  'dispose ends a wait': async () => {
    const group = new (loadAddon().Group)(samples.groupConfig({ ranks: 2, port: await freePort(), seconds: 1e5 }));
    const job = group.connect();
    setTimeout(() => group.dispose(), 20);
    await assert.rejects(job, lost(/interrupted/));
    assert.equal(group.dispose(), undefined);
    assert.throws(() => group.connect(), /disposed/);
    assert.throws(() => group.leave({ reason: '' }), /disposed/);
  },
  'methods refuse any other this, a trainer any other group': async () => {
    const { Group, Trainer } = loadAddon();
    const trainer = trainerOf(undefined);
    const group: any = new Group(samples.groupConfig());
    const others = [
      undefined,
      null,
      0,
      {},
      trainer,
      Object.create(group),
      new Proxy(group, {}),
      Group,
      Group.prototype,
    ];
    for (const method of Object.getOwnPropertyNames(Group.prototype).filter(name => name !== 'constructor'))
      for (const self of others)
        if (method !== 'dispose')
          assert.equal(await outcome(() => group[method].call(self, { bytes: new Uint8Array(1), reason: '' })), 'error'); // prettier-ignore
    for (const wrong of [null, 1, 'x', {}, trainer, Object.create(group), new Proxy(group, {}), Group.prototype])
      assert.throws(() => new Trainer({ ...samples.trainerConfig(), group: wrong as NativeGroup }));
    group.dispose();
    assert.throws(() => trainerOf(group), /disposed/);
  },
  'a step takes the share of its rank, and a rank without events takes part': async () => {
    const events = samples.manyEvents(3);
    const alone = trainerOf(undefined);
    const want = await alone.step(step(events, [2, 0, 1]));
    const trainers = (await pair()).map(trainerOf);
    // 3 events: one for rank 0, two for rank 1
    const shares = [step(events, [2], { first: 0, total: 3 }), step(events, [0, 1], { first: 1, total: 3 })];
    const got = await Promise.all(trainers.map((trainer, i) => trainer.step(shares[i])));
    for (const { loss } of got) assert.ok(Math.abs(loss - want.loss) < 1e-5);
    assert.deepEqual(trainers[0].weights(), trainers[1].weights());
    trainers[0].weights().forEach((value, i) => assert.ok(Math.abs(value - alone.weights()[i]) < 2e-3));
    const few = [step(events, [], { first: 0, total: 1 }), step(events, [1], { first: 0, total: 1 })];
    const one = await Promise.all(trainers.map((trainer, i) => trainer.step({ ...few[i], update: false })));
    assert.deepEqual(one[0], one[1]);
    for (const wrong of [step(events, [2]), step(events, [2, 1], { first: 0, total: 3 }), step(events, [2], { first: 1, total: 3 })])
      await assert.rejects(trainers[0].step(wrong), error => code(error) === 'INVALID_ARGUMENT'); // prettier-ignore
    for (const wrong of [
      { first: 0, total: 0 },
      { first: 3, total: 3 },
      { first: -1, total: 3 },
      { first: 0.5, total: 3 },
    ])
      assert.throws(() => trainers[0].step(step(events, [2], wrong)));
  },
  'a trainer keeps its group; one that is lost ends the step, not the process': async () => {
    const groups = await pair();
    const trainer = trainerOf(groups[0]);
    const before = trainer.weights();
    const job = trainer.step(
      step(
        samples.manyEvents(40),
        Array.from({ length: 20 }, (_, i) => i),
        { first: 0, total: 40 },
      ),
    );
    const told = assert.rejects(job, lost(/rank 1/));
    await groups[1].leave({ reason: '' });
    await told;
    assert.deepEqual(trainer.weights(), before);
  },
};
