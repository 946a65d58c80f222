import { AnomalyClrError } from '../errors.js';
import type { DataKindName } from '../events/data-kinds.js';
import { type EventBatch, EventBatchBuilder, range } from '../events/event-batch.js';
import { schemaHash } from './cache/fingerprint.js';
import type { EventFile } from './event-file.js';
import { hashOf, openEvents, type Reading, readEvents, type SourceFile } from './index.js';
import { SeenFiles } from './seen-files.js';

/** Rows of a file that are read together. */
const stretchRows = 8192;
/** Files that are kept open for the next stretch. */
const openFiles = 4;

/**
 * The valid events of some files, one after another, by their place among all. They are read in stretches, which may be
 * asked for in any order, and stay in memory only if they are few.
 */
export interface EventStore {
  readonly count: number;
  readonly dataKind: DataKindName;
  /** Place of the first event of each stretch, and at the end `count`. [stretches + 1] */
  readonly first: Int32Array;
  readonly files: readonly SourceFile[];
  /** SHA-256 of the schema that they were read by; empty without one. */
  readonly schema: string;
  /** Bad events left out. */
  readonly skipped: number;
  /** What all events take as an EventBatch. */
  readonly bytes: number;
  /** All of them, where they are in memory. */
  readonly whole: EventBatch | undefined;
  /** The events of a stretch, in order. */
  read(stretch: number): Promise<EventBatch>;
  close(): Promise<void>;
}

export interface StoreOptions extends Reading {
  /** What {@link surveyFiles} says of the files. */
  readonly dataKind: DataKindName;
  /** Most events to take of all files; 0 is all. */
  readonly maxEvents: number;
  /** Events whose EventBatch is larger stay in their files. */
  readonly memoryBytes: number;
  /** Sees every event once, in order. */
  readonly onBatch?: (batch: EventBatch) => void;
}

/** Rows of a file that hold the events of a stretch. */
interface Rows {
  readonly file: string;
  readonly from: number;
  readonly to: number;
}

/**
 * Reads files once, and says how they can be read again.
 *
 * @throws AnomalyClrError where a file cannot be read
 */
export async function openStore(files: readonly string[], options: StoreOptions): Promise<EventStore> {
  const { dataKind, maxEvents, memoryBytes, onBatch, seen = new SeenFiles(), ...how } = options;
  const reading: Reading = { ...how, seen };
  const most = maxEvents > 0 ? maxEvents : Infinity;
  const sources: SourceFile[] = [];
  const stretches: Rows[] = [];
  const first = [0];
  let kept: EventBatchBuilder | undefined = new EventBatchBuilder();
  let [count, bytes, skipped] = [0, 0, 0];
  for (const file of files) {
    const before = count;
    if (count < most)
      for await (const { batch, from, to } of stretchesOf(file, reading, () => (skipped += 1))) {
        const some = range(batch, 0, Math.min(batch.count, most - count));
        onBatch?.(some);
        count += some.count;
        bytes += bytesOf(some);
        if (bytes > memoryBytes) kept = undefined;
        kept?.addBatch(some);
        if (some.count > 0) {
          stretches.push({ file, from, to });
          first.push(count);
        }
        if (count >= most) break;
      }
    sources.push({ file, events: count - before, sha256: await hashOf(file, reading) });
    await seen.check(file); // the hash is of what was read
  }
  const schema = schemaHash(reading.schema);
  const about = { count, dataKind, first: Int32Array.from(first), files: sources, schema, skipped, bytes };
  const whole = kept?.build();
  return whole ? wholeStore(whole, about) : { ...about, whole: undefined, ...reader(stretches, about.first, reading) };
}

/** Events in memory as a store. */
export function storeOf(batch: EventBatch, dataKind: DataKindName = 'event'): EventStore {
  const stretches = Math.ceil(batch.count / stretchRows);
  const first = Int32Array.from({ length: stretches + 1 }, (_, s) => Math.min(batch.count, s * stretchRows));
  return wholeStore(batch, {
    dataKind,
    files: [],
    schema: '',
    skipped: 0,
    count: batch.count,
    first,
    bytes: bytesOf(batch),
  });
}

function wholeStore(whole: EventBatch, about: Omit<EventStore, 'whole' | 'read' | 'close'>): EventStore {
  const { first } = about;
  return {
    ...about,
    whole,
    read: async stretch => range(whole, first[stretch], first[stretch + 1]),
    close: async () => undefined,
  };
}

/**
 * What the events of files are, and how many rows there are of them.
 *
 * @throws AnomalyClrError where a file cannot be opened, or holds another kind of data than the one before
 */
export async function surveyFiles(
  files: readonly string[],
  reading: Partial<Reading>,
): Promise<{ readonly dataKind: DataKindName; readonly rows: number }> {
  let found: DataKindName | undefined;
  let rows = 0;
  for (const file of files) {
    const source = await openEvents(file, reading);
    await source.close();
    if (found !== undefined && source.dataKind !== found)
      throw new AnomalyClrError(`${file}: holds ${source.dataKind}s, ${files[0]} ${found}s; train on one kind of data`);
    found = source.dataKind;
    rows += source.events;
  }
  return { dataKind: found ?? 'event', rows };
}

/** The file in order, 8192 rows at a time whatever its chunks. */
async function* stretchesOf(
  file: string,
  reading: Reading,
  onSkip: () => void,
): AsyncGenerator<{ batch: EventBatch; from: number; to: number }> {
  let parts: EventBatch[] = [];
  let from = 0;
  const stretch = () => ({ batch: joined(parts), from, to: from + stretchRows });
  for await (const batch of readEvents(file, { ...reading, batch: stretchRows, onSkip })) {
    for (let e = 0; e < batch.count;) {
      const row = batch.rows[e];
      if (row >= from + stretchRows) {
        if (parts.length > 0) yield stretch();
        parts = [];
        from = row - (row % stretchRows);
      }
      let end = e;
      while (end < batch.count && batch.rows[end] < from + stretchRows) end++;
      parts.push(range(batch, e, end));
      e = end;
    }
  }
  if (parts.length > 0) yield stretch();
}

function joined(parts: readonly EventBatch[]): EventBatch {
  if (parts.length === 1) return parts[0];
  const builder = new EventBatchBuilder();
  for (const part of parts) builder.addBatch(part);
  return builder.build();
}

const bytesOf = ({ pt, count }: EventBatch): number => 13 * pt.length + 8 * count;

function reader(stretches: readonly Rows[], first: Int32Array, reading: Reading): Pick<EventStore, 'read' | 'close'> {
  const open = new Map<string, EventFile>();
  let last: Promise<unknown> = Promise.resolve();
  const opened = async (file: string): Promise<EventFile> => {
    const ready = open.get(file) ?? (await openEvents(file, reading));
    open.delete(file); // the file used last stands at the end
    open.set(file, ready);
    const [oldest] = open;
    if (open.size > openFiles) {
      open.delete(oldest[0]);
      await oldest[1].close();
    }
    return ready;
  };
  const read = async (stretch: number): Promise<EventBatch> => {
    const { file, from, to } = stretches[stretch];
    const source = await opened(file);
    const { batch } = await source.read(from, Math.min(to, source.events));
    const wanted = first[stretch + 1] - first[stretch];
    // the last stretch may have been cut by maxEvents
    if (batch.count < wanted)
      throw new AnomalyClrError(
        `${file}: rows ${from} to ${to - 1} hold ${batch.count} events, a moment ago ${wanted}; leave it as it is until the run is done`,
      );
    return range(batch, 0, wanted);
  };
  return {
    // a file takes one request at a time
    read(stretch) {
      const result = last.then(() => read(stretch));
      last = result.catch(() => undefined);
      return result;
    },
    async close() {
      await last;
      for (const source of open.values()) await source.close();
      open.clear();
    },
  };
}
