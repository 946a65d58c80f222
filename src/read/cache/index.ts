import { readFileSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { packageRoot } from '../../addon.js';
import { fileError } from '../../files.js';
import type { DecodedEvents, EventFile } from '../event-file.js';
import type { EventSchema } from '../schema/schema.js';
import { type Fingerprint, fingerprintOf, GradualHash, sameFingerprint, schemaHash, sha256 } from './fingerprint.js';
import { placeOf, prepareFolder, pruneFolder, touch } from './folder.js';
import { readPacked } from './packed-events.js';
import { DamagedCopy, PackedFile } from './packed-file.js';
import { Tee } from './tee.js';
import { type CacheUse, leastBytes } from './use.js';

/** A file to be read, and where its packed copy lies or will lie. */
interface Sought {
  readonly file: string;
  readonly schema: EventSchema | undefined;
  readonly use: CacheUse;
  readonly copy: string;
}

/**
 * A file of events, from its packed copy where there is one of the file as it is now; else from itself, and where `use`
 * says so a copy is made on the way. What is wrong with a copy is told in a warning and never an error.
 *
 * @param openSource - opens the file itself.
 */
export async function openCached(
  file: string,
  schema: EventSchema | undefined,
  use: CacheUse,
  openSource: () => Promise<EventFile>,
): Promise<EventFile> {
  const sought = await seek(file, schema, use);
  if (!sought) return openSource();
  const fallBack = async (): Promise<EventFile> => {
    const source = await openSource();
    return use.write ? tee(source, sought) : source;
  };
  const packed = await openFresh(sought);
  return packed ? new CachedEvents(packed, sought, fallBack) : fallBack();
}

/** SHA-256 of a file's bytes, hexadecimal; from its packed copy where there is one of the file as it is now. */
export async function cachedHash(file: string, schema: EventSchema | undefined, use: CacheUse): Promise<string> {
  const sought = await seek(file, schema, use);
  const packed = sought && (await openFresh(sought));
  if (!packed) return sha256(file);
  await packed.close();
  return packed.header.sha256;
}

/** Undefined where the file is too small for a copy. */
async function seek(file: string, schema: EventSchema | undefined, use: CacheUse): Promise<Sought | undefined> {
  const { size } = await stat(file).catch((error: unknown) => Promise.reject(fileError(file, error, 'read')));
  if (size < (use.least ?? leastBytes)) return undefined;
  return { file, schema, use, copy: await placeOf(use.folder, file, schemaHash(schema)) };
}

/** The packed copy, if it is of the file as it is now and of this version. One that is damaged is removed. */
async function openFresh(sought: Sought): Promise<PackedFile | undefined> {
  const { file, schema, copy } = sought;
  if (!(await stat(copy).catch(() => undefined))?.isFile()) return undefined;
  await touch(copy).catch(() => undefined); // before it is opened, as the time of its change may be rounded
  let packed: PackedFile;
  try {
    packed = await PackedFile.open(copy);
  } catch (error) {
    await discard(sought, error);
    return undefined;
  }
  const { version, fingerprint } = packed.header;
  if (version === programVersion() && sameFingerprint(fingerprint, await fingerprintOf(file, schema))) return packed;
  await packed.close();
  return undefined;
}

async function discard({ file, copy, use }: Sought, error: unknown): Promise<void> {
  if (!(error instanceof DamagedCopy)) throw error;
  await rm(copy, { force: true }).catch(() => undefined);
  use.warn?.(`${copy}: this packed copy is not used (${error.message}) and removed; ${file} itself is read`);
}

/** Of copies that cannot be made each line is said once in a process. */
const told = new Set<string>();
function warnOnce(use: CacheUse, line: string): void {
  if (!told.has(line)) use.warn?.(line);
  told.add(line);
}

/** Events of a packed copy; once it proves damaged, of its source. */
class CachedEvents implements EventFile {
  readonly events: number;
  readonly dataKind: EventFile['dataKind'];
  readonly hasEventIds: boolean;
  readonly stride: number;
  private source: Promise<EventFile> | undefined;
  /** Reads under way: a consumer that stops early closes the file while it is read ahead. */
  private readonly reads = new Set<Promise<unknown>>();

  constructor(
    private readonly packed: PackedFile,
    private readonly sought: Sought,
    private readonly openSource: () => Promise<EventFile>,
  ) {
    const { rows, data, hasEventIds, stride } = packed.header;
    this.events = rows;
    this.dataKind = data;
    this.hasEventIds = hasEventIds;
    this.stride = stride;
  }

  async read(from: number, to: number): Promise<DecodedEvents> {
    const rows = this.rows(from, to);
    const ended = rows.catch(() => undefined);
    this.reads.add(ended);
    await ended;
    this.reads.delete(ended);
    return rows;
  }

  private async rows(from: number, to: number): Promise<DecodedEvents> {
    if (!this.source)
      try {
        return await readPacked(this.packed, from, to);
      } catch (error) {
        this.source ??= discard(this.sought, error).then(this.openSource);
      }
    return (await this.source).read(from, to);
  }

  async close(): Promise<void> {
    await Promise.all(this.reads);
    await this.packed.close();
    await (await this.source?.catch(() => undefined))?.close();
  }
}

async function tee(source: EventFile, { file, schema, use, copy }: Sought): Promise<EventFile> {
  let fingerprint: Fingerprint;
  try {
    fingerprint = await fingerprintOf(file, schema);
  } catch (error) {
    await source.close();
    throw error;
  }
  const { events: rows, dataKind: data, hasEventIds, stride } = source;
  return new Tee(source, {
    hash: new GradualHash(file, fingerprint.size),
    begin: async () => {
      const obstacle = await prepareFolder(use.folder, copy, fingerprint.size);
      if (obstacle !== undefined && obstacle !== 'busy') throw new Error(obstacle);
      const known = { version: programVersion(), source: path.basename(file), fingerprint };
      const { PackedWriter } = await import('./packed-writer.js'); // a large library, which only makers of copies need
      return obstacle ? undefined : PackedWriter.create(copy, { ...known, data, rows, hasEventIds, stride });
    },
    unchanged: async () => sameFingerprint(fingerprint, await fingerprintOf(file, schema)),
    done: () => pruneFolder(use.folder, copy, use.most).catch(() => undefined), // the copy is in place all the same
    failed: error =>
      warnOnce(
        use,
        `${use.folder}: no packed copy of ${path.basename(file)} is kept there (${reason(error, use.folder)})`,
      ),
  });
}

/** What the system said, without the name of the file. */
function reason(error: unknown, folder: string): string {
  const { message } = 'code' in (error as object) ? fileError(folder, error, 'write') : (error as Error);
  return message.replace(/^.*: (?=[^:]*$)/, '').replace(/;.*$/, '');
}

let version: string | undefined;
function programVersion(): string {
  version ??= String(
    (JSON.parse(readFileSync(path.join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version,
  );
  return version;
}
