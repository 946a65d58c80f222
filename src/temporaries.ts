import { createHash, randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { readdir, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';

/** `NAME.<process>-<machine><8 hex>.tmp`; earlier versions left the machine out. */
const pattern = /^(.+)\.(\d+)-([0-9a-f]{4})?[0-9a-f]{8}\.(tmp|old)$/;
/** Names that this process has in use. */
const live = new Set<string>();
/** What another machine writes counts as left behind where nothing was written to it for so long, ms. */
const silence = 24 * 3_600_000;

/** Process numbers mean something on one machine alone, and there in one container alone. 4 hex */
const machine = createHash('sha256').update(`${hostname()} ${processNamespace()}`).digest('hex').slice(0, 4);

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return ''; // not Linux
  }
}

/**
 * A name beside `place` for what shall become it (`tmp`) or was it (`old`), which tells the process that uses it. Whoever
 * finds it can see whether that process is still there. To be given back by {@link releaseTemporary}.
 */
export function temporaryFor(place: string, ending: 'tmp' | 'old' = 'tmp'): string {
  const path = `${place}.${process.pid}-${machine}${randomBytes(4).toString('hex')}.${ending}`;
  live.add(basename(path));
  return path;
}

export function releaseTemporary(path: string): void {
  live.delete(basename(path));
}

/** Something under a temporary name. */
export interface Temporary {
  readonly path: string;
  /** What it was to become, or was. */
  readonly name: string;
  readonly ending: 'tmp' | 'old';
  readonly isFolder: boolean;
  readonly process: number;
  /** Missing in those of earlier versions. */
  readonly machine: string | undefined;
}

/** All of a folder; none where there is no folder. */
export async function temporariesIn(dir: string): Promise<Temporary[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  return entries.flatMap(entry => {
    const [, name, writer, of, ending] = pattern.exec(entry.name) ?? [];
    if (name === undefined) return [];
    const path = join(dir, entry.name);
    const isFolder = entry.isDirectory();
    return [{ path, name, ending: ending as Temporary['ending'], isFolder, process: Number(writer), machine: of }];
  });
}

/** Whether no process writes it any more. Of another machine's only long silence tells. */
export async function isLeft(temporary: Temporary): Promise<boolean> {
  const { path, process: writer } = temporary;
  if (!isOfAnotherMachine(temporary)) return writer === process.pid ? !live.has(basename(path)) : !isRunning(writer);
  return (await timeThere(path)) - (await lastChange(path)) > silence;
}

/** What the clock of the file system says, ms since 1970: this machine's may be wrong. It stamps any change of a file. */
async function timeThere(path: string): Promise<number> {
  try {
    const { atimeMs, mtimeMs } = await stat(path);
    await utimes(path, atimeMs / 1000, mtimeMs / 1000);
    return (await stat(path)).ctimeMs;
  } catch {
    return 0; // it has gone, or is another user's
  }
}

export function isOfAnotherMachine({ machine: of }: Temporary): boolean {
  return of !== undefined && of !== machine;
}

/** Removes what {@link isLeft}; another user's stays. */
export async function removeLeft(temporary: Temporary): Promise<void> {
  if (await isLeft(temporary)) await rm(temporary.path, { recursive: true, force: true }).catch(() => undefined);
}

/** Of a file, or of a folder and what is in it, ms since 1970. */
async function lastChange(path: string): Promise<number> {
  const time = (at: string): Promise<number> =>
    stat(at).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0, // it has gone
    );
  const inside = await readdir(path).catch(() => []);
  return Math.max(...(await Promise.all([path, ...inside.map(name => join(path, name))].map(time))));
}

/** Whether there is a process of this number. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // runs, under another user
  }
}
