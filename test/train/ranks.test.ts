import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { readSafetensors } from '../../src/model/safetensors.js';
import { cli, smallTraining, start, type Finished } from '../support/cli.js';
import { builtLibrary } from '../support/device.js';
import { freePort } from '../support/free-port.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'aclr-ranks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (...parts: string[]): string => path.join(folder, ...parts);

/** Rounding alone keeps two ranks from one: in f64 it stays small over 51 steps. A batch of 63 is not halved evenly. */
const training = [...smallTraining, '--precision', 'f64', '--batch', '63', '--threads', '1'];

const playedLibrary = builtLibrary('anomalyclr_cuda');

/** Starts ranks as a launcher does; each has a folder of its own, as on machines that share none. */
async function launch(
  ranks: number,
  run: string,
  args: readonly string[] = training,
  further: (rank: number) => string[] = () => [],
  environment: Record<string, string> = {},
): Promise<{ children: ChildProcess[]; finished: Promise<Finished[]> }> {
  const place = { WORLD_SIZE: String(ranks), MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(await freePort()) };
  const started = Array.from({ length: ranks }, (_, rank) =>
    start(['train', ...args, '--out', at(rank === 0 ? run : `${run}-rank-${rank}`), ...further(rank)], {
      ...place,
      ...environment,
      RANK: String(rank),
    }),
  );
  return {
    children: started.map(({ child }) => child),
    finished: Promise.all(started.map(({ finished }) => finished)),
  };
}

const codes = (finished: readonly Finished[]): unknown[] => finished.map(({ code, signal }) => code ?? signal);

/** Steps that a run has logged. */
function steps(run: string): number {
  const file = at(run, 'metrics.jsonl');
  return existsSync(file) ? (readFileSync(file, 'utf8').match(/"kind":"step"/g) ?? []).length : 0;
}

async function reaches(run: string, step: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null && steps(run) < step) await new Promise(resolve => setTimeout(resolve, 2));
}

/** Largest difference between the encoders of two runs, of order 1 as weights are. */
async function distance(one: string, other: string): Promise<number> {
  const [a, b] = await Promise.all([one, other].map(run => readSafetensors(at(run, 'encoder.safetensors'))));
  let most = 0;
  expect([...a.tensors.keys()]).toEqual([...b.tensors.keys()]);
  for (const [name, { data }] of a.tensors) {
    const wanted = b.tensors.get(name)?.data ?? [];
    expect(data.length).toBe(wanted.length);
    data.forEach((value, i) => (most = Math.max(most, Math.abs(Number(value) - Number(wanted[i])))));
  }
  return most;
}

const logged = (run: string): Record<string, unknown>[] =>
  readFileSync(at(run, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>);

describe('several processes', () => {
  beforeAll(async () => {
    const { code, stderr } = await cli(['train', ...training, '--out', at('one')]);
    expect([code, stderr]).toEqual([0, '']);
  });

  test('two train as one does: the same weights and losses to rounding; rank 0 alone writes', async () => {
    const { finished } = await launch(2, 'two');
    const ranks = await finished;
    expect(ranks.map(({ stderr }) => stderr)).toEqual(['', '']);
    expect(codes(ranks)).toEqual([0, 0]);
    expect(existsSync(at('two', 'report.html'))).toBe(true);
    expect(existsSync(at('two-rank-1'))).toBe(false);
    expect(await distance('two', 'one')).toBeLessThan(1e-9);
    const [two, one] = [logged('two'), logged('one')];
    expect(two.map(({ kind }) => kind)).toEqual(one.map(({ kind }) => kind));
    for (const [i, entry] of one.entries())
      for (const name of ['loss', 'gradientNorm', 'trainingLoss', 'validationLoss'])
        if (entry[name] !== undefined) expect(two[i][name]).toBeCloseTo(entry[name] as number, 6);
    expect(JSON.parse(readFileSync(at('two', 'provenance.json'), 'utf8'))).toMatchObject({
      engine: expect.stringMatching(/, 2 ranks$/) as unknown,
    });
  });

  test('a rank that is killed ends all; one process goes on from the checkpoint of the last whole step', async () => {
    const { children, finished } = await launch(2, 'killed');
    await reaches('killed', 12, children[0]);
    children[1].kill('SIGKILL');
    const ranks = await finished;
    expect(codes(ranks)).toEqual([1, 'SIGKILL']);
    const [line, ...more] = ranks[0].stderr.trim().split('\n');
    expect(more).toEqual([]);
    expect(line).toMatch(
      /training stopped at step (\d+): rank 1 went away; the last good checkpoint is of step \d+ \(/,
    );
    const [, stopped, saved] = /at step (\d+):.* of step (\d+) /.exec(line) ?? [];
    expect(Number(saved)).toBe(Number(stopped) - 1);
    const resumed = await cli(['train', ...training, '--out', at('killed'), '--resume']);
    expect([resumed.code, resumed.stderr]).toEqual([0, '']);
    expect(await distance('killed', 'one')).toBeLessThan(1e-9);
  });

  test('Ctrl-C on a rank stops all with a checkpoint, and two go on', async () => {
    const { children, finished } = await launch(2, 'stopped');
    await reaches('stopped', 7, children[0]);
    children[1].kill('SIGINT');
    const ranks = await finished;
    expect(codes(ranks)).toEqual([1, 1]);
    const said = ranks.map(({ stderr }) =>
      /stopped after step (\d+); the same command with --resume goes on/.exec(stderr),
    );
    expect(said[0]?.[1]).toBeDefined();
    expect(said[1]?.[1]).toBe(said[0]?.[1]);
    const again = await (await launch(2, 'stopped', [...training, '--resume'])).finished;
    expect(again.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ''],
      [0, ''],
    ]);
    expect(await distance('stopped', 'one')).toBeLessThan(1e-9);
    expect(existsSync(at('stopped-rank-1'))).toBe(false);
  });

  test('where rank 0 is killed, the others say so and end', async () => {
    const { children, finished } = await launch(3, 'headless');
    await reaches('headless', 3, children[0]);
    children[0].kill('SIGKILL');
    const ranks = await finished;
    expect(codes(ranks)).toEqual(['SIGKILL', 1, 1]);
    for (const { stderr } of ranks.slice(1)) expect(stderr.trim()).toMatch(/^anomalyclr: .*rank 0 went away; [^\n]*$/);
  });

  // Of one GPU NCCL makes no group, so these are for GPUs that the CPU plays.
  const onGpus = existsSync(playedLibrary) ? test : test.skip;
  const gpus = { ANOMALYCLR_CUDA_LIBRARY: playedLibrary, LOCAL_RANK: '0', ANOMALYCLR_EMULATED_NCCL_TIMEOUT: '20' };
  const cuda = [...training, '--device', 'cuda'];

  onGpus('two GPUs train as one process on the CPU does', async () => {
    const ranks = await (await launch(2, 'gpus', cuda, undefined, gpus)).finished;
    expect(ranks.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ''],
      [0, ''],
    ]);
    expect(await distance('gpus', 'one')).toBeLessThan(1e-9);
  });

  onGpus('a GPU whose process is killed ends all; one process goes on from the last checkpoint', async () => {
    const { children, finished } = await launch(2, 'gpu-killed', [...cuda, '--checkpoint-every', '4'], undefined, gpus);
    await reaches('gpu-killed', 12, children[0]);
    children[1].kill('SIGKILL');
    const ranks = await finished;
    expect(codes(ranks)).toEqual([1, 'SIGKILL']);
    expect(ranks[0].stderr.trim()).toMatch(/^anomalyclr: [^\n]*checkpoint[^\n]*$/);
    const resumed = await cli(['train', ...training, '--checkpoint-every', '4', '--out', at('gpu-killed'), '--resume']);
    expect([resumed.code, resumed.stderr]).toEqual([0, '']);
    expect(await distance('gpu-killed', 'one')).toBeLessThan(1e-9);
  });

  test('other options on a rank are refused by name, on all', async () => {
    const { finished } = await launch(2, 'unlike', training, rank => (rank === 1 ? ['--temperature', '0.2'] : []));
    for (const { code, stderr } of await finished) {
      expect(code).toBe(1);
      expect(stderr.trim()).toMatch(
        /^anomalyclr: [^\n]*rank 1 has temperature = 0.2, rank 0 0.1; all ranks take the same/,
      );
    }
  });

  test('a folder in use ends all, not rank 0 alone', async () => {
    const ranks = await (await launch(2, 'one')).finished;
    expect(codes(ranks)).toEqual([2, 1]);
    expect(ranks[0].stderr).toContain('already holds something');
    expect(ranks[1].stderr.trim()).toMatch(/^anomalyclr: rank 0 stopped: [^\n]*already holds something[^\n]*$/);
  });

  test('an engine that cannot share a training says so', async () => {
    const args = [...smallTraining, '--engine', 'tfjs', '--tfjs-backend', 'cpu'];
    for (const { code, stderr } of await (
      await launch(2, 'tfjs', args)
    ).finished) {
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/the tfjs engine trains in one process; --engine native shares a training/);
    }
  });

  test('--ranks off trains alone whatever the launcher says', async () => {
    const alone = await cli(['train', ...training, '--out', at('alone'), '--ranks', 'off'], {
      RANK: '1',
      WORLD_SIZE: '2',
      MASTER_ADDR: '127.0.0.1',
    });
    expect([alone.code, alone.stderr]).toEqual([0, '']);
    expect(readFileSync(at('alone', 'encoder.safetensors'))).toEqual(readFileSync(at('one', 'encoder.safetensors')));
  });
});
