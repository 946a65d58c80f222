import { createHash } from 'node:crypto';
import { mkdir, readdir, realpath, rm, stat, statfs, utimes } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { isLeft, isOfAnotherMachine, removeLeft, temporariesIn } from '../../temporaries.js';

/** Where packed copies lie if nothing else is said: ANOMALYCLR_CACHE, or the place of the system for such things. */
export function userCacheFolder(): string {
  const { ANOMALYCLR_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (ANOMALYCLR_CACHE) return ANOMALYCLR_CACHE;
  const home = os.homedir();
  if (process.platform === 'darwin') return path.join(home, 'Library', 'Caches', 'anomalyclr');
  if (process.platform === 'win32')
    return path.join(LOCALAPPDATA || path.join(home, 'AppData', 'Local'), 'anomalyclr', 'Cache');
  return path.join(XDG_CACHE_HOME || path.join(home, '.cache'), 'anomalyclr');
}

/** Largest share of its disk that the folder takes, and at most so much, bytes. */
const mostShare = 0.2;
const mostBytes = 50e9;
/** A writer writes all the time; what was not touched for so long is not waited for. ms */
const busyWithin = 120e3;

/** No other file of the folder is touched, which may be anyone's. */
const copyName = /\.[0-9a-f]{16}\.packed\.arrow$/;

/** Where the packed copy of a file lies: its path and the schema that it is read by make the name. */
export async function placeOf(folder: string, file: string, schemaHash: string): Promise<string> {
  const key = createHash('sha256')
    .update(`${await realpath(file)}\0${schemaHash}`)
    .digest('hex');
  const name = path.basename(file).replace(/[^\w.-]/g, '_');
  return path.join(folder, `${name.slice(0, 80)}.${key.slice(0, 16)}.packed.arrow`);
}

interface Kept {
  readonly path: string;
  readonly bytes: number;
  /** Time of last use, ms since 1970. */
  readonly used: number;
}

/** Packed copies in a folder. None where there is no folder. */
async function copiesIn(folder: string): Promise<Kept[]> {
  const found: Kept[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const at = path.join(folder, name);
    const info = copyName.test(name) && (await stat(at).catch(() => undefined)); // another process may clean up, too
    if (info) found.push({ path: at, bytes: info.size, used: Math.max(info.atimeMs, info.mtimeMs) });
  }
  return found;
}

/** What `doctor` says of the folder. */
export async function cacheSummary(folder: string): Promise<{ copies: number; bytes: number }> {
  const copies = await copiesIn(folder);
  return { copies: copies.length, bytes: copies.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/**
 * Makes the folder ready for one more copy: removes what killed writers left.
 *
 * @param bytes - that the copy may take
 * @returns why none can be made, if so; `busy` where another process of this machine is making that one
 */
export async function prepareFolder(folder: string, place: string, bytes: number): Promise<string | undefined> {
  await mkdir(folder, { recursive: true });
  for (const temporary of await temporariesIn(folder)) {
    if (temporary.isFolder || !copyName.test(temporary.name)) continue;
    if (await isLeft(temporary)) await removeLeft(temporary);
    else if (temporary.name === path.basename(place) && !isOfAnotherMachine(temporary)) {
      const { mtimeMs } = await stat(temporary.path).catch(() => ({ mtimeMs: 0 }));
      if (Date.now() - mtimeMs < busyWithin) return 'busy';
    }
  }
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < 2 * bytes) return 'too little room on its disk';
  return undefined;
}

/** Notes that a copy was used. The time of its change stays, of which whole seconds alone can be set exactly. */
export async function touch(copy: string): Promise<void> {
  const { mtimeMs } = await stat(copy);
  await utimes(copy, Date.now() / 1000, Math.floor(mtimeMs / 1000));
}

/** Removes the copies used longest ago until the rest fits into its share of the disk; `kept` stays. */
export async function pruneFolder(folder: string, kept: string, most?: number): Promise<void> {
  const { blocks, bsize } = await statfs(folder);
  const limit = most ?? Math.min(mostBytes, mostShare * blocks * bsize);
  const copies = await copiesIn(folder);
  let total = copies.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const copy of copies.toSorted((a, b) => a.used - b.used)) {
    if (total <= limit) break;
    if (copy.path === kept) continue;
    await rm(copy.path, { force: true });
    total -= copy.bytes;
  }
}
