import { mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { AnomalyClrError } from '../errors.js';
import { fileError, syncFolder } from '../files.js';
import { isLeft, releaseTemporary, removeLeft, temporariesIn, temporaryFor } from '../temporaries.js';

/** A folder being filled beside where it is to stand: nothing stands under that name until `commit`. */
export interface WorkFolder {
  readonly path: string;
  /** Puts it under its name, in the place of what was there. */
  commit(): Promise<void>;
  /** Removes it; after `commit` it does nothing. */
  discard(): Promise<void>;
}

/**
 * Makes a folder under a temporary name beside `target`, and removes those of the same target that killed processes left.
 *
 * @param target - the folder that it may become, which need not exist
 * @param beside - what the temporary name is made of, where that is not the name of `target`
 * @throws AnomalyClrError where no folder can be made there
 */
export async function openWorkFolder(target: string, beside = path.basename(target)): Promise<WorkFolder> {
  const parent = await realpath(path.dirname(target)).catch((error: unknown) =>
    Promise.reject(fileError(target, error, 'write')),
  );
  const place = path.join(parent, path.basename(target));
  const hidden = path.join(parent, beside);
  const folder = temporaryFor(hidden);
  try {
    await putBackOrRemove(place, beside);
    await mkdir(folder);
  } catch (error) {
    releaseTemporary(folder);
    throw fileError(target, error, 'write');
  }
  const discard = async (): Promise<void> => {
    await rm(folder, { recursive: true, force: true });
    releaseTemporary(folder);
  };
  return {
    path: folder,
    async commit() {
      const old = temporaryFor(hidden, 'old');
      try {
        await sync(folder);
        const replaces = await rename(place, old).then(
          () => true,
          () => false, // there was none
        );
        try {
          await rename(folder, place);
        } catch (error) {
          if (replaces) await rename(old, place);
          throw error;
        }
        await syncFolder(parent);
        await rm(old, { recursive: true, force: true });
      } catch (error) {
        throw fileError(target, error, 'write');
      } finally {
        releaseTemporary(old);
      }
    },
    discard,
  };
}

/** A power cut after this leaves whole files. */
async function sync(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const at = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      await sync(at);
      continue;
    }
    const file = await open(at, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
  await syncFolder(folder);
}

/** What killed processes left: an old folder goes back where none came in its place, the rest goes. */
async function putBackOrRemove(place: string, beside: string): Promise<void> {
  for (const temporary of await temporariesIn(path.dirname(place))) {
    if (temporary.name !== beside || !temporary.isFolder || !(await isLeft(temporary))) continue;
    const missing = await stat(place).then(
      () => false,
      () => true,
    );
    if (temporary.ending === 'old' && missing) await rename(temporary.path, place);
    else await removeLeft(temporary);
  }
}

/** @throws AnomalyClrError where `folder` is there and is nothing that `marker` is in: it shall not be lost */
export async function checkReplaceable(folder: string, marker: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (!found) return;
  const files = found.isDirectory() ? await readdir(folder).catch(() => []) : undefined;
  if (files && (files.length === 0 || files.includes(marker))) return;
  throw new AnomalyClrError(`${folder}: is there already and is no part of an evaluation; name another folder`);
}
