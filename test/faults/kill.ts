import { spawn, type ChildProcess } from 'node:child_process';
import { type FSWatcher, mkdirSync, readdirSync, statSync, watch } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { packageRoot } from '../../src/addon.js';
import { ending, type Finished } from '../support/cli.js';

/** A process of the command line, as its user starts it. */
export interface Start {
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
}

/** When which process is killed. */
export interface Aim {
  /** Its place among those that are started. */
  readonly victim: number;
  /** So long after the start, ms; or at that event of the file system, counted from 1. */
  readonly when: { readonly ms: number } | { readonly event: number };
  /** Waited then, ms: an event comes before, in and after what it tells of. */
  readonly after: number;
}

export interface Ended {
  readonly killed: boolean;
  /** From start to end, ms. */
  readonly ms: number;
  /** Events of the file system that were seen. */
  readonly events: number;
  readonly finished: readonly Finished[];
}

/** What a launcher of several processes gives the others after one has died, ms. */
const grace = 4000;
/** No command of these tests takes nearly as long, ms. */
const longest = 240_000;

/**
 * Runs one or several processes to their end or, at `aim`, kills one by SIGKILL with all that it has started; the others
 * follow, as a launcher has it.
 *
 * @param watched - the folder whose events count, with all folders in it
 */
export async function run(starts: readonly Start[], watched: string, aim?: Aim): Promise<Ended> {
  const from = performance.now();
  const children = starts.map(one => launch(one));
  let killed = false;
  const kill = (child: ChildProcess): boolean => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return false;
    process.kill(-child.pid, 'SIGKILL'); // the whole group
    return true;
  };
  const strike = (): void => {
    if (!aim || killed) return;
    for (const until = performance.now() + aim.after; performance.now() < until;); // timers are too coarse
    killed = kill(children[aim.victim]);
  };
  let events = 0;
  const stop = watchAll(watched, () => {
    events += 1;
    if (aim && 'event' in aim.when && aim.when.event === events) strike();
  });
  const timer = aim && 'ms' in aim.when ? setTimeout(strike, aim.when.ms) : undefined;
  const late: NodeJS.Timeout[] = [setTimeout(() => children.forEach(kill), longest)];
  const others = (): void => void late.push(setTimeout(() => children.forEach(kill), grace));
  for (const child of children) child.on('exit', (_, signal) => signal === 'SIGKILL' && others());
  const finished = await Promise.all(children.map(ending));
  for (const one of [timer, ...late]) clearTimeout(one);
  stop();
  return { killed, ms: performance.now() - from, events, finished };
}

function launch({ args, env }: Start): ChildProcess {
  const program = path.join(packageRoot(), 'bin', 'anomalyclr.mjs');
  return spawn(process.execPath, [program, ...args], {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // makes it the first of a group
  });
}

/** Tells of everything that happens in a folder and in folders made there later. */
function watchAll(folder: string, tell: () => void): () => void {
  const watchers = new Map<string, FSWatcher>();
  const add = (dir: string): void => {
    if (watchers.has(dir)) return;
    try {
      const watcher = watch(dir, (_, name) => {
        tell();
        if (name !== null && isFolder(path.join(dir, name))) add(path.join(dir, name));
      });
      watcher.on('error', () => undefined);
      watchers.set(dir, watcher);
      for (const name of readdirSync(dir)) if (isFolder(path.join(dir, name))) add(path.join(dir, name));
    } catch {
      // it has gone again
    }
  };
  mkdirSync(folder, { recursive: true });
  add(folder);
  return () => {
    for (const watcher of watchers.values()) watcher.close();
  };
}

function isFolder(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
