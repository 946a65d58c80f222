import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadCheckpoint } from '../../src/model/checkpoint.js';
import { encoderLayout } from '../../src/model/layout.js';
import { smallEncoder, trainWith as train } from '../support/training.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'aclr-diverge-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Trains with a model whose loss is what `spoil` makes of the step's number and its loss. */
const trainWith = (name: string, spoil: (step: number, loss: number) => number) =>
  train(path.join(folder, name), model => {
    let step = 0;
    return {
      ...model,
      async step(request) {
        const result = await model.step(request);
        return { ...result, loss: spoil(++step, result.loss) };
      },
    };
  });

test.each([NaN, Infinity])(
  'a loss of %d stops the run with the step, the last good checkpoint and a hint',
  async bad => {
    await expect(trainWith(`bad${bad}`, (step, loss) => (step === 11 ? bad : loss))).rejects.toThrow(
      /training stopped at step 11: the loss is (NaN|Infinity); the last good checkpoint is of step 8 .*--learning-rate/,
    );
    const checkpoint = await loadCheckpoint(path.join(folder, `bad${bad}`), encoderLayout(smallEncoder));
    expect(checkpoint?.progress.step).toBe(8);
    expect(checkpoint?.weights.every(Number.isFinite)).toBe(true);
  },
);

test('a loss that rises and rises stops the run', async () => {
  await expect(trainWith('rises', (step, loss) => loss + step)).rejects.toThrow(/the loss diverges, it rose from/);
});

test('an undisturbed run goes to its end and logs every step and epoch', async () => {
  const { steps, epochs } = await trainWith('good', (_, loss) => loss);
  expect([steps, epochs]).toEqual([360, 20]);
  const lines = readFileSync(path.join(folder, 'good', 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  expect(lines.filter(line => line.kind === 'step').map(line => line.step)).toEqual(
    Array.from({ length: 360 }, (_, i) => i + 1),
  );
  const validation = lines.filter(line => line.kind === 'epoch').map(line => line.validationLoss);
  expect(validation).toHaveLength(20);
  expect(validation[19]).toBeLessThan(validation[0]);
});
