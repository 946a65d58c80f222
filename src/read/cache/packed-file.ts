import { crc32 } from 'node:zlib';
import { Footer } from 'apache-arrow/fb/footer';
import { Message } from 'apache-arrow/fb/message';
import { MessageHeader } from 'apache-arrow/fb/message-header';
import { RecordBatch } from 'apache-arrow/fb/record-batch';
import { ByteBuffer } from 'flatbuffers';
import * as z from 'zod';
import { dataKindNames } from '../../events/data-kinds.js';
import { printable } from '../../errors.js';
import { oneLine } from '../../files.js';
import { FileBytes } from './bytes.js';

/** Keys of the footer's metadata. */
export const headerKey = 'anomalyclr.packed';
export const headerCheckKey = 'anomalyclr.packed.crc32';
export const formatName = 'anomalyclr.packed.1';

const count = z.int().min(0);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const headerSchema = z.strictObject({
  format: z.literal(formatName),
  /** Of the program. */
  version: z.string(),
  /** Name of the source, without its folder. */
  source: z.string(),
  sha256: hash,
  fingerprint: z.strictObject({ size: count, changed: z.string(), sample: hash, schema: z.string() }),
  data: z.literal(dataKindNames),
  rows: count.max(2 ** 31 - 1),
  events: count,
  bad: count,
  cut: count,
  objects: count,
  hasEventIds: z.boolean(),
  stride: count.min(1),
  /** Rows in each record batch but the last, which may have fewer. */
  batchRows: count.min(1),
  /** CRC-32 of each record batch, message and body: uint32, little endian, base64. */
  crc32: z.string(),
});
/** What a packed copy says of itself. */
export type PackedHeader = z.output<typeof headerSchema>;

/** The columns of one record batch: views of its bytes. */
export interface PackedRows {
  readonly rows: number;
  /** [rows + 1], from 0; empty for a row that is no event. */
  readonly offsets: Int32Array;
  readonly pt: Float32Array;
  readonly eta: Float32Array;
  readonly phi: Float32Array;
  readonly kind: Uint8Array;
  readonly eventIds: BigInt64Array | undefined;
  /** {@link RowStatus} [rows] */
  readonly status: Uint8Array;
  /** What is wrong with a bad row. */
  problem(row: number): string;
}

/** What became of a row of the source. */
export const RowStatus = { event: 0, bad: 1, cut: 2 } as const;

/** A packed copy that cannot be used, and why. */
export class DamagedCopy extends Error {}

const magic = 'ARROW1';
const maxFooterBytes = 2 ** 28;
const maxKeys = 64;

interface Block {
  readonly at: number;
  readonly messageBytes: number;
  readonly bodyBytes: number;
}

/**
 * A packed copy, open. It lies where others may write, so nothing in it is believed: every number is checked before it is
 * followed, and the bytes of a record batch against their checksum whenever they are read, as they may change at any time.
 */
export class PackedFile {
  private constructor(
    private readonly bytes: FileBytes,
    readonly header: PackedHeader,
    private readonly blocks: readonly Block[],
    private readonly checks: Uint32Array,
  ) {}

  /** @throws DamagedCopy */
  static async open(file: string): Promise<PackedFile> {
    const bytes = await FileBytes.open(file).catch(damaged);
    try {
      return await PackedFile.examine(bytes);
    } catch (error) {
      await bytes.close();
      return damaged(error);
    }
  }

  private static async examine(bytes: FileBytes): Promise<PackedFile> {
    const end = bytes.size - magic.length - 4;
    demand(end >= 8, 'it is too short');
    const tail = Buffer.from(await bytes.read(end, bytes.size));
    demand(tail.toString('latin1', 4) === magic, 'its end is missing');
    const length = tail.readInt32LE(0);
    demand(length > 0 && length <= Math.min(end, maxFooterBytes), 'its footer is damaged');
    const footer = Footer.getRootAsFooter(new ByteBuffer(await bytes.read(end - length, end)));
    const header = readHeader(footer);
    const checks = Buffer.from(header.crc32, 'base64');
    const batches = Math.ceil(header.rows / header.batchRows);
    demand(checks.length === 4 * batches && footer.recordBatchesLength() === batches, 'its batches do not add up');
    const blocks = Array.from({ length: batches }, (_, i): Block => {
      const block = footer.recordBatches(i);
      const at = Number(block?.offset() ?? -1);
      const [messageBytes, bodyBytes] = [block?.metaDataLength() ?? -1, Number(block?.bodyLength() ?? -1)];
      const whole = at >= 8 && messageBytes > 8 && bodyBytes >= 0 && at + messageBytes + bodyBytes <= end - length;
      demand(whole && at % 8 === 0 && messageBytes % 8 === 0, 'a batch lies outside of it');
      return { at, messageBytes, bodyBytes };
    });
    return new PackedFile(
      bytes,
      header,
      blocks,
      Uint32Array.from(blocks, (_, i) => checks.readUInt32LE(4 * i)),
    );
  }

  /** @throws DamagedCopy */
  async batch(index: number): Promise<PackedRows> {
    try {
      const { at, messageBytes, bodyBytes } = this.blocks[index];
      const block = await this.bytes.read(at, at + messageBytes + bodyBytes);
      demand(crc32(block) === this.checks[index], `batch ${index} is not as it was written`);
      const { rows, batchRows, hasEventIds } = this.header;
      const expected = Math.min(batchRows, rows - index * batchRows);
      const batch = columnsOf(block.subarray(0, messageBytes), block.subarray(messageBytes), expected, hasEventIds);
      checkRows(batch);
      return batch;
    } catch (error) {
      return damaged(error);
    }
  }

  close(): Promise<void> {
    return this.bytes.close();
  }
}

function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new DamagedCopy(what);
}

/** The library that decodes throws whatever comes up. */
function damaged(error: unknown): never {
  throw error instanceof DamagedCopy ? error : new DamagedCopy(oneLine((error as Error).message));
}

function readHeader(footer: Footer): PackedHeader {
  const schema = footer.schema();
  const keys = new Map<string, string>();
  for (let i = 0; i < Math.min(maxKeys, schema?.customMetadataLength() ?? 0); i++) {
    const pair = schema?.customMetadata(i);
    keys.set(pair?.key() ?? '', pair?.value() ?? '');
  }
  const text = keys.get(headerKey) ?? '';
  demand(keys.get(headerCheckKey) === checkOf(text), 'its header is damaged');
  const header = headerSchema.safeParse(JSON.parse(text));
  demand(header.success, 'its header is of another kind');
  return header.data;
}

export const checkOf = (text: string): string => crc32(text).toString(16).padStart(8, '0');

/** Places of the buffers in a body: each column has two, of which the first says what is null. */
function columnsOf(messageBytes: Uint8Array, body: Uint8Array, rows: number, hasEventIds: boolean): PackedRows {
  const message = Message.getRootAsMessage(new ByteBuffer(messageBytes.subarray(8)));
  const batch = message.headerType() === MessageHeader.RecordBatch ? message.header(new RecordBatch()) : null;
  demand(batch instanceof RecordBatch && Number(batch.length()) === rows, 'a batch has other rows');
  const objects = Number(batch.nodes(1)?.length() ?? -1);
  demand(objects >= 0 && objects <= body.length, 'a batch has other objects');
  const view = <T>(buffer: number, items: number, type: ViewType<T>): T => {
    const found = batch.buffers(buffer);
    const [at, bytes] = [Number(found?.offset() ?? -1), Number(found?.length() ?? -1)];
    const whole = at >= 0 && at % 8 === 0 && items * type.BYTES_PER_ELEMENT <= bytes && at + bytes <= body.length;
    demand(whole, 'a column lies outside of its batch');
    return new type(body.buffer, body.byteOffset + at, items);
  };
  const ids = hasEventIds ? 2 : 0;
  const texts = view(14 + ids, rows + 1, Int32Array);
  const text = view(15 + ids, Math.max(0, texts[rows]), Uint8Array);
  return {
    rows,
    offsets: view(1, rows + 1, Int32Array),
    pt: view(4, objects, Float32Array),
    eta: view(6, objects, Float32Array),
    phi: view(8, objects, Float32Array),
    kind: view(10, objects, Uint8Array),
    eventIds: hasEventIds ? view(12, rows, BigInt64Array) : undefined,
    status: view(12 + ids, rows, Uint8Array),
    problem: row => {
      demand(texts[row] >= 0 && texts[row] <= texts[row + 1] && texts[row + 1] <= text.length, 'a text is damaged');
      return printable(Buffer.from(text.subarray(texts[row], texts[row + 1])).toString());
    },
  };
}

interface ViewType<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, at: number, items: number): T;
}

/** What every reader of events vouches for; the engine relies on it. */
function checkRows({ rows, offsets, pt, eta, phi, kind, status }: PackedRows): void {
  let good = offsets[0] === 0 && offsets[rows] === pt.length;
  for (let row = 0; row < rows; row++) {
    const objects = offsets[row + 1] - offsets[row];
    good &&= objects >= 0 && status[row] <= RowStatus.cut && (objects === 0 || status[row] === RowStatus.event);
  }
  for (let o = 0; o < pt.length; o++)
    good &&=
      pt[o] >= 0 &&
      pt[o] < Infinity &&
      Number.isFinite(eta[o]) &&
      Number.isFinite(phi[o]) &&
      kind[o] >= 1 &&
      kind[o] <= 5;
  demand(good, 'a batch holds what no event can be');
}
