import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Stopped } from '../errors.js';
import { fileError, makeFolder } from '../files.js';
import { isLeft, releaseTemporary, removeLeft, temporariesIn, temporaryFor } from '../temporaries.js';

/** Between two looks whether a run is free, ms. */
const patience = 500;

/**
 * Keeps a run's folder to one process: two studies may share a run, and a trial whose parent was killed may still be at its
 * last step. Waits for the other; one that is gone holds nothing.
 *
 * @returns gives the run back
 * @throws Stopped where `signal` fires first
 */
export async function lockRun(folder: string, signal?: AbortSignal): Promise<() => Promise<void>> {
  await makeFolder(path.dirname(folder));
  for (;;) {
    const lock = temporaryFor(folder);
    const giveBack = async (): Promise<void> => {
      await rm(lock, { force: true });
      releaseTemporary(lock);
    };
    await writeFile(lock, '', { flag: 'wx' }).catch((error: unknown) =>
      Promise.reject(fileError(lock, error, 'write')),
    );
    // each looks after it has written: of two at once both see the other, and neither takes the run
    if (!(await isHeld(folder, lock))) return giveBack;
    await giveBack();
    if (signal?.aborted) throw new Stopped('stopped; the same command goes on', signal);
    await sleep(patience * (1 + Math.random()));
  }
}

async function isHeld(folder: string, own: string): Promise<boolean> {
  for (const temporary of await temporariesIn(path.dirname(folder))) {
    if (temporary.name !== path.basename(folder) || temporary.path === own) continue;
    if (!(await isLeft(temporary))) return true;
    await removeLeft(temporary);
  }
  return false;
}
