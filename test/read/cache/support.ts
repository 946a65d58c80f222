import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { type EventBatch, EventBatchBuilder } from '../../../src/events/event-batch.js';
import { openCached } from '../../../src/read/cache/index.js';
import type { CacheUse } from '../../../src/read/cache/use.js';
import type { BadEvent, DecodedEvents, EventFile } from '../../../src/read/event-file.js';
import { openEvents } from '../../../src/read/index.js';
import type { EventSchema } from '../../../src/read/schema/schema.js';

/** A folder for copies of files of any size, and what was warned of. */
export function cacheIn(folder: string, changes: Partial<CacheUse> = {}): CacheUse & { warnings: string[] } {
  const warnings: string[] = [];
  return { folder, write: true, least: 0, warn: line => void warnings.push(line), warnings, ...changes };
}

/** The one packed copy in a folder. */
export function onlyCopy(folder: string): string {
  const names = readdirSync(folder);
  expect(names).toEqual([expect.stringMatching(/\.packed\.arrow$/)]);
  return path.join(folder, names[0]);
}

/** Reads a file from end to end, `step` rows at a time. */
export async function readThrough(source: EventFile, step: number): Promise<DecodedEvents> {
  const builder = new EventBatchBuilder();
  const problems: BadEvent[] = [];
  try {
    for (let from = 0; from < source.events; from += step) {
      const rows = await source.read(from, Math.min(source.events, from + step));
      builder.addBatch(rows.batch);
      problems.push(...rows.problems);
    }
  } finally {
    await source.close();
  }
  return { batch: builder.build(), problems };
}

/** A copy of `file` in `folder`. */
export async function packFile(file: string, folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const use = cacheIn(folder);
  await readThrough(await openEvents(file, { cache: use }), 5000);
  expect(use.warnings).toEqual([]);
  return onlyCopy(folder);
}

/** What a row of a source made in memory is. */
export type Row =
  | {
      readonly objects: readonly (readonly [pt: number, eta: number, phi: number, kind: number])[];
      readonly id?: bigint;
    }
  | { readonly problem: string; readonly id?: bigint }
  | 'cut';

/** Events of rows, as a reader of a format gives them. */
export function decodeRows(rows: readonly Row[], from: number, to: number): DecodedEvents {
  const builder = new EventBatchBuilder();
  const problems: BadEvent[] = [];
  for (let row = from; row < to; row++) {
    const one = rows[row];
    if (one === 'cut') continue;
    if ('problem' in one) problems.push({ message: one.problem, row, eventId: one.id });
    else {
      for (const object of one.objects) builder.addObject(...object);
      builder.endEvent(row, one.id);
    }
  }
  const batch: EventBatch = builder.build();
  const hasIds = rows.some(row => row !== 'cut' && row.id !== undefined);
  return { batch: hasIds && !batch.eventIds ? { ...batch, eventIds: new BigInt64Array(0) } : batch, problems };
}

export function sourceOf(rows: readonly Row[], stride = 1): EventFile {
  return {
    events: rows.length,
    dataKind: 'event',
    hasEventIds: rows.some(row => row !== 'cut' && row.id !== undefined),
    stride,
    read: async (from, to) => decodeRows(rows, from, to),
    close: async () => undefined,
  };
}

/** Rows as they are read of a file `name`, which stands for their source, through a cache. */
export function openRows(name: string, rows: readonly Row[], use: CacheUse, schema?: EventSchema): Promise<EventFile> {
  if (!existsSync(name)) writeFileSync(name, 'a source');
  return openCached(name, schema, use, async () => sourceOf(rows));
}

/** Puts a copy back in its place, changed. */
export function damage(good: string, place: string, change: (bytes: Buffer) => Buffer): void {
  mkdirSync(path.dirname(place), { recursive: true });
  copyFileSync(good, place);
  writeFileSync(place, change(readFileSync(good)));
}

/** Changes one of a record batch's bytes, and makes all checksums fit again: what someone might do on purpose. */
export function forge(bytes: Buffer, change: (blocks: Buffer, header: Record<string, unknown>) => void): Buffer {
  const start = bytes.lastIndexOf('{"format":');
  const length = bytes.readUInt32LE(start - 4);
  const text = bytes.toString('utf8', start, start + length);
  const header = JSON.parse(text) as Record<string, unknown> & { crc32: string };
  const places = blocksOf(bytes);
  change(bytes.subarray(0, places.at(-1)?.end), header);
  const checks = Buffer.from(header.crc32, 'base64');
  for (const [i, { at, end }] of places.entries()) checks.writeUInt32LE(crc32(bytes.subarray(at, end)), 4 * i);
  header.crc32 = checks.toString('base64');
  const changed = JSON.stringify(header);
  if (Buffer.byteLength(changed) !== length) throw new Error('the header must keep its length');
  bytes.write(changed, start);
  const check = crc32(text).toString(16).padStart(8, '0');
  bytes.write(crc32(changed).toString(16).padStart(8, '0'), bytes.lastIndexOf(check));
  return bytes;
}

/** Where the record batches lie, by the marks at their starts. */
export function blocksOf(bytes: Buffer): { at: number; end: number }[] {
  const blocks: { at: number; end: number }[] = [];
  const mark = Buffer.from([255, 255, 255, 255]);
  for (let at = 8; bytes.readUInt32LE(at + 4) > 0;) {
    const end = bodyEnd(bytes, at, mark);
    blocks.push({ at, end });
    at = end;
  }
  return blocks;
}

/** Of a record batch at `at`: the table of its message says how long its body is, as int64. */
function bodyEnd(bytes: Buffer, at: number, mark: Buffer): number {
  if (!bytes.subarray(at, at + 4).equals(mark)) throw new Error(`no record batch at ${at}`);
  const message = at + 8;
  const table = message + bytes.readUInt32LE(message);
  const fields = table - bytes.readInt32LE(table);
  const bodyLength = Number(bytes.readBigInt64LE(table + bytes.readUInt16LE(fields + 4 + 2 * 3)));
  return at + 8 + bytes.readUInt32LE(at + 4) + bodyLength;
}
