import { stat } from 'node:fs/promises';
import path from 'node:path';
import { AnomalyClrError } from '../errors.js';
import { fileError, show } from '../files.js';
import { hdf5Cause } from './hdf5-error.js';
import { hdf5Program } from './hdf5-worker.js';
import { LibraryThread } from './library-thread.js';
import type { Numbers } from './schema/column-file.js';

/** What an HDF5 dataset says of itself. */
export interface DatasetInfo {
  /** Such as `float32`, `int64`; `other` for strings, compounds and the like. */
  readonly type: string;
  /** Null for a dataset without data space. */
  readonly shape: readonly number[] | null;
  readonly chunks: readonly number[] | null;
  readonly bytesPerValue: number;
  readonly filters: readonly { readonly id: number; readonly name: string }[];
  /** A list per row, of a length of its own; `type` is that of its numbers. */
  readonly list?: boolean;
}

export type DatasetValues = Numbers;

/** deflate, shuffle, fletcher32, szip, nbit, scaleoffset: the filters that the library has. */
const knownFilters = new Set([1, 2, 3, 4, 5, 6]);
/** Deflate packs at most 1032:1, so a file that claims more has a damaged header. */
const maxRatio = 1100;
const slackBytes = 2 ** 20;
const maxChunkBytes = 2 ** 29;

/** An HDF5 file open for reading. Whatever is wrong with the file, its methods throw {@link AnomalyClrError} only. */
export class Hdf5Reader {
  private constructor(
    private readonly file: string,
    private readonly worker: LibraryThread,
    /** Names in the root group. */
    readonly names: readonly string[],
    private readonly datasets: ReadonlyMap<string, DatasetInfo>,
    private readonly group = '/',
  ) {}

  /** Opens `file`, for its datasets `wanted`. */
  static async open(file: string, wanted: readonly string[]): Promise<Hdf5Reader> {
    const { size } = await statFile(file);
    const worker = LibraryThread.take(hdf5Program);
    try {
      const { names, datasets } = (await worker
        .ask({ file: path.resolve(file), wanted })
        .catch((error: unknown) => Promise.reject(damage(file, 'cannot be opened', error)))) as {
        names: string[];
        datasets: (DatasetInfo | null)[];
      };
      const found = new Map<string, DatasetInfo>();
      for (const [i, info] of datasets.entries())
        if (info) found.set(wanted[i], checkDataset(file, wanted[i], info, size));
      return new Hdf5Reader(file, worker, names, found);
    } catch (error) {
      await LibraryThread.release(worker);
      throw error;
    }
  }

  /** Opens `file` for the datasets below `group`, whose names are their paths in it; `wanted` are those to be read. */
  static async openGroup(file: string, group: string, wanted: readonly string[]): Promise<Hdf5Reader> {
    const { size } = await statFile(file);
    const worker = LibraryThread.take(hdf5Program);
    try {
      const { names, found } = (await worker
        .ask({ file: path.resolve(file), group })
        .catch((error: unknown) => Promise.reject(damage(file, 'cannot be opened', error)))) as {
        names: string[];
        found?: [string, DatasetInfo][];
      };
      if (!found) {
        const has = names.slice(0, 10).map(show).join(', ') || 'nothing';
        throw new AnomalyClrError(`${file}: no group ${show(group)} (at its top: ${has})`);
      }
      for (const [name, info] of found) if (wanted.includes(name)) checkDataset(file, name, info, size);
      return new Hdf5Reader(file, worker, names, new Map(found), group);
    } catch (error) {
      await LibraryThread.release(worker);
      throw error;
    }
  }

  /** Names of the datasets that it was opened for and that are there. */
  get datasetNames(): string[] {
    return [...this.datasets.keys()];
  }

  dataset(name: string): DatasetInfo | undefined {
    return this.datasets.get(name);
  }

  /** A text attribute of the file itself; undefined where it has none of the name. One read at a time. */
  async attribute(name: string): Promise<string | undefined> {
    const value = await this.worker
      .ask({ attribute: name })
      .catch((error: unknown) => Promise.reject(damage(this.file, `attribute ${name} cannot be read`, error)));
    return typeof value === 'string' ? value : undefined;
  }

  /** Rows `from` to `to - 1` of a dataset, flat. One read at a time. */
  async read(name: string, from: number, to: number): Promise<DatasetValues> {
    const shape = this.dataset(name)?.shape;
    if (!shape) throw new AnomalyClrError(`${this.file}: no dataset ${name}`);
    const values = (await this.ask(name, from, to)) as DatasetValues;
    const expected = shape.slice(1).reduce((a, b) => a * b, to - from);
    if (values.length !== expected)
      throw new AnomalyClrError(
        `${this.file}: ${name} gave ${values.length} values for ${expected}; the file is damaged`,
      );
    return values;
  }

  /** Rows `from` to `to - 1` of a dataset of lists. One read at a time. */
  async readLists(name: string, from: number, to: number): Promise<{ values: Numbers; lengths: Int32Array }> {
    if (from === to) return { values: new Float32Array(), lengths: new Int32Array() };
    return (await this.ask(name, from, to)) as { values: Numbers; lengths: Int32Array };
  }

  private ask(name: string, from: number, to: number): Promise<unknown> {
    const place = `${this.group.replace(/\/$/, '')}/${name}`;
    return this.worker
      .ask({ name: place, from, to })
      .catch((error: unknown) =>
        Promise.reject(damage(this.file, `rows ${from} to ${to - 1} of ${name} cannot be read`, error)),
      );
  }

  close(): Promise<void> {
    return LibraryThread.release(this.worker);
  }
}

/** `stat` of a regular file: of a pipe, say, no end would come. */
export async function statFile(file: string): Promise<{ size: number }> {
  const info = await stat(file).catch((error: unknown) => Promise.reject(fileError(file, error, 'read')));
  if (!info.isFile()) throw new AnomalyClrError(`${file}: is a folder or a device; name a file`);
  return info;
}

function damage(file: string, what: string, error: unknown): AnomalyClrError {
  if (error instanceof AnomalyClrError) return new AnomalyClrError(`${file}: ${error.message}`);
  return new AnomalyClrError(`${file}: ${what} (${hdf5Cause(error)}); the file is damaged, copy or make it again`);
}

function checkDataset(file: string, name: string, info: DatasetInfo, fileBytes: number): DatasetInfo {
  const alien = info.filters.find(({ id }) => !knownFilters.has(id));
  if (alien)
    throw new AnomalyClrError(
      `${file}: ${name} is compressed with ${show(alien.name)} (filter ${alien.id}), which is not at hand; rewrite it with gzip`,
    );
  const bytes = (dims: readonly number[]) => dims.reduce((a, b) => a * b, info.list ? 0 : info.bytesPerValue);
  if (info.shape && bytes(info.shape) > fileBytes * maxRatio + slackBytes)
    throw new AnomalyClrError(
      `${file}: ${name} claims shape (${info.shape.join(', ')}), more than its ${fileBytes} bytes can hold; the file is damaged`,
    );
  if (info.chunks && bytes(info.chunks) > maxChunkBytes)
    throw new AnomalyClrError(
      `${file}: ${name} has chunks of ${bytes(info.chunks)} bytes, above ${maxChunkBytes}; rewrite it with smaller chunks`,
    );
  return info;
}
