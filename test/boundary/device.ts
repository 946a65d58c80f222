import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadAddon, type NativePlace } from '../../src/addon.js';
import { addonOn, builtLibrary as built, cudaLibrary, fake } from '../support/device.js';
import { calls } from './calls.js';
import type { Scenarios } from './child.js';
import { array, object, text, told, whole } from './fields.js';
import { fuzz } from './fuzz.js';
import * as samples from './samples.js';
import { meet, outcome, refused } from './wrong-arguments.js';

const cuda = { device: 'cuda', library: fake } as const;
const onCuda = { device: 'cuda', library: cudaLibrary } as const;

/** Calls that reach a device. */
function callsOn(place: NativePlace): ReturnType<typeof calls> {
  const all = calls(addonOn(place));
  const there = /^(augment(Now)?$|contrastiveLoss|new |trainer\.|perceptron\.|scorer\.)/;
  return Object.fromEntries(Object.entries(all).filter(([name]) => there.test(name)));
}

const codeOf = async (run: () => unknown): Promise<unknown> => {
  try {
    await run();
    return 'value';
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    assert.ok(message.length > 0 && !message.includes('\n'), message);
    return code;
  }
};
const codes = ['INVALID_ARGUMENT', 'UNDEFINED', 'OUT_OF_MEMORY', 'DEVICE_LOST', 'PEER_LOST', 'FAILED'];

/** Where the library is built; test/engine/cuda.test.ts says so where not. */
const onLibrary: Scenarios = {
  'every call on a GPU, or one that the CPU plays: wrong types, lengths and ranges': async () => {
    for (const call of Object.values(callsOn(onCuda))) await meet(call);
  },
  'random arguments on a GPU, or one that the CPU plays, are refused or give a result': () =>
    fuzz(callsOn(onCuda), 1500),
};

export const scenarios: Scenarios = {
  ...(existsSync(cudaLibrary) ? onLibrary : {}),
  'device tells what there is, or in one line why not': async () => {
    const addon = loadAddon();
    const found = addon.device({ library: fake });
    assert.ok(found.available && found.emulated && found.memory > found.memoryFree);
    assert.deepEqual([found.name, found.capability, found.driver, found.dense], ['Fake', 90, 13000, 'no kernels']);
    const second = addon.device({ library: fake, deviceIndex: 1 });
    assert.ok(second.available && second.name === 'x'.repeat(256));
    const folder = mkdtempSync(path.join(tmpdir(), 'device-'));
    const file = path.join(folder, 'text_emulated.so');
    writeFileSync(file, 'no library');
    const bad: [string, number, RegExp][] = [
      [fake, 2, /driver is of CUDA 12\.2.*install/],
      [fake, 3, /no such device/],
      [built('fake_other_abi'), 0, /ABI.*build:cuda/],
      [built('fake_other_size'), 0, /table.*build:cuda/],
      [built('fake_no_symbol'), 0, /no CUDA library.*build:cuda/],
      [file, 0, /does not load/],
      [folder, 0, /not built.*build:cuda/],
      ['', 0, /not built.*build:cuda/],
    ];
    for (const [library, deviceIndex, why] of bad) {
      const told = addon.device({ library, deviceIndex });
      assert.ok(!told.available && !told.why.includes('\n'));
      assert.match(told.why, why);
    }
    rmSync(folder, { recursive: true });
  },
  'device and deviceGroup: wrong types and ranges': async () => {
    const addon: any = loadAddon();
    const good = { library: fake, deviceIndex: 0 };
    const noText = text.wrong('').filter(value => typeof value !== 'string');
    for (const name of ['device', 'deviceGroup']) {
      await refused('nothing', () => addon[name]());
      for (const wrong of object.wrong({})) await refused(told(wrong), () => addon[name](wrong));
      for (const library of noText) await refused(told(library), () => addon[name]({ ...good, library }));
    }
    for (const deviceIndex of whole(0, 1023, true).wrong(0))
      if (deviceIndex !== undefined) await refused(told(deviceIndex), () => addon.device({ ...good, deviceIndex }));
    assert.deepEqual(
      addon.deviceGroup({ library: fake }),
      Uint8Array.from({ length: 128 }, (_, i) => i),
    );
    assert.equal(await codeOf(() => addon.deviceGroup({ library: built('fake_no_symbol') })), 'UNAVAILABLE');
  },
  'places and ranks that there are not': async () => {
    const addon: any = loadAddon();
    const made: [string, () => any][] = [
      ['Trainer', () => samples.trainerConfig()],
      ['Perceptron', () => samples.perceptronConfig()],
      ['Scorer', () => samples.scorerConfig()],
    ];
    for (const [name, config] of made) {
      const make = (more: object) => () => new addon[name]({ ...config(), ...more }).dispose();
      assert.equal(await outcome(make(cuda)), 'value');
      assert.equal(await outcome(make({ device: 'cpu', library: 7 })), 'value'); // not looked at
      for (const device of [null, 0, 'gpu', 'CUDA', '', {}, ['cuda']])
        await refused(told(device), make({ ...cuda, device }));
      for (const library of [undefined, null, 1, {}]) await refused(told(library), make({ ...cuda, library }));
      for (const deviceIndex of [-1, 0.5, NaN, 1024, '0', null])
        await refused(told(deviceIndex), make({ ...cuda, deviceIndex }));
      for (const library of ['', built('fake_other_abi'), built('fake_no_symbol')])
        assert.equal(await codeOf(make({ ...cuda, library })), 'UNAVAILABLE');
      for (const [i, code] of codes.entries())
        assert.equal(await codeOf(make({ ...cuda, deviceIndex: 11 + i })), code, `${name} ${code}`);
    }
    const train = (ranks: unknown) => () => new addon.Trainer({ ...samples.trainerConfig(), ...cuda, ranks }).dispose();
    const group = new Uint8Array(128);
    assert.equal(await outcome(train({ rank: 1, ranks: 2, group })), 'value');
    assert.equal(await outcome(train({ rank: 0, ranks: 1 })), 'value');
    for (const wrong of [null, 1, 'x', { rank: 2, ranks: 2, group }, { rank: -1, ranks: 2, group }, { rank: 0, ranks: 2 },
      { rank: 0, ranks: 0 }, { rank: 0, ranks: 2, group: new Uint8Array(127) }, { rank: 0, ranks: 2, group: [1] }])
      await refused(told(wrong), train(wrong)); // prettier-ignore
  },
  'a failure of a device has a code, and leaves the session': async () => {
    const addon: any = loadAddon();
    const trainer = new addon.Trainer({ ...samples.trainerConfig(), ...cuda });
    const perceptron = new addon.Perceptron({ ...samples.perceptronConfig(), ...cuda });
    const all = calls();
    for (const [i, code] of codes.entries())
      for (const rate of [11 + i, 21 + i]) {
        assert.equal(await codeOf(() => trainer.step({ ...all['trainer.step'].good(), rate })), code);
        assert.equal(await codeOf(() => trainer.stepOnViews({ ...all['trainer.stepOnViews'].good(), rate })), code);
        assert.equal(await codeOf(() => perceptron.step({ ...all['perceptron.step'].good(), rate })), code);
        assert.equal(await codeOf(() => addon.augment({ ...all['augment'].good(), ...cuda, seed: rate })), code);
        for (const name of ['contrastiveLoss', 'contrastiveLossNow'])
          assert.equal(await codeOf(() => addon[name]({ ...all[name].good(), ...cuda, temperature: rate })), code);
      }
    const { loss } = await trainer.step(all['trainer.step'].good());
    assert.ok(loss > 3000); // the fake adds 1000 an event
    assert.equal(trainer.state().steps, 1);
  },
  'a share of a batch says where it stands': async () => {
    const addon: any = loadAddon();
    const trainer = new addon.Trainer({ ...samples.trainerConfig(), ...cuda });
    const good = calls()['trainer.step'].good();
    const whole = await trainer.step(good);
    const share = await trainer.step({ ...good, first: 4, total: 10 });
    assert.ok(Math.abs(share.loss - whole.loss - 7004) < 1e-6);
    for (const wrong of [{ first: 8, total: 10 }, { first: -1, total: 10 }, { first: 0, total: 2 }, { first: 0.5, total: 9 },
      { first: 0, total: 'x' }, { total: 10 }])
      await refused(told(wrong), () => trainer.step({ ...good, ...wrong })); // prettier-ignore
  },
  'every call on a device: wrong types, lengths and ranges': async () => {
    const on = callsOn(cuda);
    assert.ok(Object.keys(on).length >= 20);
    for (const call of Object.values(on)) await meet(call);
  },
  'random arguments on a device are refused or give a result': () => fuzz(callsOn(cuda), 6000),
  'what a session on a device is given and gives are copies': async () => {
    const addon: any = loadAddon();
    const trainer = new addon.Trainer({ ...samples.trainerConfig(), ...cuda });
    const weights = samples.someWeights(trainer.weights().length);
    trainer.setWeights({ weights });
    const kept = weights.slice();
    weights.fill(7);
    trainer.weights().fill(8);
    assert.deepEqual(trainer.weights(), kept);
    const events = samples.manyEvents(50);
    const job = trainer.embed({ events });
    for (const column of [events.pt, events.eta, events.phi])
      structuredClone(column.buffer, { transfer: [column.buffer as ArrayBuffer] });
    trainer.dispose();
    assert.equal((await job).length, 50 * 18);
    assert.throws(() => trainer.weights(), /disposed/);
  },
  'arrays of a device session are of its precision': async () => {
    const addon: any = loadAddon();
    const doubles = new addon.Trainer({ ...samples.trainerConfig({ precision: 'f64' }), ...cuda });
    assert.ok(doubles.weights() instanceof Float64Array);
    for (const wrong of array(Float64Array, 'exact').wrong(doubles.weights()))
      await refused(told(wrong), () => doubles.setWeights({ weights: wrong }));
    const bf16 = new addon.Trainer({ ...samples.trainerConfig({ precision: 'bf16' }), ...cuda });
    assert.ok(bf16.weights() instanceof Float32Array);
    await refused('bf16', () => new addon.Perceptron({ ...samples.perceptronConfig(), precision: 'bf16', ...cuda }));
  },
};
