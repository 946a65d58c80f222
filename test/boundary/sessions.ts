import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import { findAddon, loadAddon, type Columns, type NativeTrainer } from '../../src/addon.js';
import { calls } from './calls.js';
import type { Scenarios } from './child.js';
import { detached } from './fields.js';
import * as samples from './samples.js';
import { outcome } from './wrong-arguments.js';

const trainerMethods = [
  'layout', 'weights', 'setWeights', 'state', 'setState', 'setRecipe', 'step', 'stepOnViews', 'embed', 'reps',
  'gradients', 'dispose',
]; // prettier-ignore
const perceptronMethods = ['layout', 'weights', 'setWeights', 'step', 'score', 'gradients', 'dispose'];

const scorerMethods = ['score', 'scoreNow', 'embed', 'dispose'];
const methodsOf: Record<string, string[]> = {
  Trainer: trainerMethods,
  Perceptron: perceptronMethods,
  Scorer: scorerMethods,
};

function freshTrainer(changes = {}): NativeTrainer {
  const trainer = new (loadAddon().Trainer)(samples.trainerConfig(changes));
  trainer.setWeights({ weights: samples.someWeights(trainer.weights().length) });
  trainer.setRecipe(samples.recipe());
  return trainer;
}

const stepOn = (events: Columns, update = true): Parameters<NativeTrainer['step']>[0] => ({
  events, index: Int32Array.from({ length: events.offsets.length - 1 }, (_, i) => i), seed: 1, epoch: 0, rate: 1e-3, update,
}); // prettier-ignore

/** A session with a job that takes a while. */
function busyTrainer(): { trainer: NativeTrainer; job: Promise<unknown> } {
  const trainer = freshTrainer();
  return { trainer, job: trainer.step(stepOn(samples.manyEvents(2000))) };
}

const code = (error: unknown): unknown => (error as { code?: unknown }).code;
const isBusy = (error: unknown): boolean => code(error) === 'BUSY' && /await/.test((error as Error).message);
const good = (name: string): any => calls()[name]?.good();

export const scenarios: Scenarios = {
  'methods refuse any other this': async () => {
    const { Trainer, Perceptron, Scorer } = loadAddon();
    const trainer = freshTrainer();
    const perceptron = new Perceptron(samples.perceptronConfig());
    const scorer = new Scorer(samples.scorerConfig());
    const meet = async (type: any, methods: string[], prefix: string, others: unknown[]): Promise<void> => {
      assert.deepEqual(
        Object.getOwnPropertyNames(type.prototype)
          .filter(n => n !== 'constructor')
          .toSorted(),
        methods.toSorted(),
      );
      for (const method of methods)
        for (const self of others)
          assert.equal(
            await outcome(() => type.prototype[method].call(self, good(`${prefix}.${method}`))), 'error', `${method} on ${typeof self}`,
          ); // prettier-ignore
    };
    const others = [undefined, null, 0, 'x', true, Symbol('s'), {}, [], () => 1, new Float32Array(4), globalThis];
    const disguised = (one: object): unknown[] => [
      Object.create(one), new Proxy(one, {}), Object.setPrototypeOf({}, Object.getPrototypeOf(one)), Object.getPrototypeOf(one),
    ]; // prettier-ignore
    await meet(Trainer, trainerMethods, 'trainer', [...others, ...disguised(trainer), perceptron, Trainer]);
    await meet(Perceptron, perceptronMethods, 'perceptron', [...others, ...disguised(perceptron), trainer, Perceptron]);
    await meet(Scorer, scorerMethods, 'scorer', [...others, ...disguised(scorer), trainer, perceptron, Scorer]);
    // a change of prototype does not make one of the other
    Object.setPrototypeOf(perceptron, Trainer.prototype);
    for (const method of trainerMethods)
      assert.equal(await outcome(() => (perceptron as any)[method](good(`trainer.${method}`))), 'error');
    assert.equal(await outcome(() => trainer.step(good('trainer.step'))), 'value');
  },
  'classes are made with new, and only so': async () => {
    const addon: any = loadAddon();
    for (const [name, config] of [
      ['Trainer', samples.trainerConfig()],
      ['Perceptron', samples.perceptronConfig()],
      ['Scorer', samples.scorerConfig()],
    ] as const) {
      const [method] = methodsOf[name];
      const prefix = name.toLowerCase();
      const Type = addon[name];
      const made = new Type(config);
      for (const self of [undefined, {}, made, Object.create(Type.prototype)])
        assert.equal(await outcome(() => Type.call(self, config)), 'error');
      assert.equal(await outcome(() => Reflect.apply(Type, made, [config])), 'error');
      assert.equal(await outcome(() => made.constructor(config)), 'error');
      // new.target may be another: a session of another class, or of none
      class Own extends Type {}
      assert.ok((await new (Own as any)(config)[method](good(`${prefix}.${method}`))).length > 0);
      for (const target of [Object, Map, addon.Trainer, addon.Perceptron, addon.Scorer, function () {}]) {
        const odd = Reflect.construct(Type, [config], target);
        await outcome(() => Type.prototype[method].call(odd, good(`${prefix}.${method}`)));
        for (const [other, methods] of Object.entries(methodsOf))
          for (const one of methods)
            await outcome(() => addon[other].prototype[one].call(odd, good(`${other.toLowerCase()}.${one}`)));
      }
      for (const wrong of [undefined, null, 1, 'x', {}, []])
        assert.equal(await outcome(() => new Type(wrong)), 'error');
    }
  },
  'nothing works after dispose, which may be called twice': async () => {
    const { Perceptron, Scorer } = loadAddon();
    const trainer: any = freshTrainer();
    const perceptron: any = new Perceptron(samples.perceptronConfig());
    const scorer: any = new Scorer(samples.scorerConfig());
    for (const [one, methods, prefix] of [
      [trainer, trainerMethods, 'trainer'],
      [perceptron, perceptronMethods, 'perceptron'],
      [scorer, scorerMethods, 'scorer'],
    ]) {
      one.dispose();
      assert.equal(one.dispose(), undefined);
      for (const method of methods.filter((m: string) => m !== 'dispose'))
        assert.throws(() => one[method](good(`${prefix}.${method}`)), /disposed/);
    }
  },
  'a session does one job at a time': async () => {
    const { trainer, job } = busyTrainer();
    for (const method of trainerMethods.filter(m => m !== 'dispose'))
      assert.throws(() => (trainer as any)[method](good(`trainer.${method}`)), isBusy, method);
    await job;
    assert.ok(trainer.layout().length > 0);
    await trainer.step(good('trainer.step'));

    const perceptron: any = new (loadAddon().Perceptron)(samples.perceptronConfig());
    const scores = perceptron.score({ x: samples.rows(300_000) });
    for (const method of perceptronMethods.filter(m => m !== 'dispose'))
      assert.throws(() => perceptron[method](good(`perceptron.${method}`)), isBusy, method);
    assert.equal((await scores).length, 300_000);
    await perceptron.step(good('perceptron.step'));

    const scorer: any = new (loadAddon().Scorer)(samples.scorerConfig());
    const job2 = scorer.score({ events: samples.manyEvents(3000) });
    for (const method of scorerMethods.filter(m => m !== 'dispose'))
      assert.throws(() => scorer[method](good(`scorer.${method}`)), isBusy, method);
    assert.equal((await job2).length, 3000);
    assert.equal(scorer.scoreNow(good('scorer.scoreNow')).length, 2);
  },
  'a job that fails, and a call that is refused, leave the session free': async () => {
    const trainer = freshTrainer({ loss: 'clr' });
    const one = { ...stepOn(samples.events()), index: Int32Array.of(0) };
    await assert.rejects(trainer.step(one), error => code(error) === 'UNDEFINED');
    assert.throws(() => trainer.step({ ...one, rate: NaN }));
    assert.ok(Number.isFinite((await trainer.step(stepOn(samples.events()))).loss));
  },
  'dispose while a job runs lets it end': async () => {
    const events = samples.manyEvents(1000);
    const want = await freshTrainer().step(stepOn(events));
    const trainer = freshTrainer();
    const job = trainer.step(stepOn(events));
    trainer.dispose();
    trainer.dispose();
    assert.throws(() => trainer.weights(), /disposed/);
    assert.deepEqual(await job, want);
    assert.throws(() => trainer.weights(), /disposed/);

    const { Scorer } = loadAddon();
    const scores = await new Scorer(samples.scorerConfig()).score({ events });
    const scorer = new Scorer(samples.scorerConfig());
    const scoring = scorer.score({ events });
    scorer.dispose();
    assert.throws(() => scorer.scoreNow({ events }), /disposed/);
    globalThis.gc?.();
    assert.deepEqual(await scoring, scores);
  },
  'a session that nobody holds ends its job': async () => {
    const events = samples.manyEvents(1000);
    const want = await freshTrainer().step(stepOn(events));
    for (let round = 0; round < 2; round++) {
      const job = freshTrainer().step(stepOn(events));
      for (let i = 0; i < 5; i++) globalThis.gc?.();
      assert.deepEqual(await job, want);
      globalThis.gc?.();
    }
  },
  'what is done to the arguments while a job runs changes nothing': async () => {
    const all = calls();
    const trainer = freshTrainer();
    const addon = loadAddon();
    const many = samples.manyEvents(500);
    const jobs: [string, () => any, (a: any) => unknown][] = [
      ['step', () => stepOn(many, false), a => trainer.step(a)],
      ['embed', () => ({ events: many }), a => trainer.embed(a)],
      ['augment', () => ({ ...all['augment'].good(), events: many }), a => addon.augment(a)],
      ...[
        'trainer.gradients', 'trainer.reps', 'perceptron.gradients', 'perceptron.score', 'contrastiveLoss', 'prepare',
        'scorer.score', 'scorer.embed',
      ].map(name => [name, all[name].good, all[name].run] as [string, () => any, (a: any) => unknown]), // prettier-ignore
    ];
    const copied = (make: () => any): any => structuredClone(make());
    const arraysOf = (value: any): any[] =>
      ArrayBuffer.isView(value)
        ? [value]
        : typeof value === 'object' && value !== null
          ? Object.values(value).flatMap(arraysOf)
          : [];
    for (const [name, make, run] of jobs) {
      const want = await run(copied(make));
      const overwritten = copied(make);
      const job = run(overwritten);
      for (const array of arraysOf(overwritten)) array.fill(255);
      for (const key of Object.keys(overwritten)) delete overwritten[key];
      assert.deepEqual(await job, want, `${name}: overwritten`);
      const gone = copied(make);
      const other = run(gone);
      for (const array of arraysOf(gone)) detached(array);
      globalThis.gc?.();
      assert.deepEqual(await other, want, `${name}: detached`);
    }
    trainer.setWeights({ weights: trainer.weights() });
  },
  'weights and results are copies': async () => {
    const trainer = freshTrainer();
    const kept = trainer.weights().slice();
    trainer.weights().fill(7);
    trainer.state().m.fill(7);
    assert.deepEqual(trainer.weights(), kept);
    assert.equal(trainer.state().m[0], 0);
    const given = kept.slice();
    trainer.setWeights({ weights: given });
    given.fill(9);
    assert.deepEqual(trainer.weights(), kept);
  },
  'errors of getters come through': async () => {
    const thrown = new RangeError('mine');
    const fail = { get: () => { throw thrown; } }; // prettier-ignore
    for (const [name, call] of Object.entries(calls())) {
      for (const key of Object.keys(call.good())) {
        const argument = call.good();
        Object.defineProperty(argument, key, fail);
        const error = await Promise.resolve()
          .then(() => call.run(argument))
          .then(
            () => undefined,
            (e: unknown) => e,
          );
        if (!Array.isArray(argument) || key !== '0') assert.ok(error === thrown, `${name}.${key}`);
      }
      await assert.rejects(async () => call.run(new Proxy(call.good(), fail)));
      assert.equal(await outcome(() => call.run(call.good())), 'value');
    }
  },
  'getters that call back find the session busy': async () => {
    const trainer = freshTrainer();
    const events = samples.manyEvents(200);
    const scorer = new (loadAddon().Scorer)(samples.scorerConfig());
    const refusals: unknown[] = [];
    const attempt = (run: () => unknown): void => {
      try {
        refusals.push(run());
      } catch (error) {
        refusals.push(code(error));
      }
    };
    const nosy = (argument: any, key: string): any => {
      const value = argument[key];
      Object.defineProperty(argument, key, {
        get: () => {
          attempt(() => trainer.step(stepOn(events)));
          attempt(() => trainer.setWeights({ weights: new Float32Array(1) }));
          return value;
        },
      });
      return argument;
    };
    const weights = trainer.weights();
    await trainer.step(nosy(stepOn(events), 'update'));
    trainer.setWeights(nosy({ weights }, 'weights'));
    trainer.setState(nosy(trainer.state(), 'm'));
    trainer.setRecipe([[], [nosy(samples.recipe()[1][0], 'weight')], []]);
    await trainer.embed(nosy({ events }, 'events'));
    for (const method of ['score', 'scoreNow'] as const) {
      const argument = { get events() { attempt(() => scorer.scoreNow({ events })); return samples.events(); } }; // prettier-ignore
      assert.equal((await scorer[method](argument)).length, 5);
    }
    assert.deepEqual(
      refusals,
      refusals.map(() => 'BUSY'),
    );
    assert.ok(refusals.length >= 12);
  },
  'getters that dispose of the session or detach what was read': async () => {
    for (let round = 0; round < 2; round++) {
      const trainer = freshTrainer();
      const disposing = stepOn(samples.manyEvents(300));
      const { rate } = disposing;
      Object.defineProperty(disposing, 'rate', { get: () => (trainer.dispose(), globalThis.gc?.(), rate) });
      assert.equal(await outcome(() => trainer.step(disposing)), 'value');
      const scorer = new (loadAddon().Scorer)(samples.scorerConfig());
      const vanishing = { get events() { scorer.dispose(); globalThis.gc?.(); return samples.events(); } }; // prettier-ignore
      assert.equal(await outcome(() => (round === 0 ? scorer.scoreNow(vanishing) : scorer.score(vanishing))), 'value');
      // what was read first is gone when the rest is
      for (const [name, call] of Object.entries(calls())) {
        const first = call.good();
        const part = first.events ?? first;
        const keys = Object.keys(part);
        for (const key of keys) {
          const argument = call.good();
          const inner = argument.events ?? argument;
          const value = inner[key];
          Object.defineProperty(inner, key, {
            get: () => {
              for (const other of keys)
                if (other !== key && ArrayBuffer.isView(inner[other])) detached(inner[other] as Float32Array);
              globalThis.gc?.();
              return value;
            },
          });
          await outcome(() => call.run(argument));
        }
        if (first.index === undefined) continue;
        const argument = call.good();
        Object.defineProperty(argument, 'index', {
          get: () => {
            for (const array of Object.values(argument.events ?? { x: argument.x })) detached(array as Float32Array);
            globalThis.gc?.();
            return Int32Array.of(0, 1);
          },
        });
        assert.equal(await outcome(() => call.run(argument)), 'error', `${name}: events detached by a getter`);
      }
    }
  },
  'many sessions at once give what each gives alone': async () => {
    const events = samples.manyEvents(200);
    const want = await freshTrainer().step(stepOn(events));
    const sessions = Array.from({ length: 12 }, () => freshTrainer());
    const results = await Promise.all(sessions.map(one => one.step(stepOn(events))));
    for (const result of results) assert.deepEqual(result, want);
    const weights = sessions[0].weights();
    for (const one of sessions) assert.deepEqual(one.weights(), weights);
  },
  'threads may be changed while jobs run': async () => {
    const addon = loadAddon();
    const events = samples.manyEvents(300);
    const want = await freshTrainer().step(stepOn(events));
    const jobs = Array.from({ length: 6 }, () => freshTrainer().step(stepOn(events)));
    for (let i = 0; i < 20; i++) assert.equal(addon.setThreads(1 + (i % 4)), 1 + (i % 4));
    for (const result of await Promise.all(jobs)) assert.deepEqual(result, want);
  },
  'the process may end while a job runs': async () => {
    busyTrainer();
    process.stdout.write('done\n');
    process.exit(0);
  },
  'threads of Node.js load it too, and may be stopped while a job runs': async () => {
    const { file } = findAddon();
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      const addon = require(workerData.file);
      const trainer = new addon.Trainer(workerData.config);
      parentPort.postMessage('begun');
      (async () => { for (;;) parentPort.postMessage(await trainer.step(workerData.step)); })();`;
    const workerData = { file, config: samples.trainerConfig(), step: stepOn(samples.manyEvents(300)) };
    for (let round = 0; round < 6; round++) {
      const worker = new Worker(source, { eval: true, workerData });
      let messages = 0;
      await new Promise<void>((resolve, reject) => {
        worker.on('message', () => ++messages > round && resolve());
        worker.on('error', reject);
      });
      await worker.terminate();
    }
    assert.ok(Number.isFinite((await freshTrainer().step(stepOn(samples.events()))).loss));
  },
};
