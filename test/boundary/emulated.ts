import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadAddon, type NativeTrainer } from '../../src/addon.js';
import { parseOptions } from '../../src/config/parse.js';
import { DeviceError } from '../../src/errors.js';
import { train } from '../../src/train/run.js';
import { sample } from '../support/cli.js';
import { builtLibrary } from '../support/device.js';
import type { Scenarios } from './child.js';
import * as samples from './samples.js';

/** A GPU that the CPU plays: what goes wrong there is what its environment says. */
export const emulated = builtLibrary('anomalyclr_cuda');
const cuda = { device: 'cuda', library: emulated } as const;

const set = (what: string, value: string | number): void => {
  process.env[`ANOMALYCLR_EMULATED_${what}`] = String(value);
};
const unset = (what: string): void => {
  delete process.env[`ANOMALYCLR_EMULATED_${what}`];
};
/** The code of what a call throws, in one line; undefined where it gives a result. */
async function codeOf(run: () => unknown): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    assert.ok(message.length > 0 && !message.includes('\n'), message);
    return code ?? `none: ${message}`;
  }
}

const request = (count: number, epoch: number) => ({
  events: samples.manyEvents(count), index: Int32Array.from({ length: count }, (_, i) => i), seed: 1, epoch, rate: 1e-3,
  update: true,
}); // prettier-ignore
function freshTrainer(): NativeTrainer {
  const trainer = new (loadAddon().Trainer)({ ...samples.trainerConfig(), ...cuda });
  trainer.setWeights({ weights: samples.someWeights(595) });
  trainer.setRecipe(samples.recipe());
  return trainer;
}
const stateOf = (trainer: NativeTrainer): unknown => [trainer.weights(), trainer.state()];

// of this seed a held-back batch has more objects than any that is trained on
const options = {
  seed: '2', background: [sample('background_train')],
  maxEvents: '200', epochs: '2', batch: '30', width: '4', heads: '1', layers: '1', feedForward: '4', output: '4',
  headLayers: '1', patience: '0', checkpointEvery: '3', detectorEpochs: '1', bottleneck: '2', comparators: false,
  threads: '1', device: 'cuda',
}; // prettier-ignore

/** Trains in a folder; `at` is called once a step with its number. */
async function trainIn(out: string, at: (step: number) => unknown, resume = false): Promise<Buffer> {
  process.env['ANOMALYCLR_CUDA_LIBRARY'] = emulated;
  const progress = ({ label }: { label: string }) => ({
    update: (events: number) => void (label.startsWith('encoder') && at(events / 30)),
    stop: () => undefined,
  });
  await train(parseOptions('train', { ...options, out, resume }), '0', { progress });
  return readFileSync(path.join(out, 'encoder.safetensors'));
}

export const scenarios: Scenarios = {
  'a machine without a GPU, and one with an old driver, are told': async () => {
    const addon = loadAddon();
    const why = (): string => {
      const found = addon.device({ library: emulated });
      assert.ok(!found.available && !found.why.includes('\n'));
      return found.why;
    };
    set('DEVICES', 0);
    assert.match(why(), /GPU|device/);
    assert.ok((await codeOf(freshTrainer)) !== undefined);
    unset('DEVICES');
    set('DRIVER', 12040);
    assert.match(why(), /driver/);
    unset('DRIVER');
    set('DEVICES', 2);
    assert.ok(addon.device({ library: emulated, deviceIndex: 1 }).available);
    assert.ok(!addon.device({ library: emulated, deviceIndex: 2 }).available);
    unset('DEVICES');
    assert.ok(addon.device({ library: emulated }).available);
  },
  'too little memory at any place: the session is as it was, and goes on bit for bit': async () => {
    const [undisturbed, want] = [freshTrainer(), [] as unknown[]];
    for (const [count, epoch] of [[6, 0], [40, 1]] as const) want.push(await undisturbed.step(request(count, epoch)));
    const trainer = freshTrainer();
    let failures = 0;
    for (const [i, [count, epoch]] of ([[6, 0], [40, 1]] as const).entries()) {
      const before = stateOf(trainer);
      for (let k = 1; ; k++) {
        set('FAIL_MALLOC', k);
        let result: unknown;
        const code = await codeOf(async () => (result = await trainer.step(request(count, epoch))));
        unset('FAIL_MALLOC');
        if (code === undefined) {
          assert.deepEqual(result, want[i]);
          break;
        }
        assert.equal(code, 'OUT_OF_MEMORY');
        failures++;
        assert.deepEqual(stateOf(trainer), before, `allocation ${k} of step ${i}`);
        assert.ok(k < 500);
      }
    }
    assert.ok(failures >= 4, `${failures} allocations only`);
    assert.deepEqual(stateOf(trainer), stateOf(undisturbed));
  }, // prettier-ignore
  'too little memory for a session: none is made, and the next is': async () => {
    const addon: any = loadAddon();
    const made: [string, object][] = [
      ['Trainer', samples.trainerConfig()],
      ['Perceptron', samples.perceptronConfig()],
      ['Scorer', samples.scorerConfig()],
    ];
    for (const [name, config] of made) {
      let failures = 0;
      for (let k = 1; k < 500; k++) {
        set('FAIL_MALLOC', k);
        const code = await codeOf(() => new addon[name]({ ...config, ...cuda }).dispose());
        unset('FAIL_MALLOC');
        if (code === undefined) break;
        assert.equal(code, 'OUT_OF_MEMORY', `${name}, allocation ${k}`);
        failures++;
      }
      assert.ok(failures > 0 && failures < 400, `${name}: ${failures}`);
    }
  },
  'a lost device: every call says so, until sessions are made anew': async () => {
    const addon: any = loadAddon();
    const [trainer, want] = [freshTrainer(), await freshTrainer().step(request(6, 0))];
    const scorer = new addon.Scorer({ ...samples.scorerConfig(), ...cuda });
    set('LOST', 3);
    assert.equal(await codeOf(() => trainer.step(request(6, 0))), 'DEVICE_LOST');
    for (const call of [
      () => trainer.step(request(6, 0)), () => trainer.weights(), () => trainer.state(), () => trainer.embed(request(3, 0)),
      () => scorer.score({ events: samples.events() }), () => scorer.scoreNow({ events: samples.events() }),
      freshTrainer,
    ])
      assert.equal(await codeOf(call), 'DEVICE_LOST'); // prettier-ignore
    trainer.dispose();
    scorer.dispose();
    unset('LOST');
    assert.deepEqual(await freshTrainer().step(request(6, 0)), want);
  },
  'a training that loses its GPU, or its memory, goes on from a checkpoint to the same end': async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'emulated-'));
    const whole = await trainIn(path.join(folder, 'whole'), () => undefined);
    const cases = [
      ['LOST', 'DEVICE_LOST', /^training stopped after step 5: .*; the last good checkpoint is of step 3 .*--resume/],
      ['FAIL_MALLOC', 'OUT_OF_MEMORY', /^training stopped after step 6: .*--batch below 30.*--resume from step 6 /],
    ] as const;
    for (const [what, code, message] of cases) {
      const out = path.join(folder, what);
      // memory of the steps is there by then, that of the validation is not
      const failed = trainIn(out, step => step === 5 && set(what, 1));
      await assert.rejects(failed, (error: unknown) => {
        assert.ok(error instanceof DeviceError && error.code === code, String(error));
        assert.match(error.message, message);
        return true;
      });
      unset(what);
      assert.deepEqual(await trainIn(out, () => undefined, true), whole);
    }
    rmSync(folder, { recursive: true });
  },
  'sessions at once do not disturb each other': async () => {
    const addon: any = loadAddon();
    const scorer = new addon.Scorer({ ...samples.scorerConfig(), ...cuda });
    const many = samples.manyEvents(60);
    const recipe = samples.recipe();
    const alone = [];
    for (let i = 0; i < 3; i++) alone.push(await freshTrainer().step(request(20 + i, i)));
    const scores = await scorer.score({ events: many });
    const view = await addon.augment({ events: many, recipe, view: 2, seed: 1, epoch: 0, ...cuda });
    for (let round = 0; round < 3; round++) {
      const trainers = [0, 1, 2].map(freshTrainer);
      const together = await Promise.all([
        ...trainers.map((trainer, i) => trainer.step(request(20 + i, i))),
        scorer.score({ events: many }),
        addon.augment({ events: many, recipe, view: 2, seed: 1, epoch: 0, ...cuda }),
      ]);
      assert.deepEqual(together, [...alone, scores, view]);
      for (const trainer of trainers) trainer.dispose();
    }
  },
};
