import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { lockRun } from '../../src/scan/run-lock.js';
import { temporaryFolder } from '../read/craft.js';

const at = temporaryFolder();

test('a run is of one at a time, and free when it is given back', async () => {
  const run = at('runs/a');
  const giveBack = await lockRun(run);
  const order: string[] = [];
  const second = lockRun(run).then(free => (order.push('second'), free));
  await new Promise(resolve => setTimeout(resolve, 300));
  order.push('given back');
  await giveBack();
  const free = await second;
  expect(order).toEqual(['given back', 'second']);
  await lockRun(at('runs/b')).then(other => other()); // another run is free meanwhile
  await free();
  expect(readdirSync(at('runs'))).toEqual([]);
});

test('a process that is gone holds nothing', async () => {
  const giveBack = await lockRun(at('dead/a'));
  const [name] = readdirSync(at('dead'));
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  const left = at(path.join('dead', name.replace(`.${process.pid}-`, `.${pid}-`)));
  renameSync(at(path.join('dead', name)), left);
  const again = await lockRun(at('dead/a'));
  expect(existsSync(left)).toBe(false);
  await again();
  await giveBack();
});

test('who waits can be stopped', async () => {
  const giveBack = await lockRun(at('stop/a'));
  await expect(lockRun(at('stop/a'), AbortSignal.abort())).rejects.toThrow('stopped; the same command goes on');
  await giveBack();
});
