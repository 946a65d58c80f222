import { AnomalyClrError, UsageError } from '../errors.js';
import type { Domain } from '../events/domain.js';
import { type EventBatch, EventBatchBuilder, range } from '../events/event-batch.js';
import { fileError } from '../files.js';
import { mustBeKnownTo } from './data-kind.js';
import type { BadEvent, EventFile, EventFormat } from './event-file.js';
import { hdf5 } from './hdf5.js';
import { sha256 } from './cache/fingerprint.js';
import { cachedHash, openCached } from './cache/index.js';
import type { CacheUse } from './cache/use.js';
import { statFile } from './hdf5-reader.js';
import { root } from './schema/root.js';
import { arrow, npz, parquet } from './schema/containers.js';
import { SeenFiles } from './seen-files.js';
import type { SchemaReport } from './schema/report.js';
import type { EventSchema } from './schema/schema.js';

export type { BadEvent, EventFile, EventFormat } from './event-file.js';
export { sha256 } from './cache/fingerprint.js';
export { writeEvents } from './write-events.js';

/** The formats that can be read: a new one is a file and a line here. */
const formats: readonly EventFormat[] = [hdf5, root, parquet, arrow, npz];

/** What to do with an event that is not valid: stop, or leave it out and say so. */
export type OnBadEvent = 'fail' | 'skip';

/** How the files of a command are read. */
export interface Reading {
  readonly onBadEvent: OnBadEvent;
  /** What branches mean; left out, a file is in the ADC2021 layout or says itself what it is. */
  readonly schema?: EventSchema | undefined;
  /** Packed copies of files; left out, none is read or made. */
  readonly cache?: CacheUse | undefined;
  /** The files of one command, none of which may change meanwhile; left out, each reading stands for itself. */
  readonly seen?: SeenFiles | undefined;
}

export interface ReadOptions extends Reading {
  /** Most events in a yielded batch. Default 8192. */
  readonly batch?: number;
  /** First row to read. Default 0. */
  readonly start?: number;
  /** Row after the last to read; past the end of the file means to its end. Default the end. */
  readonly end?: number;
  /** Told of every event left out, before the events after it are yielded; the message names the file. */
  readonly onSkip?: (message: string, event: BadEvent) => void;
  /** Told at the end what the schema did to the rows read, where one makes the events. */
  readonly onSchema?: (report: SchemaReport) => void;
}

const defaultBatch = 8192;

/**
 * Opens a file of events, its format told by content and, failing that, by suffix. Close it after use: a packed copy that
 * `cache` asks for is put in place then, if all rows were read in order.
 */
export async function openEvents(
  file: string,
  { schema, cache, seen = new SeenFiles() }: Partial<Reading> = {},
): Promise<EventFile> {
  await statFile(file);
  await seen.check(file);
  const open = async (): Promise<EventFile> => {
    await seen.check(file); // after a packed copy fell through, too
    return seen.watched(file, await openSource(file, schema));
  };
  return cache ? openCached(file, schema, cache, open) : open();
}

async function openSource(file: string, schema: EventSchema | undefined): Promise<EventFile> {
  for (const format of formats) {
    const matches = await format
      .matches(file)
      .catch((error: unknown) => Promise.reject(fileError(file, error, 'read')));
    if (matches) return format.open(file, schema);
  }
  const named = formats.find(({ suffixes }) => suffixes.some(suffix => file.toLowerCase().endsWith(suffix)));
  if (named)
    throw new AnomalyClrError(`${file}: is not ${named.name}, for all its suffix; the file is damaged or another`);
  const known = formats.map(({ name, suffixes }) => `${name} (${suffixes.join(', ')})`).join('; ');
  throw new AnomalyClrError(`${file}: not a file of events; what can be read: ${known}`);
}

/**
 * Number of events in a file, valid or not.
 *
 * @param domain - of a model that they are for: they have to be of its data kind
 */
export async function countEvents(
  file: string,
  reading: Partial<Reading> = {},
  domain?: Pick<Domain, 'data'>,
): Promise<number> {
  const source = await openEvents(file, reading);
  await source.close();
  if (domain) mustBeKnownTo(domain, file, source);
  return source.events;
}

/**
 * Streams the events of a file in order, at bounded memory: packed, checked, pT in GeV and phi within [-pi, pi].
 *
 * @throws {@link AnomalyClrError} where the file cannot be read, and at the first bad event under `'fail'`.
 * @example
 * for await (const batch of readEvents('background.h5', { onBadEvent: 'fail' })) domain.add(batch);
 */
export async function* readEvents(file: string, options: ReadOptions): AsyncGenerator<EventBatch, void, void> {
  const { batch = defaultBatch, start = 0, onBadEvent, onSkip } = options;
  if (!Number.isInteger(batch) || batch < 1) throw new UsageError(`batch is ${batch}, expected a whole number above 0`);
  const source = await openEvents(file, options);
  try {
    const end = Math.min(options.end ?? Infinity, source.events);
    if (!(start >= 0 && start <= end))
      throw new UsageError(`${file}: rows ${start} to ${end} asked for, of ${source.events} events`);
    const slab = Math.max(1, Math.floor(Math.max(batch, defaultBatch) / source.stride)) * source.stride;
    const read = (from: number) => {
      const next = from < end ? source.read(from, slabEnd(from, slab, end)) : undefined;
      next?.catch(() => undefined); // reported where it is awaited, which a consumer that stops early never does
      return next;
    };
    let ahead = read(start);
    for (let from = start; ahead; from = slabEnd(from, slab, end)) {
      const { batch: events, problems } = await ahead;
      if (onBadEvent === 'fail' && problems.length > 0)
        throw new AnomalyClrError(`${file}: ${problems[0].message}; fix the file or use --on-bad-event skip`);
      for (const problem of problems) onSkip?.(`${file}: ${problem.message}`, problem);
      ahead = read(slabEnd(from, slab, end)); // the worker reads while the consumer computes
      yield* split(events, batch);
    }
    if (source.schemaReport) options.onSchema?.(source.schemaReport());
  } finally {
    await source.close();
  }
}

function slabEnd(from: number, slab: number, end: number): number {
  return Math.min(end, (Math.floor(from / slab) + 1) * slab);
}

function* split(events: EventBatch, size: number): Generator<EventBatch> {
  for (let from = 0; from < events.count; from += size) yield range(events, from, Math.min(events.count, from + size));
}

/** What events came from. `events`: how many were taken. `sha256`: of the whole file. */
export interface SourceFile {
  readonly file: string;
  readonly events: number;
  readonly sha256: string;
}

/** Events of one or more files in memory, and what they came from. */
export interface LoadedEvents {
  readonly batch: EventBatch;
  /** Bad events left out. */
  readonly skipped: number;
  readonly files: readonly SourceFile[];
}

/**
 * Reads files one after the other into one packed batch (about 50 bytes an event, where the padded layout has 608).
 *
 * @param options - as for {@link readEvents}; `maxEvents` stops after that many valid events over all files.
 * `EvtId` is kept where every file read has it.
 */
export async function readAll(
  files: readonly string[],
  options: Reading & { readonly maxEvents?: number; readonly onSkip?: ReadOptions['onSkip'] },
): Promise<LoadedEvents> {
  const { maxEvents = Infinity, onSkip, ...reading } = options;
  const builder = new EventBatchBuilder();
  const loaded: SourceFile[] = [];
  let skipped = 0;
  let withIds = true;
  for (const file of files) {
    const before = builder.count;
    const count: ReadOptions['onSkip'] = (message, event) => {
      skipped += 1;
      onSkip?.(message, event);
    };
    if (before < maxEvents)
      for await (const batch of readEvents(file, { ...reading, onSkip: count })) {
        const room = maxEvents - builder.count;
        builder.addBatch(range(batch, 0, Math.min(batch.count, room)));
        withIds &&= batch.eventIds !== undefined;
        if (builder.count >= maxEvents) break;
      }
    loaded.push({ file, events: builder.count - before, sha256: await hashOf(file, reading) });
  }
  const { eventIds, ...batch } = builder.build();
  return { batch: eventIds && withIds ? { ...batch, eventIds } : batch, skipped, files: loaded };
}

/** SHA-256 of a file's bytes, hexadecimal; from its packed copy where `reading` has one of the file as it is now. */
export function hashOf(file: string, { schema, cache }: Partial<Reading> = {}): Promise<string> {
  return cache ? cachedHash(file, schema, cache) : sha256(file);
}
