import { existsSync } from 'node:fs';
import { open, readdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import * as z from 'zod';
import { AnomalyClrError, UsageError } from '../errors.js';
import { fileError, makeFolder, readJson, removeStaleTemporaries, writeAtomically } from '../files.js';
import { differenceOf, identitySchema, originSchema, shardWords } from './origin.js';

/** What the parts in a folder are parts of. */
const manifestSchema = z.strictObject({
  format: z.literal('anomalyclr.partial.1'),
  identity: identitySchema,
  shard: originSchema.shape.shard.optional(),
  /** Place of the first row among those of all files. */
  first: z.int().min(0),
  rows: z.int().min(0),
  /** Rows of each part; the last has what is left. */
  partRows: z.int().min(1),
  hasEventIds: z.boolean(),
});
export type Manifest = Omit<z.infer<typeof manifestSchema>, 'format'>;

/** Rows of the data files as they were scored, and how many of them have no score. [rows] each */
export interface Part {
  readonly score: Float32Array;
  readonly inDomain: Uint8Array;
  readonly eventIds: BigInt64Array | undefined;
  /** Rows with a bad event. */
  readonly skipped: number;
  /** Rows that the schema cut. */
  readonly cut: number;
}

const mark = 0x31504341; // "ACP1"
/** mark, rows, skipped, cut, 1 with event ids, CRC-32 of what follows: uint32 each */
const headBytes = 24;

/**
 * The folder beside a score file in which its scores gather, part by part, until they are all there: `manifest.json` and
 * `part-000000.bin` and so on. A part is a head of six uint32 (see `headBytes`), then score float32, EvtId int64 where
 * there are any, and in_domain uint8, little-endian. Each file appears when it is whole.
 */
export class PartFolder {
  private constructor(
    readonly folder: string,
    readonly manifest: Manifest,
  ) {}

  static folderOf(out: string): string {
    return `${out}.partial`;
  }

  /**
   * Opens the folder of `out`, or makes it.
   *
   * @param restart - whether what another request left there is thrown away
   * @throws UsageError where the folder is of another request; AnomalyClrError where it is none of ours or can't be written
   */
  static async open(out: string, manifest: Manifest, restart: boolean): Promise<PartFolder> {
    const folder = PartFolder.folderOf(out);
    const opened = new PartFolder(folder, manifest);
    const file = path.join(folder, 'manifest.json');
    if (existsSync(folder)) {
      await removeStaleTemporaries(folder, () => true); // one score at a time, whose last one may have been elsewhere
      const names = await readdir(folder).catch((error: unknown) => Promise.reject(fileError(folder, error, 'read')));
      if (names.length > 0 && !existsSync(file))
        throw new AnomalyClrError(
          `${folder}: is no folder of an interrupted score; move it away or name another --out`,
        );
      if (restart && names.length > 0) await opened.remove();
      else if (names.length > 0) {
        const before = await readJson(file, manifestSchema);
        const difference = differenceOfManifests(before, manifest);
        if (difference === undefined) return opened;
        throw new UsageError(
          `${folder}: holds scores of ${difference}; give the options they were begun with, or begin anew with --restart`,
        );
      }
    }
    await makeFolder(folder);
    await writeAtomically(file, `${JSON.stringify({ format: 'anomalyclr.partial.1', ...manifest }, null, 2)}\n`);
    return opened;
  }

  get parts(): number {
    return Math.ceil(this.manifest.rows / this.manifest.partRows);
  }

  /** Rows of part `index`. */
  rowsOf(index: number): number {
    const { rows, partRows } = this.manifest;
    return Math.min(rows, (index + 1) * partRows) - index * partRows;
  }

  private file(index: number): string {
    return path.join(this.folder, `part-${String(index).padStart(6, '0')}.bin`);
  }

  private bytesOf(index: number): number {
    return headBytes + this.rowsOf(index) * (this.manifest.hasEventIds ? 13 : 5);
  }

  /** Writes a part; whatever happens, it is there as a whole or not at all. */
  async write(index: number, { score, inDomain, eventIds, skipped, cut }: Part): Promise<void> {
    const rows = this.rowsOf(index);
    const bytes = Buffer.alloc(this.bytesOf(index));
    let at = headBytes;
    for (const column of [score, ...(eventIds ? [eventIds] : []), inDomain]) {
      bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
      at += column.byteLength;
    }
    const head = [mark, rows, skipped, cut, eventIds ? 1 : 0, crc32(bytes.subarray(headBytes))];
    for (const [i, value] of head.entries()) bytes.writeUInt32LE(value, i * 4);
    await writeAtomically(this.file(index), bytes);
  }

  /** A part; undefined where it is not there or damaged. */
  async read(index: number): Promise<Part | undefined> {
    const handle = await open(this.file(index)).catch(() => undefined);
    if (!handle) return undefined;
    let bytes: Buffer;
    try {
      bytes = await handle.readFile();
    } finally {
      await handle.close();
    }
    if (bytes.length !== this.bytesOf(index)) return undefined;
    const [found, rows, skipped, cut, ids, checksum] = Array.from({ length: 6 }, (_, i) => bytes.readUInt32LE(i * 4));
    if (found !== mark || rows !== this.rowsOf(index) || (ids === 1) !== this.manifest.hasEventIds) return undefined;
    if (crc32(bytes.subarray(headBytes)) !== checksum) return undefined;
    const body = new Uint8Array(bytes.length - headBytes);
    body.set(bytes.subarray(headBytes));
    // an int64 column has to begin at a multiple of 8
    const eventIds = ids ? new BigInt64Array(body.slice(rows * 4, rows * 12).buffer) : undefined;
    return {
      score: new Float32Array(body.buffer, 0, rows),
      inDomain: body.subarray(rows * (ids ? 12 : 4)),
      eventIds,
      skipped,
      cut,
    };
  }

  /** Removes the folder, and nothing in it that is not of this program. The manifest goes last. */
  async remove(): Promise<void> {
    try {
      const names = await readdir(this.folder);
      const ours = names.filter(name => /^part-\d{6,}\.bin$/.test(name));
      for (const name of [...ours, 'manifest.json']) await rm(path.join(this.folder, name), { force: true });
      if (names.every(name => ours.includes(name) || name === 'manifest.json')) await rmdir(this.folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw fileError(this.folder, error, 'write');
    }
  }
}

function differenceOfManifests(before: Manifest, now: Manifest): string | undefined {
  if (before.shard?.index !== now.shard?.index || before.shard?.of !== now.shard?.of)
    return `${shardWords(before.shard)}, not ${shardWords(now.shard)}`;
  const difference = differenceOf(before.identity, now.identity);
  if (difference !== undefined) return difference;
  const same = (['first', 'rows', 'partRows', 'hasEventIds'] as const).every(name => before[name] === now[name]);
  return same ? undefined : 'other rows';
}
