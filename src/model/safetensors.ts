import { open, type FileHandle } from 'node:fs/promises';
import { endianness } from 'node:os';
import * as z from 'zod';
import { AnomalyClrError } from '../errors.js';
import { explainIssue, fileError, show, writeAtomically } from '../files.js';

/** Element types of the format and the arrays that hold them; half floats as their bits. */
const arrays = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
  F8_E4M3: Uint8Array,
  F8_E5M2: Uint8Array,
} as const;

export type Dtype = keyof typeof arrays;
export type TensorData =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** A tensor in row-major order; `data.length` is the product of `shape` (1 for a scalar, shape []). */
export interface Tensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export interface Safetensors {
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Record<string, string>;
}

/** The reference implementation's own limit. */
const maxHeaderBytes = 100_000_000;
/** One read or write call takes less than 2 GiB. */
const chunkBytes = 2 ** 30;

const count = z.int().min(0);
const entrySchema = z.strictObject({
  dtype: z.enum(Object.keys(arrays) as [Dtype, ...Dtype[]]),
  shape: z.array(count),
  data_offsets: z.tuple([count, count]),
});
const metadataSchema = z.record(z.string(), z.string());
type Entry = z.output<typeof entrySchema>;

/**
 * Writes tensors to a safetensors file, atomically: widest elements first and then by name, so that equal contents give
 * equal bytes.
 *
 * @param metadata strings kept in the header
 * @throws AnomalyClrError when data does not fit its dtype and shape, or the file can't be written
 * @example
 * await writeSafetensors('w.safetensors', { w: { dtype: 'F32', shape: [2, 3], data: new Float32Array(6) } });
 */
export async function writeSafetensors(
  path: string,
  tensors: Map<string, Tensor> | Record<string, Tensor>,
  metadata: Record<string, string> = {},
): Promise<void> {
  requireLittleEndian();
  const entries = [...(tensors instanceof Map ? tensors : Object.entries(tensors))].toSorted(
    ([a, s], [b, t]) => arrays[t.dtype].BYTES_PER_ELEMENT - arrays[s.dtype].BYTES_PER_ELEMENT || (a < b ? -1 : 1),
  );
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : [];
  let end = 0;
  for (const [name, { dtype, shape, data }] of entries) {
    if (name === '__metadata__') throw new AnomalyClrError(`${path}: no tensor may be called __metadata__`);
    const bytes = byteLength(dtype, shape);
    if (!(data instanceof arrays[dtype]) || bytes !== data.byteLength)
      throw new AnomalyClrError(
        `${path}: tensor ${show(name)} of ${data.length} elements does not fit ${dtype} [${shape.join(', ')}]`,
      );
    header.push([name, { dtype, shape, data_offsets: [end, (end += bytes)] }]);
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const head = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' '); // padded, so that the data is aligned
  head.writeBigUInt64LE(BigInt(head.length - 8));
  json.copy(head, 8);
  await writeAtomically(path, async temporaryPath => {
    const file = await open(temporaryPath, 'wx');
    try {
      await writeAll(file, head);
      for (const [, { data }] of entries) await writeAll(file, data);
    } finally {
      await file.close();
    }
  });
}

/**
 * Reads a safetensors file whole. Every length, offset, type and name is checked before memory is taken for it.
 *
 * @throws AnomalyClrError naming the file: missing, truncated, trailing bytes, overlapping or missing ranges, duplicates
 * @example
 * const { tensors, metadata } = await readSafetensors('encoder.safetensors');
 * const embed = tensors.get('embed.weight');
 */
export async function readSafetensors(path: string): Promise<Safetensors> {
  requireLittleEndian();
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { size } = await file.stat();
    if (size < 8) throw new AnomalyClrError(`${path}: ${size} bytes are too few for a safetensors file`);
    const length = Number((await readAt(file, path, 0, 8)).readBigUInt64LE());
    if (length > maxHeaderBytes || 8 + length > size)
      throw new AnomalyClrError(
        `${path}: a header of ${length} bytes in a file of ${size}: not safetensors, or truncated`,
      );
    const { entries, metadata } = parseHeader(await readAt(file, path, 8, length), size - 8 - length, path);
    const tensors = new Map<string, Tensor>();
    for (const [
      name,
      {
        dtype,
        shape,
        data_offsets: [begin, end],
      },
    ] of entries) {
      const bytes = await readAt(file, path, 8 + length + begin, end - begin);
      tensors.set(name, { dtype, shape, data: new arrays[dtype](bytes.buffer) });
    }
    return { tensors, metadata };
  } catch (error) {
    throw fileError(path, error, 'read');
  } finally {
    await file?.close();
  }
}

/** The header's entries in order of their data; throws unless they cover `dataBytes` exactly. */
function parseHeader(
  bytes: Buffer,
  dataBytes: number,
  path: string,
): { entries: [string, Entry][]; metadata: Record<string, string> } {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    throw new AnomalyClrError(`${path}: the safetensors header is not JSON`);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw new AnomalyClrError(`${path}: the safetensors header is not an object`);
  const repeated = repeatedKey(text);
  if (repeated !== undefined) throw new AnomalyClrError(`${path}: the safetensors header has ${show(repeated)} twice`);

  let metadata: Record<string, string> = {};
  const entries: [string, Entry][] = [];
  for (const [name, value] of Object.entries(header)) {
    const where = `${path}: ${name === '__metadata__' ? 'metadata' : `tensor ${show(name)}`}`;
    if (name === '__metadata__') metadata = check(metadataSchema, value, where);
    else entries.push([name, check(entrySchema, value, where)]);
  }
  entries.sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1]);

  let at = 0;
  for (const [
    name,
    {
      dtype,
      shape,
      data_offsets: [begin, end],
    },
  ] of entries) {
    const where = `${path}: tensor ${show(name)}`;
    if (end - begin !== byteLength(dtype, shape))
      throw new AnomalyClrError(`${where}: ${end - begin} bytes do not fit ${dtype} [${shape.join(', ')}]`);
    if (begin !== at) throw new AnomalyClrError(`${where}: data begins at byte ${begin}, expected ${at}`);
    if (end > dataBytes)
      throw new AnomalyClrError(`${where}: data ends at byte ${end} of ${dataBytes}; the file is truncated`);
    at = end;
  }
  if (at !== dataBytes) throw new AnomalyClrError(`${path}: ${dataBytes - at} bytes after the last tensor`);
  return { entries, metadata };
}

function check<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value, { reportInput: true });
  if (!result.success) throw new AnomalyClrError(`${where}: ${explainIssue(result.error.issues[0])}`);
  return result.data;
}

/** A key that stands twice in one object of valid JSON `text`: JSON.parse would keep the last in silence. */
function repeatedKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (const [token, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (colon !== undefined) {
      const key = JSON.parse(token.slice(0, -colon.length)) as string;
      if (open.at(-1)?.has(key)) return key;
      open.at(-1)?.add(key);
    }
  }
  return undefined;
}

/** Bytes of a tensor; NaN or beyond exact integers for a shape that no file can hold, which then equals no length. */
function byteLength(dtype: Dtype, shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, arrays[dtype].BYTES_PER_ELEMENT);
}

/** `length` bytes in a buffer of their own, hence aligned for every element type. */
async function readAt(file: FileHandle, path: string, position: number, length: number): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.from(new ArrayBuffer(length));
  for (let at = 0; at < length;) {
    const { bytesRead } = await file.read(bytes, at, Math.min(length - at, chunkBytes), position + at);
    if (bytesRead === 0) throw new AnomalyClrError(`${path}: ended at byte ${position + at} while it was read`);
    at += bytesRead;
  }
  return bytes;
}

async function writeAll(file: FileHandle, data: TensorData): Promise<void> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < bytes.length;)
    at += (await file.write(bytes, at, Math.min(bytes.length - at, chunkBytes))).bytesWritten;
}

/** The format is little-endian, and so is every machine that Node.js is released for but one. */
function requireLittleEndian(): void {
  if (endianness() !== 'LE') throw new AnomalyClrError('safetensors files need a little-endian machine');
}
