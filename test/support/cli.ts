import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { packageRoot } from '../../src/addon.js';

export const sample = (name: string): string => path.join(packageRoot(), 'sample', `${name}.h5`);

/** A training small enough for a test: 1,200 events, 3 epochs of 17 steps. */
export const smallTraining = [
  '--background',
  sample('background_train'),
  '--max-events',
  '1200',
  '--epochs',
  '3',
  '--batch',
  '64',
  '--width',
  '16',
  '--heads',
  '2',
  '--layers',
  '2',
  '--feed-forward',
  '16',
  '--output',
  '16',
  '--dropout',
  '0.1',
  '--patience',
  '0',
  '--checkpoint-every',
  '5',
  '--detector-epochs',
  '2',
  '--bottleneck',
  '4',
  '--quiet',
];

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the command line as its users do, in a process of its own. */
export function start(
  args: readonly string[],
  env: Record<string, string> = {},
): { child: ChildProcess; finished: Promise<Finished> } {
  const child = spawn(process.execPath, [path.join(packageRoot(), 'bin', 'anomalyclr.mjs'), ...args], {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { child, finished: ending(child) };
}

/** What a process has said when it ends. */
export function ending(child: ChildProcess): Promise<Finished> {
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.on('data', (part: Buffer) => (text[name] += part.toString()));
  return new Promise(resolve => child.on('close', (code, signal) => resolve({ code, signal, ...text })));
}

/** Runs the command line to its end. */
export function cli(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  return start(args, env).finished;
}
