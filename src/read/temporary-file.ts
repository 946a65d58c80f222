import { AnomalyClrError } from '../errors.js';
import { fileError, writeAtomically } from '../files.js';
import { hdf5Cause } from './hdf5-error.js';

/** A file being written step by step beside its destination: readers find the old one or the whole new one. */
export interface TemporaryFile {
  readonly path: string;
  /** Puts it in the place of its destination. */
  commit(): Promise<void>;
  /** Removes it. */
  discard(): Promise<void>;
}

/**
 * `writeAtomically` for a writer that stays open between calls.
 *
 * @throws {@link AnomalyClrError} where nothing can be written at `destination`.
 */
export async function openTemporary(destination: string): Promise<TemporaryFile> {
  let finish = (): void => undefined;
  let abandon = (): void => undefined;
  let written: Promise<void> | undefined;
  const path = await new Promise<string>((resolve, reject) => {
    written = writeAtomically(destination, temporary => {
      resolve(temporary);
      return new Promise<void>((done, fail) => {
        finish = done;
        abandon = () => fail(new AnomalyClrError(`${destination}: given up`));
      });
    });
    written.catch(reject);
  });
  return {
    path,
    async commit() {
      finish();
      await written;
    },
    async discard() {
      abandon();
      await written?.catch(() => undefined);
    },
  };
}

/** What to tell of a failed write, which the HDF5 library reports without a code. */
export function writeError(file: string, error: unknown): AnomalyClrError {
  if (error instanceof AnomalyClrError) return error;
  if (error instanceof Error && 'code' in error) return fileError(file, error, 'write');
  const cause = hdf5Cause(error);
  const [code] = Object.entries(systemWords).find(([, words]) => cause.includes(words)) ?? [];
  if (code !== undefined) return fileError(file, { code }, 'write');
  return new AnomalyClrError(`${file}: cannot be written (${cause}); is there room on the disk?`);
}

const systemWords = {
  ENOSPC: 'No space left',
  EDQUOT: 'uota exceeded',
  EACCES: 'Permission denied',
  EROFS: 'Read-only file system',
  EMFILE: 'Too many open files',
};
