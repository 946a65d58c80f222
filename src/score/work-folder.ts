import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { AnomalyClrError } from '../errors.js';
import { fileError, isRunning } from '../files.js';

/** Names its process, so that a folder left by one that was killed is known as such. */
const ownerFile = 'owner';
/** A folder of a process on another machine counts as left behind where nothing was written to it for so long, ms. */
const silence = 3_600_000;

/** A folder being filled beside where it is to stand: nothing stands under that name until `commit`. */
export interface WorkFolder {
  readonly path: string;
  /** Puts it under its name, in the place of what was there. */
  commit(): Promise<void>;
  /** Removes it; after `commit` it does nothing. */
  discard(): Promise<void>;
}

/**
 * Makes the folder `TARGET.<process>-<8 hex>.tmp`, and removes those of the same target that killed processes left.
 *
 * @param target - the folder that it may become, which need not exist
 * @throws AnomalyClrError where no folder can be made there
 */
export async function openWorkFolder(target: string): Promise<WorkFolder> {
  const parent = await realpath(path.dirname(target)).catch((error: unknown) =>
    Promise.reject(fileError(target, error, 'write')),
  );
  const place = path.join(parent, path.basename(target));
  await removeLeft(place);
  const folder = temporaryName(place);
  try {
    await mkdir(folder);
    await writeFile(path.join(folder, ownerFile), `${process.pid} ${os.hostname()}\n`);
  } catch (error) {
    throw fileError(target, error, 'write');
  }
  let gone = false;
  return {
    path: folder,
    async commit() {
      try {
        await rm(path.join(folder, ownerFile));
        await sync(folder);
        const old = temporaryName(place);
        const replaced = await rename(place, old).then(
          () => true,
          () => false, // there was none
        );
        await rename(folder, place);
        gone = true;
        if (replaced) await rm(old, { recursive: true, force: true });
      } catch (error) {
        throw fileError(target, error, 'write');
      }
    },
    async discard() {
      if (!gone) await rm(folder, { recursive: true, force: true });
      gone = true;
    },
  };
}

/** A power cut after this leaves whole files. */
async function sync(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = await open(path.join(folder, name), 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

function temporaryName(place: string): string {
  return `${place}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
}

/** Removes what killed processes left beside `place`. Another user's folder stays. */
async function removeLeft(place: string): Promise<void> {
  const [parent, name] = [path.dirname(place), path.basename(place)];
  for (const other of await readdir(parent).catch(() => [])) {
    const writer = other.startsWith(`${name}.`) && /^\.(\d+)-[0-9a-f]{8}\.tmp$/.exec(other.slice(name.length))?.[1];
    if (writer && (await isLeft(path.join(parent, other), Number(writer))))
      await rm(path.join(parent, other), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** A process number means something on its own machine alone; of another one only silence tells. */
async function isLeft(folder: string, writer: number): Promise<boolean> {
  const text = await readFile(path.join(folder, ownerFile), 'utf8').catch(() => '');
  const host = text.trim().split(' ')[1];
  if (host === undefined || host === os.hostname()) return !isRunning(writer);
  let last = 0;
  for (const file of await readdir(folder).catch(() => []))
    last = Math.max(
      last,
      await stat(path.join(folder, file)).then(
        s => s.mtimeMs,
        () => 0,
      ),
    );
  return Date.now() - last > silence;
}

/** @throws AnomalyClrError where `folder` is there and is nothing that `marker` is in: it shall not be lost */
export async function checkReplaceable(folder: string, marker: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (!found) return;
  const files = found.isDirectory() ? await readdir(folder).catch(() => []) : undefined;
  if (files && (files.length === 0 || files.includes(marker))) return;
  throw new AnomalyClrError(`${folder}: is there already and is no part of an evaluation; name another folder`);
}
