import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readSafetensors } from '../../src/model/safetensors.js';
import { freePort } from '../support/free-port.js';
import { contents, digest } from './kill-commands.js';
import { type Inputs, tinyTraining } from './kill-data.js';
import { type Command, filesIn, isTemporary, type Kind } from './kills.js';

/** Grow or are replaced while a run goes on. */
const growing = new Set(['config.json', 'provenance.json', 'metrics.jsonl', 'report.html']);
export const isCheckpoint = (name: string): boolean => name.includes('checkpoint/');

/** Looks at a run that is under way; the first one that it is shown was never killed, and all others are to be like it. */
export function runChecker(): (run: string) => Promise<string[]> {
  let want: Record<string, Buffer> | undefined;
  /** By run and step. */
  const checkpoints = new Map<string, string>();
  return async run => {
    if (!existsSync(run)) return [];
    const whole = filesIn(run).filter(name => !isTemporary(name));
    want ??= Object.fromEntries(whole.map(name => [name, readFileSync(path.join(run, name))]));
    const complete: string[] = [];
    for (const name of whole) {
      const bytes = readFileSync(path.join(run, name));
      const base = path.basename(name);
      if (isCheckpoint(name)) {
        const { step, hash } = await checkpointOf(path.join(run, name));
        const key = `${name} ${step}`;
        if ((checkpoints.get(key) ?? hash) !== hash) throw new Error(`${name} of step ${step} is unlike another's`);
        checkpoints.set(key, hash);
        // none of an earlier step may come back
        for (let s = 0; s <= step; s++) complete.push(`${name} ${s}`);
      } else if (base === 'metrics.jsonl') {
        if (!want[name].subarray(0, bytes.length).equals(bytes)) throw new Error(`${name} is not the first of the log`);
      } else if (growing.has(base)) {
        if (base.endsWith('.json')) JSON.parse(bytes.toString());
        else if (!bytes.toString().trimEnd().endsWith('</html>')) throw new Error(`${name} is not whole`);
      } else if (!want[name].equals(bytes)) throw new Error(`${name} is not whole`);
      complete.push(name);
    }
    return complete;
  };
}

/** What of a file of a run is equal for equal runs. */
export async function runContent(file: string, bytes: Buffer): Promise<string> {
  if (isCheckpoint(file)) return (await checkpointOf(file)).hash;
  if (file.endsWith('.html')) return 'whole'; // as the checker has it; it holds dates and rates
  return digest(file.endsWith('.json') ? withoutTimes(bytes) : bytes);
}

/** A training into `run`. */
function training({ background }: Inputs, further: readonly string[], ranks = 1): Command {
  const checked = runChecker();
  const root = (folder: string): string => path.join(folder, 'run');
  return {
    async starts(folder, again) {
      const args = ['train', '--background', background, ...tinyTraining, ...further, '--out', root(folder)];
      if (again) args.push('--resume');
      if (ranks === 1) return [{ args }];
      const place = { WORLD_SIZE: String(ranks), MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(await freePort()) };
      return Array.from({ length: ranks }, (_, rank) => ({ args, env: { ...place, RANK: String(rank) } }));
    },
    phase(folder) {
      const has = (name: string): boolean => existsSync(path.join(root(folder), name));
      if (!has('config.json')) return 'before';
      if (!has('checkpoint/encoder.safetensors')) return 'before a checkpoint';
      if (!has('encoder.safetensors')) return 'encoder';
      return has('report.html') ? (has('seed-1') || !further.includes('--seeds') ? 'done' : 'seed 2') : 'detectors';
    },
    check: folder => checked(root(folder)),
    result: folder => contents(root(folder), (name, bytes) => runContent(path.join(root(folder), name), bytes)),
  };
}

/** Its step, and all of it but for the time that was taken. */
async function checkpointOf(file: string): Promise<{ step: number; hash: string }> {
  const { tensors, metadata } = await readSafetensors(file);
  const { seconds: _, ...progress } = JSON.parse(metadata['progress']) as { step: number; seconds: number };
  const parts = [...tensors].map(([name, { data }]) => `${name} ${digest(new Uint8Array(data.buffer))}`);
  return { step: progress.step, hash: digest([JSON.stringify(progress), ...parts].join('\n')) };
}

const times = new Set(
  'started trainingSeconds eventsPerSecond peakMemoryMb out resume date seconds cpuSeconds timed'.split(' '),
);
const withoutTimes = (bytes: Buffer): string =>
  JSON.stringify(JSON.parse(bytes.toString()), (key, value: unknown) => (times.has(key) ? undefined : value));

export function trainingKinds(inputs: Inputs): Record<'train' | 'ranks', Kind> {
  return {
    train: {
      name: 'train',
      commands: [training(inputs, []), training(inputs, ['--seeds', '2', '--no-comparators', '--epochs', '2'])],
    },
    ranks: { name: 'train, one of two ranks', commands: [training(inputs, ['--no-comparators'], 2)] },
  };
}
