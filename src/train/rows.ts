import { type FileHandle, open, rm } from 'node:fs/promises';
import type { Floats } from '../addon.js';
import { take } from '../events/event-batch.js';
import type { EventBatch } from '../events/event-batch.js';
import { AnomalyClrError } from '../errors.js';
import { fileError } from '../files.js';
import { runFiles } from '../model/run-folder.js';
import type { EventStore } from '../read/store.js';
import { releaseTemporary, temporaryFor } from '../temporaries.js';

/** A row of features for every event of a run, read in the stretches of its store. */
export interface RowSource {
  /** Numbers of a row. */
  readonly features: number;
  /** As in EventStore. [stretches + 1] */
  readonly first: Int32Array;
  /** The rows of some events of a stretch, by their position in it. [index.length, features] */
  read(stretch: number, index: Int32Array): Promise<Floats>;
  /** Lets go of memory or files. */
  close(): Promise<void>;
}

/** Rows that are made of events whenever they are asked for. */
export function computedRows(store: EventStore, features: number, make: (events: EventBatch) => Floats): RowSource {
  return {
    features,
    first: store.first,
    read: async (stretch, index) => make(take(await store.read(stretch), index)),
    close: async () => undefined,
  };
}

/** Rows in memory. [events, features] */
export function rowsOf(rows: Floats, features: number, first: Int32Array): RowSource {
  return {
    features,
    first,
    read: async (stretch, index) => pick(rows.subarray(first[stretch] * features), features, index),
    close: async () => undefined,
  };
}

/**
 * Makes rows of all events once and keeps them: in memory where they take at most `memoryBytes`, else in a file of
 * `folder` that goes with `close`.
 *
 * @param make rows of the events of a stretch, [events, features]
 */
export async function keptRows(
  store: EventStore,
  features: number,
  make: (events: EventBatch) => Promise<Floats>,
  { memoryBytes, folder }: { memoryBytes: number; folder: string },
): Promise<RowSource> {
  const { first, count } = store;
  const spill = 4 * count * features > memoryBytes ? await RowFile.create(folder, features, first) : undefined;
  let rows: Floats | undefined;
  try {
    for (let stretch = 0; stretch + 1 < first.length; stretch++) {
      const made = await make(await store.read(stretch));
      if (spill) {
        await spill.append(made);
        continue;
      }
      const size = count * features;
      rows ??= made instanceof Float64Array ? new Float64Array(size) : new Float32Array(size);
      rows.set(made, first[stretch] * features);
    }
  } catch (error) {
    await spill?.close();
    throw error;
  }
  return spill ?? rowsOf(rows ?? new Float32Array(0), features, first);
}

/** Rows in a file of plain numbers. */
class RowFile implements RowSource {
  private bytesPerNumber = 4;
  private written = 0;

  private constructor(
    private readonly file: string,
    private readonly handle: FileHandle,
    readonly features: number,
    readonly first: Int32Array,
  ) {}

  /** Under the name of a temporary, so that what a killed run leaves is cleared away by the next. */
  static async create(folder: string, features: number, first: Int32Array): Promise<RowFile> {
    const file = temporaryFor(runFiles(folder).representations);
    const handle = await open(file, 'wx+').catch((error: unknown) => Promise.reject(fileError(file, error, 'write')));
    return new RowFile(file, handle, features, first);
  }

  async append(rows: Floats): Promise<void> {
    this.bytesPerNumber = rows.BYTES_PER_ELEMENT;
    const bytes = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await this.handle
        .write(bytes, at, bytes.length - at, this.written)
        .catch((error: unknown) => Promise.reject(fileError(this.file, error, 'write')));
      at += bytesWritten;
      this.written += bytesWritten;
    }
  }

  async read(stretch: number, index: Int32Array): Promise<Floats> {
    const size = (this.first[stretch + 1] - this.first[stretch]) * this.features;
    const rows = this.bytesPerNumber === 8 ? new Float64Array(size) : new Float32Array(size);
    const { bytesRead } = await this.handle
      .read(new Uint8Array(rows.buffer), 0, rows.byteLength, this.first[stretch] * this.features * this.bytesPerNumber)
      .catch((error: unknown) => Promise.reject(fileError(this.file, error, 'read')));
    if (bytesRead !== rows.byteLength)
      throw new AnomalyClrError(`${this.file}: ended at ${bytesRead} of ${rows.byteLength} bytes; start the run again`);
    return pick(rows, this.features, index);
  }

  async close(): Promise<void> {
    await this.handle.close();
    await rm(this.file, { force: true });
    releaseTemporary(this.file);
  }
}

/** The rows of x [n, d] at `index`. */
export function pick(x: Floats, d: number, index: Int32Array): Floats {
  const out = x instanceof Float64Array ? new Float64Array(index.length * d) : new Float32Array(index.length * d);
  index.forEach((row, i) => out.set(x.subarray(row * d, (row + 1) * d), i * d));
  return out;
}
