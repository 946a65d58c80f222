import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { packageRoot } from '../../src/addon.js';
import { readSafetensors } from '../../src/model/safetensors.js';
import { cli, ending, smallTraining } from '../support/cli.js';

/** Open MPI's launcher: what ANOMALYCLR_MPIRUN names, or the one on the path. */
const mpirun = process.env['ANOMALYCLR_MPIRUN'] ?? 'mpirun';
const found = spawnSync(mpirun, ['--version'], { encoding: 'utf8' });
const underMpi = found.status === 0 && found.stdout.includes('Open MPI') ? test : test.skip;

const folder = mkdtempSync(path.join(os.tmpdir(), 'aclr-mpi-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (...parts: string[]): string => path.join(folder, ...parts);
const training = [...smallTraining, '--precision', 'f64', '--threads', '1'];

function launch(ranks: number, run: string, more: string[] = []) {
  const program = [process.execPath, path.join(packageRoot(), 'bin', 'anomalyclr.mjs')];
  const args = ['--oversubscribe', '-n', String(ranks), ...program, 'train', ...training, '--out', at(run), ...more];
  const child = spawn(mpirun, args, {
    env: { ...process.env, NODE_OPTIONS: '', OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { child, finished: ending(child) };
}

async function weights(run: string): Promise<number[]> {
  const { tensors } = await readSafetensors(at(run, 'encoder.safetensors'));
  return [...tensors.values()].flatMap(({ data }) => Array.from(data as Float64Array, Number));
}

async function expectAsOne(run: string): Promise<void> {
  const [one, other] = [await weights('one'), await weights(run)];
  expect(other).toHaveLength(one.length);
  expect(Math.max(...one.map((w, i) => Math.abs(w - other[i])))).toBeLessThan(1e-9);
}

/** The process of a rank, told by its environment. */
function processOf(rank: number, run: string): number {
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name)))
    try {
      const has = (file: string, text: string) =>
        readFileSync(`/proc/${pid}/${file}`, 'latin1').split('\0').includes(text);
      if (has('cmdline', at(run)) && has('environ', `OMPI_COMM_WORLD_RANK=${rank}`)) return Number(pid);
    } catch {
      // it has ended, or is another's
    }
  throw new Error(`no process of rank ${rank}`);
}

async function reaches(run: string, step: number): Promise<void> {
  const file = at(run, 'metrics.jsonl');
  const steps = () => (existsSync(file) ? (readFileSync(file, 'utf8').match(/"kind":"step"/g) ?? []).length : 0);
  while (steps() < step) await new Promise(resolve => setTimeout(resolve, 5));
}

underMpi('three ranks of mpirun train as one process does', async () => {
  expect((await cli(['train', ...training, '--out', at('one')])).code).toBe(0);
  expect((await launch(3, 'three').finished).code).toBe(0);
  await expectAsOne('three');
});

underMpi('a rank that is killed ends the job with a checkpoint, from which two ranks go on', async () => {
  const { finished } = launch(3, 'killed');
  await reaches('killed', 8);
  process.kill(processOf(2, 'killed'), 'SIGKILL');
  const { code, stderr } = await finished;
  expect(code).not.toBe(0);
  expect(stderr).toContain('rank 2 went away');
  expect(existsSync(at('killed', 'checkpoint', 'encoder.safetensors'))).toBe(true);
  expect((await launch(2, 'killed', ['--resume']).finished).code).toBe(0);
  await expectAsOne('killed');
});

underMpi('SIGTERM to mpirun, as batch systems send it, leaves a checkpoint', async () => {
  const { child, finished } = launch(2, 'ended');
  await reaches('ended', 8);
  child.kill('SIGTERM');
  expect((await finished).code).not.toBe(0);
  expect(existsSync(at('ended', 'checkpoint', 'encoder.safetensors'))).toBe(true);
  expect((await launch(2, 'ended', ['--resume']).finished).code).toBe(0);
  await expectAsOne('ended');
});
