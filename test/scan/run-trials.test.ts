import {
  type QueuedTrial,
  type RunningTrial,
  runTrials,
  type StartTrial,
  type TrialEnd,
} from '../../src/scan/run-trials.js';
import type { TrialNews } from '../../src/scan/trial.js';
import { requestOf } from './trials.js';

const request = requestOf();
const trial = (variant: string, run = variant): QueuedTrial => ({
  order: { request, variant, seed: 1, key: variant, out: 'out', version: '1' },
  run,
});

/** Trials that end when they are told to. */
function held() {
  const open = new Map<string, { end: (how: TrialEnd) => void; hear: (news: TrialNews) => void; stopped: boolean }>();
  const start: StartTrial = ({ variant }, hear): RunningTrial => {
    let end: (how: TrialEnd) => void = () => undefined;
    const ended = new Promise<TrialEnd>(resolve => (end = resolve));
    const one = { end: (how: TrialEnd) => (open.delete(variant), end(how)), hear, stopped: false };
    open.set(variant, one);
    return { stop: () => void (one.stopped = true), ended };
  };
  const settle = () => new Promise(resolve => setImmediate(resolve));
  return { open, start, settle, running: () => [...open.keys()] };
}

test('so many at once, and never two of one run', async () => {
  const { open, start, settle, running } = held();
  const queue = [trial('a', 'run1'), trial('b', 'run1'), trial('c'), trial('d')];
  const progress: number[] = [];
  const done = runTrials(queue, 3, { progress: share => progress.push(share) }, start);
  await settle();
  expect(running()).toEqual(['a', 'c', 'd']);
  open.get('a')?.hear({ kind: 'progress', share: 0.5 });
  open.get('c')?.end({ kind: 'done' });
  await settle();
  expect(running()).toEqual(['a', 'd']);
  open.get('a')?.end({ kind: 'done' });
  await settle();
  expect(running()).toEqual(['d', 'b']);
  for (const name of ['b', 'd']) open.get(name)?.end({ kind: 'done' });
  expect(await done).toEqual([]);
  expect(progress).toEqual([0.5, 1.5, 2, 3, 4]);
});

test('a failure is told, a warning once, and the rest goes on', async () => {
  const { open, start, settle } = held();
  const warnings: string[] = [];
  const done = runTrials([trial('a'), trial('b'), trial('c')], 2, { warn: line => warnings.push(line) }, start);
  await settle();
  for (const name of ['a', 'b']) open.get(name)?.hear({ kind: 'warning', line: '3 bad events were left out' });
  open.get('a')?.end({ kind: 'failed', message: 'no' });
  open.get('b')?.end({ kind: 'stopped' });
  await settle();
  open.get('c')?.end({ kind: 'done' });
  expect((await done).map(({ trial: { order }, message }) => [order.variant, message])).toEqual([
    ['a', 'no'],
    ['b', 'was stopped'],
  ]);
  expect(warnings).toEqual(['3 bad events were left out']);
});

test('when it is asked to stop, all under way are, and none begins', async () => {
  const { open, start, settle, running } = held();
  const controller = new AbortController();
  const done = runTrials([trial('a'), trial('b'), trial('c')], 2, { signal: controller.signal }, start);
  await settle();
  controller.abort();
  expect([...open.values()].map(({ stopped }) => stopped)).toEqual([true, true]);
  for (const name of ['a', 'b']) open.get(name)?.end({ kind: 'stopped' });
  expect(await done).toEqual([]);
  expect(running()).toEqual([]);
});
