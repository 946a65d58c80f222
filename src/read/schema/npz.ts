import yauzl from 'yauzl';
import { AnomalyClrError } from '../../errors.js';
import { fileError, oneLine, show } from '../../files.js';
import { arrayBranch, fixedColumn, rowsOf } from './arrays.js';
import type { BranchInfo, Column, ColumnFile } from './column-file.js';
import { bytesOf, type NpyHeader, parseNpyHeader, toNumbers } from './npy.js';

const maxEntries = 10_000;
/** A header of numpy's is about 128 bytes, more for records of many fields. */
const maxHeaderBytes = 2 ** 20;
const maxRowBytes = 2 ** 26;
const maxStrideBytes = 2 ** 22;

/**
 * The arrays of an .npz archive as branches: [rows], [rows, length] or [rows, length, width]. Of stored arrays only the
 * rows asked for are read; packed ones are unpacked from front to back, again from the front where earlier rows are asked.
 *
 * @param wanted - arrays that are to be read, which tell the number of rows; the others are only named.
 */
export async function openNpz(file: string, wanted: readonly string[]): Promise<ColumnFile> {
  const zip = await yauzl
    .openPromise(file, { lazyEntries: true, autoClose: false })
    .catch((error: unknown) => Promise.reject(damage(file, error)));
  try {
    const arrays = await readHeaders(file, zip);
    const shapes = new Map([...arrays].map(([name, { header }]) => [name, header.shape]));
    const rows = rowsOf(file, shapes, wanted);
    const rowBytes = wanted.reduce((sum, name) => sum + rowBytesOf(arrays.get(name)?.header), 0);
    if (rowBytes > maxRowBytes) throw new AnomalyClrError(`${file}: ${rowBytes} bytes a row are above ${maxRowBytes}`);
    return {
      rows,
      branches: [...arrays].map(([name, { header }]) => branchOf(name, header)),
      // no chunks to meet; what is read at once should be worth the reading
      stride: rowBytes > 0 ? Math.max(1, Math.floor(maxStrideBytes / rowBytes)) : 1,
      async read(names, from, to) {
        const columns = new Map<string, Column>();
        for (const name of names) columns.set(name, await readRows(file, name, arrays.get(name), from, to));
        return columns;
      },
      close: () => {
        for (const { bytes } of arrays.values()) bytes.close();
        zip.close();
        return Promise.resolve();
      },
    };
  } catch (error) {
    zip.close();
    throw error;
  }
}

interface NpzArray {
  readonly header: NpyHeader;
  /** Bytes before the numbers. */
  readonly start: number;
  readonly bytes: EntryBytes;
}

async function readHeaders(file: string, zip: yauzl.ZipFile): Promise<Map<string, NpzArray>> {
  const arrays = new Map<string, NpzArray>();
  try {
    for await (const entry of zip.eachEntry()) {
      if (!entry.fileName.endsWith('.npy')) continue;
      if (arrays.size >= maxEntries) throw new Error(`over ${maxEntries} arrays`);
      const name = entry.fileName.slice(0, -'.npy'.length);
      const bytes = new EntryBytes(zip, entry);
      const head = await bytes.read(0, 12);
      const { start, length } = headerPlace(head);
      if (length > maxHeaderBytes) throw new Error(`${name} has a header of ${length} bytes`);
      const header = parseNpyHeader((await bytes.read(start, start + length)).toString('latin1'));
      bytes.close();
      const expected = start + length + header.shape.reduce((a, b) => a * b, bytesOf(header));
      if (bytesOf(header) > 0 && entry.uncompressedSize !== expected)
        throw new Error(`${name} has ${entry.uncompressedSize} bytes, its header says ${expected}`);
      arrays.set(name, { header, start: start + length, bytes });
    }
  } catch (error) {
    throw damage(file, error);
  }
  return arrays;
}

/** .npy: magic, version, and the length of the header in two bytes or, from version 2 on, in four. */
function headerPlace(head: Buffer): { start: number; length: number } {
  if (head.toString('latin1', 0, 6) !== '\x93NUMPY') throw new Error('an entry that is no .npy');
  return head[6] === 1 ? { start: 10, length: head.readUInt16LE(8) } : { start: 12, length: head.readUInt32LE(8) };
}

function branchOf(name: string, { type, shape, fortran }: NpyHeader): BranchInfo {
  const transposed = fortran && shape.length > 1;
  return arrayBranch(name, transposed ? 'an array in Fortran order (save np.ascontiguousarray of it)' : type, shape);
}

function rowBytesOf(header: NpyHeader | undefined): number {
  return header ? header.shape.slice(1).reduce((a, b) => a * b, bytesOf(header)) : 0;
}

async function readRows(
  file: string,
  name: string,
  array: NpzArray | undefined,
  from: number,
  to: number,
): Promise<Column> {
  if (!array) throw new AnomalyClrError(`${file}: no array ${show(name)}`);
  const { header, start, bytes } = array;
  const rowBytes = rowBytesOf(header);
  const read = await bytes
    .read(start + from * rowBytes, start + to * rowBytes)
    .catch((error: unknown) => Promise.reject(damage(file, error)));
  return fixedColumn(toNumbers(header, read), header.shape, to - from);
}

function damage(file: string, error: unknown): AnomalyClrError {
  if (error instanceof AnomalyClrError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== undefined && /^E[A-Z]+$/.test(code)) return fileError(file, error, 'read');
  return new AnomalyClrError(
    `${file}: cannot be read (${oneLine(message)}); the file is damaged, copy or make it again`,
  );
}

/** Bytes of one entry, unpacked. */
class EntryBytes {
  private stream: AsyncIterator<Buffer> | undefined;
  private at = 0;
  private rest: Buffer = Buffer.alloc(0);

  constructor(
    private readonly zip: yauzl.ZipFile,
    private readonly entry: yauzl.Entry,
  ) {}

  /** @throws Error where there are fewer */
  async read(from: number, to: number): Promise<Buffer> {
    if (from === to) return Buffer.alloc(0);
    if (to > this.entry.uncompressedSize)
      throw new Error(`${this.entry.fileName} has ${this.entry.uncompressedSize} bytes`);
    if (this.entry.compressionMethod === 0) {
      this.at = from;
      await this.restart({ decodeFileData: false, start: from, end: to });
    } else if (!this.stream || from < this.at) {
      this.at = 0;
      await this.restart({});
    }
    await this.passOver(from - this.at);
    const out = Buffer.allocUnsafe(to - from);
    for (let got = 0; got < out.length;) {
      const part = await this.next(out.length - got);
      got += part.copy(out, got);
    }
    return out;
  }

  close(): void {
    void this.stream?.return?.()?.catch(() => undefined);
    this.stream = undefined;
    this.rest = Buffer.alloc(0);
  }

  private async restart(options: { decodeFileData?: boolean; start?: number; end?: number }): Promise<void> {
    this.close();
    const stream = await this.zip.openReadStreamPromise(this.entry, options);
    stream.on('error', () => undefined); // told where it is read
    this.stream = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  private async passOver(bytes: number): Promise<void> {
    for (let left = bytes; left > 0;) left -= (await this.next(left)).length;
  }

  /** Some bytes that come next, `most` at most. */
  private async next(most: number): Promise<Buffer> {
    if (this.rest.length === 0) {
      const read = await this.stream?.next();
      if (!read || read.done) throw new Error(`${this.entry.fileName} ends too early`);
      this.rest = read.value;
    }
    const part = this.rest.subarray(0, most);
    this.rest = this.rest.subarray(part.length);
    this.at += part.length;
    return part;
  }
}
