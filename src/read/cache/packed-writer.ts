import { type FileHandle, open, utimes } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import {
  AsyncByteQueue,
  Field,
  Float32,
  Int64,
  List,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  Schema,
  Struct,
  Uint8,
  Utf8,
} from 'apache-arrow';
import type { BadEvent, DecodedEvents } from '../event-file.js';
import { openTemporary, type TemporaryFile } from '../temporary-file.js';
import { checkOf, formatName, headerCheckKey, headerKey, type PackedHeader, RowStatus } from './packed-file.js';

/** What is known of the source before it is read. */
export type Source = Pick<
  PackedHeader,
  'data' | 'rows' | 'hasEventIds' | 'stride' | 'source' | 'fingerprint' | 'version'
>;

/** What the writer of the library hands over, until it is put to disk. */
class Collected extends AsyncByteQueue {
  chunks: Uint8Array[] = [];
  override write(chunk: ArrayBufferView): void {
    this.chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }
  override close(): void {}
}

/** Writes a packed copy as the rows of its source come, at bounded memory, and puts it in place when all are there. */
export class PackedWriter {
  private readonly schema: Schema;
  private readonly writer = new RecordBatchFileWriter();
  private readonly out = new Collected();
  private readonly checks: number[] = [];
  private readonly counts = { events: 0, bad: 0, cut: 0, objects: 0 };
  private pending: Pending;
  /** Rows given so far. */
  next = 0;

  private constructor(
    private readonly source: Source,
    private readonly temporary: TemporaryFile,
    private readonly handle: FileHandle,
  ) {
    this.schema = schemaOf(source.hasEventIds);
    this.pending = new Pending(Math.min(batchRows, source.rows));
    this.writer.reset(this.out, this.schema);
  }

  static async create(destination: string, source: Source): Promise<PackedWriter> {
    const temporary = await openTemporary(destination);
    try {
      return new PackedWriter(source, temporary, await open(temporary.path, 'wx'));
    } catch (error) {
      await temporary.discard();
      throw error;
    }
  }

  /** Takes the next rows, which run to `to - 1`. The arrays are copied before it returns. */
  async append({ batch, problems }: DecodedEvents, to: number): Promise<void> {
    let [event, problem] = [0, 0];
    const full: Pending[] = [];
    for (let row = this.next; row < to;) {
      if (batch.rows[event] === row) {
        const from = event;
        const room = Math.min(batch.count - from, this.pending.room);
        while (event - from < room && batch.rows[event] === row) {
          event += 1;
          row += 1;
        }
        this.pending.addEvents(batch, from, event);
        this.counts.events += event - from;
      } else {
        const bad = problems[problem]?.row === row ? problems[problem++] : undefined;
        this.pending.addOther(bad);
        this.counts[bad ? 'bad' : 'cut']++;
        row += 1;
      }
      if (this.pending.room === 0) {
        full.push(this.pending);
        this.pending = new Pending(Math.min(batchRows, this.source.rows - row));
      }
    }
    this.next = to;
    for (const one of full) await this.write(one);
  }

  private async write(rows: Pending): Promise<void> {
    const head = this.checks.length === 0 ? this.out.chunks.splice(0) : [];
    this.writer.write(rows.build(this.schema));
    const block = this.out.chunks.splice(0);
    this.checks.push(block.reduce((sum, chunk) => crc32(chunk, sum), 0));
    this.counts.objects += rows.objects;
    await this.put([...head, ...block]);
  }

  private async put(chunks: Uint8Array[]): Promise<void> {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const { bytesWritten } = await this.handle.writev(chunks);
    if (bytesWritten !== bytes) throw Object.assign(new Error('short write'), { code: 'ENOSPC' });
  }

  /** Ends the copy and gives it its name. */
  async finish(sha256: string): Promise<void> {
    const { checks, counts } = this;
    const crcs = Buffer.alloc(4 * checks.length);
    for (const [i, check] of checks.entries()) crcs.writeUInt32LE(check, 4 * i);
    const header: PackedHeader = {
      format: formatName,
      ...this.source,
      ...counts,
      sha256,
      batchRows,
      crc32: crcs.toString('base64'),
    };
    const text = JSON.stringify(header);
    this.schema.metadata.set(headerKey, text).set(headerCheckKey, checkOf(text));
    try {
      this.writer.finish();
      await this.put(this.out.chunks.splice(0));
      await this.handle.close();
      // whole seconds, which readers can leave as they are when they set the time of last use
      const now = Math.floor(Date.now() / 1000);
      await utimes(this.temporary.path, now, now);
    } catch (error) {
      await this.abort();
      throw error;
    }
    await this.temporary.commit();
  }

  /** Removes what was written. */
  async abort(): Promise<void> {
    await this.handle.close().catch(() => undefined);
    await this.temporary.discard();
  }
}

/** As many as the readers of events ask for at once. */
const batchRows = 8192;

function schemaOf(hasEventIds: boolean): Schema {
  const object = new Struct([
    new Field('pt', new Float32()),
    new Field('eta', new Float32()),
    new Field('phi', new Float32()),
    new Field('kind', new Uint8()),
  ]);
  return new Schema([
    new Field('objects', new List(new Field('item', object))),
    ...(hasEventIds ? [new Field('EvtId', new Int64())] : []),
    new Field('status', new Uint8()),
    new Field('problem', new Utf8(), true),
  ]);
}

/** The rows of one record batch as they gather. */
class Pending {
  private readonly offsets: Int32Array;
  private readonly status: Uint8Array;
  private readonly eventIds: BigInt64Array;
  private readonly problems: string[] = [];
  private columns: ReturnType<typeof columnsFor>;
  private rows = 0;
  objects = 0;

  constructor(private readonly capacity: number) {
    this.offsets = new Int32Array(capacity + 1);
    this.status = new Uint8Array(capacity);
    this.eventIds = new BigInt64Array(capacity);
    this.columns = columnsFor(8 * capacity);
  }

  get room(): number {
    return this.capacity - this.rows;
  }

  addEvents({ offsets, eventIds, ...columns }: DecodedEvents['batch'], from: number, to: number): void {
    const [first, end] = [offsets[from], offsets[to]];
    const shift = this.objects - first;
    this.reserve(this.objects + end - first);
    for (const name of ['pt', 'eta', 'phi', 'kind'] as const)
      this.columns[name].set(columns[name].subarray(first, end), this.objects);
    for (let e = from; e < to; e++) this.offsets[this.rows + 1 + e - from] = offsets[e + 1] + shift;
    if (eventIds) this.eventIds.set(eventIds.subarray(from, to), this.rows);
    this.rows += to - from;
    this.objects += end - first;
  }

  /** A row that is no event: bad, or cut by a schema. */
  addOther(bad: BadEvent | undefined): void {
    this.status[this.rows] = bad ? RowStatus.bad : RowStatus.cut;
    if (bad) this.problems[this.rows] = bad.message;
    this.eventIds[this.rows] = bad?.eventId ?? 0n;
    this.rows += 1;
    this.offsets[this.rows] = this.objects;
  }

  private reserve(objects: number): void {
    const { pt } = this.columns;
    if (objects <= pt.length) return;
    const larger = columnsFor(Math.max(objects, 2 * pt.length));
    for (const name of ['pt', 'eta', 'phi', 'kind'] as const) larger[name].set(this.columns[name]);
    this.columns = larger;
  }

  build(schema: Schema): RecordBatch {
    const { rows: length, objects, columns, offsets } = this;
    const numbers = (data: Float32Array) => ({ length: objects, nullCount: 0, data: data.subarray(0, objects) });
    const [list, ...others] = schema.fields;
    const children = [
      makeData({ type: new Float32(), ...numbers(columns.pt) }),
      makeData({ type: new Float32(), ...numbers(columns.eta) }),
      makeData({ type: new Float32(), ...numbers(columns.phi) }),
      makeData({ type: new Uint8(), length: objects, nullCount: 0, data: columns.kind.subarray(0, objects) }),
    ];
    const child = makeData({ type: list.type.children[0].type as Struct, length: objects, nullCount: 0, children });
    const made = [
      makeData({ type: list.type as List, length, nullCount: 0, valueOffsets: offsets, child }),
      ...(others.length === 3 ? [makeData({ type: new Int64(), length, nullCount: 0, data: this.eventIds })] : []),
      makeData({ type: new Uint8(), length, nullCount: 0, data: this.status }),
      problemColumn(this.problems, length),
    ];
    return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, nullCount: 0, children: made }));
  }
}

function columnsFor(objects: number) {
  return {
    pt: new Float32Array(objects),
    eta: new Float32Array(objects),
    phi: new Float32Array(objects),
    kind: new Uint8Array(objects),
  };
}

/** The texts of the rows that have one, null for the others. */
function problemColumn(problems: readonly string[], length: number) {
  const valueOffsets = new Int32Array(length + 1);
  const nullBitmap = new Uint8Array(Math.ceil(length / 8));
  const texts: Buffer[] = [];
  let end = 0;
  for (let row = 0; row < length; row++) {
    const text = problems[row];
    if (text !== undefined) {
      nullBitmap[row >> 3] |= 1 << (row & 7);
      end += texts[texts.push(Buffer.from(text)) - 1].length;
    }
    valueOffsets[row + 1] = end;
  }
  const nullCount = length - texts.length;
  return makeData({ type: new Utf8(), length, nullCount, nullBitmap, valueOffsets, data: Buffer.concat(texts) });
}
