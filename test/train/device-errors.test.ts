import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DeviceError } from '../../src/errors.js';
import { loadCheckpoint } from '../../src/model/checkpoint.js';
import { encoderLayout } from '../../src/model/layout.js';
import { smallEncoder, trainWith } from '../support/training.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'aclr-device-errors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const saved = async (run: string) => (await loadCheckpoint(run, encoderLayout(smallEncoder)))?.progress.step;

/** Trains on a device that fails at a step, leaving the model as it was. */
const failing = (run: string, at: number, error: Error) =>
  trainWith(
    run,
    model => {
      let step = 0;
      return { ...model, step: request => (++step === at ? Promise.reject(error) : model.step(request)) };
    },
    2,
  );

test.each([1, 3, 11])(
  'too little memory at step %d: a checkpoint of the step before, from which a run goes on',
  async at => {
    const run = path.join(folder, `memory-${at}`);
    const whole = await trainWith(path.join(folder, `whole-${at}`), model => model, 2);
    const error = await failing(run, at, new DeviceError('OUT_OF_MEMORY', 'the GPU has 3 MB left')).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(DeviceError);
    const { message } = error as DeviceError;
    expect(message).toMatch(
      new RegExp(
        `^training stopped after step ${at - 1}: the GPU has 3 MB left; .*--batch below 32.*--resume from step ${at - 1} `,
      ),
    );
    expect(message).not.toContain('\n');
    expect(await saved(run)).toBe(at - 1);
    const resumed = await trainWith(run, model => model, 2);
    expect(resumed.weights).toEqual(whole.weights);
    expect(resumed.steps).toBe(whole.steps);
  },
);

test('a lost device: the last checkpoint is named, and none is written', async () => {
  const run = path.join(folder, 'lost');
  const lost = new DeviceError('DEVICE_LOST', 'the GPU does not answer');
  await expect(failing(run, 7, lost)).rejects.toThrow(
    /^training stopped after step 6: the GPU does not answer; the last good checkpoint is of step 4 \(.*\); the same command with --resume goes on from there$/,
  );
  expect(await saved(run)).toBe(4);
  await expect(failing(path.join(folder, 'early'), 2, lost)).rejects.toThrow(
    /^training stopped after step 1: the GPU does not answer; there is no checkpoint yet$/,
  );
  expect(await saved(path.join(folder, 'early'))).toBeUndefined();
});

test('too little memory for the validation: the epoch ends once there is', async () => {
  const [run, out] = [path.join(folder, 'validation'), new DeviceError('OUT_OF_MEMORY', 'no memory')];
  const whole = await trainWith(path.join(folder, 'whole-validation'), model => model, 2);
  const failed = trainWith(run, model => ({ ...model, loss: () => Promise.reject(out) }), 2);
  await expect(failed).rejects.toThrow(/^training stopped after step 18: no memory; .*--resume from step 18 /);
  const resumed = await trainWith(run, model => model, 2);
  expect(resumed.weights).toEqual(whole.weights);
});

test('too little memory to read the weights back: the last checkpoint stands', async () => {
  let reads = 0;
  const failed = trainWith(
    path.join(folder, 'reading'),
    model => ({
      ...model,
      weights: () => {
        if (++reads > 1) throw new DeviceError('OUT_OF_MEMORY', 'no memory');
        return model.weights();
      },
    }),
    2,
  );
  await expect(failed).rejects.toThrow(
    /^training stopped after step 8: no memory; the last good checkpoint is of step 4 /,
  );
});

test('other errors come as they are', async () => {
  const other = new TypeError('a mistake of ours');
  await expect(failing(path.join(folder, 'other'), 2, other)).rejects.toBe(other);
});
