import { open } from 'node:fs/promises';
import type { Dataset, File } from 'h5wasm/node';
import { AnomalyClrError } from '../errors.js';
import { type TemporaryFile, openTemporary, writeError } from './temporary-file.js';

/** A dataset that grows by rows. */
export interface GrowingDataset {
  readonly name: string;
  readonly type: 'float32' | 'uint8' | 'int64';
  /** Shape of a chunk, rows first; a row has the shape of `chunk` without its first axis, or `row` where given. */
  readonly chunk: readonly number[];
  readonly row?: readonly number[];
}

const types = {
  float32: { dtype: '<f', array: Float32Array, bytes: 4 },
  uint8: { dtype: '<B', array: Uint8Array, bytes: 1 },
  int64: { dtype: '<q', array: BigInt64Array, bytes: 8 },
} as const;

/**
 * An HDF5 file of datasets that grow by rows, gzip after shuffle, written at bounded memory under a temporary name and
 * put in place by `close`.
 */
export class GrowingHdf5 {
  private constructor(
    private readonly destination: string,
    private readonly temporary: TemporaryFile,
    private readonly file: File,
    private readonly datasets: ReadonlyMap<string, Pending>,
  ) {}

  /**
   * @param gzip - level 1 to 9, or 0 for none.
   * @param names - byte-string datasets to write beside.
   * @param attributes - texts of the file itself, ASCII, together below 60 kB.
   */
  static async create(
    destination: string,
    datasets: readonly GrowingDataset[],
    gzip: number,
    names: Readonly<Record<string, readonly string[]>> = {},
    attributes: Readonly<Record<string, string>> = {},
  ): Promise<GrowingHdf5> {
    const { default: h5wasm } = await import('h5wasm/node'); // 4 MB, which only writers need in this thread
    (await h5wasm.ready).activate_throwing_error_handler();
    const temporary = await openTemporary(destination);
    let file: File | undefined;
    try {
      // Oldest layout: its headers carry no checksums (see insertShuffle), and every HDF5 reads it.
      file = new h5wasm.File(temporary.path, 'w', { libver: ['earliest', 'latest'] });
      for (const [i, dataset] of datasets.entries()) createGrowing(file, dataset, roomyDeflate(gzip, i));
      for (const [name, values] of Object.entries(names)) {
        const width = Math.max(...values.map(value => value.length));
        file.create_dataset({ name, data: [...values], dtype: `S${width}` });
      }
      file.close();
      file = undefined;
      if (gzip > 0) await insertShuffle(temporary.path, datasets, gzip);
      file = new h5wasm.File(temporary.path, 'a');
      if (gzip > 0) for (const { name } of datasets) checkFilters(file, name);
      for (const [name, text] of Object.entries(attributes)) file.create_attribute(name, text, null, `S${text.length}`);
      return new GrowingHdf5(destination, temporary, file, new Map(datasets.map(d => [d.name, emptyPending(d)])));
    } catch (error) {
      if (file) closeFailed(file);
      await temporary.discard();
      throw writeError(destination, error);
    }
  }

  /** Adds rows to the end of a dataset. They are written in whole chunks, since a packed chunk can't be added to. */
  append(name: string, values: Float32Array | Uint8Array | BigInt64Array): void {
    const dataset = this.datasets.get(name);
    if (!dataset) throw new Error(`no dataset ${name}`);
    const { chunkValues, pending } = dataset;
    for (let at = 0; at < values.length;) {
      const part = values.subarray(at, at + chunkValues - dataset.filled);
      pending.set(part as never, dataset.filled);
      dataset.filled += part.length;
      at += part.length;
      if (dataset.filled === chunkValues) this.flush(name);
    }
  }

  private flush(name: string): void {
    const growing = this.datasets.get(name);
    if (!growing?.filled) return;
    try {
      const dataset = this.file.get(name) as Dataset;
      const [rows, ...row] = dataset.shape ?? [];
      const end = rows + growing.filled / row.reduce((a, b) => a * b, 1);
      dataset.resize([end, ...row]);
      dataset.write_slice([[rows, end]], growing.pending.subarray(0, growing.filled));
      growing.filled = 0;
    } catch (error) {
      throw writeError(this.destination, error);
    }
  }

  /** Ends the file and gives it its name; on failure nothing is left. */
  async close(): Promise<void> {
    try {
      for (const name of this.datasets.keys()) this.flush(name);
      this.file.close();
    } catch (error) {
      await this.temporary.discard();
      throw writeError(this.destination, error);
    }
    await this.temporary.commit();
  }

  /** Removes what was written. */
  async abort(): Promise<void> {
    closeFailed(this.file);
    await this.temporary.discard();
  }
}

/** After a failure closing may fail as well, and the first error is the one to tell. */
function closeFailed(file: File): void {
  try {
    file.close();
  } catch {
    // The file is about to be removed.
  }
}

/** Values of the chunk that is being filled. */
interface Pending {
  readonly chunkValues: number;
  readonly pending: Float32Array | Uint8Array | BigInt64Array;
  filled: number;
}

function emptyPending({ type, chunk, row = chunk.slice(1) }: GrowingDataset): Pending {
  const chunkValues = row.reduce((a, b) => a * b, chunk[0]);
  return { chunkValues, pending: new types[type].array(chunkValues), filled: 0 };
}

function createGrowing(
  file: File,
  { name, type, chunk, row = chunk.slice(1) }: GrowingDataset,
  deflate: readonly number[],
): void {
  file.create_dataset({
    name,
    data: new types[type].array(0),
    dtype: types[type].dtype,
    shape: [0, ...row],
    maxshape: [null, ...row],
    chunks: [...chunk],
    ...(deflate[0] > 0 ? { compression: 1, compression_opts: [...deflate] } : {}),
  });
}

/**
 * h5wasm sets one filter a dataset. So the dataset is made with deflate and seven parameters more than deflate has,
 * which makes its filter message just as long (56 bytes) as one of shuffle and deflate, and that one is then put there.
 * The seven are a mark to find the message of dataset `index` by.
 */
const mark = [0x5b1f7a03, 0x11c9d2e5, 0x6a40be77, 0x2f03c81d, 0x73e6a9b1, 0x0d58f44b];
const roomyDeflate = (gzip: number, index: number) => [gzip, ...mark, index];

/** One filter of a version 1 filter pipeline message: id, length of name, flags, number of parameters, name, parameters. */
function filterEntry(id: number, name: string, parameters: readonly number[]): Buffer {
  const entry = Buffer.alloc(16 + 4 * (parameters.length + (parameters.length % 2)));
  for (const [i, field] of [id, 8, 0, parameters.length].entries()) entry.writeUInt16LE(field, i * 2);
  entry.write(name, 8, 'latin1');
  for (const [i, parameter] of parameters.entries()) entry.writeUInt32LE(parameter, 16 + i * 4);
  return entry;
}

function pipelineMessage(...filters: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([1, filters.length, 0, 0, 0, 0, 0, 0]), ...filters]);
}

async function insertShuffle(path: string, datasets: readonly GrowingDataset[], gzip: number): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    const bytes = await handle.readFile();
    for (const [i, { name, type }] of datasets.entries()) {
      const at = bytes.indexOf(pipelineMessage(filterEntry(1, 'deflate', roomyDeflate(gzip, i))));
      if (at < 0) throw new AnomalyClrError(`${name}: its filters are not where h5wasm 0.10 puts them`);
      const both = [filterEntry(2, 'shuffle', [types[type].bytes]), filterEntry(1, 'deflate', [gzip])];
      const message = pipelineMessage(...both);
      await handle.write(message, 0, message.length, at);
    }
  } finally {
    await handle.close();
  }
}

function checkFilters(file: File, name: string): void {
  const filters = (file.get(name) as Dataset).filters.map(({ id }) => id);
  if (filters.join() !== '2,1')
    throw new AnomalyClrError(`${name}: filters ${filters.join()} set in place of shuffle, gzip`);
}
