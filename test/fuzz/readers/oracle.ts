import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AnomalyClrError } from '../../../src/errors.js';
import type { EventBatch } from '../../../src/events/event-batch.js';
import { type KindName, Kind, kindNames, layout } from '../../../src/events/objects.js';
import type { DecodedEvents, EventFile } from '../../../src/read/event-file.js';
import { kinematicsProblem, pi32 } from '../../../src/read/limits.js';

/** Something that no reader may do. */
export class Finding extends Error {
  override name = 'Finding';
}

export function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Finding(what);
}

/** Messages longer than this bury what they say. */
const longest = 1200;

/** One line that a terminal shows as it is. */
export function isLine(text: string, most = longest): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  return text.length > 0 && text.length <= most && !/[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(text);
}

/** Passes over an error of ours in one line that says of which file (or option); any other is a finding. */
export function refused(error: unknown, ...names: readonly string[]): void {
  if (error instanceof Finding) throw error;
  if (!(error instanceof AnomalyClrError)) throw new Finding(`unexpected ${told(error)}`, { cause: error });
  demand(isLine(error.message), `not one clean line: ${JSON.stringify(error.message.slice(0, 2000))}`);
  demand(names.length === 0 || names.some(name => error.message.includes(name)), `names no file: ${error.message}`);
}

const told = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}\n${error.stack}` : String(error);

/** How often readers took what they were given, and how often they refused it: a target has to meet both. */
export const outcomes = { read: 0, refused: 0 };

/** What `work` gives; undefined where it refuses as it may. */
export async function tried<T>(work: () => T | Promise<T>, ...names: readonly string[]): Promise<T | undefined> {
  try {
    const value = await work();
    outcomes.read += 1;
    return value;
  } catch (error) {
    refused(error, ...names);
    outcomes.refused += 1;
    return undefined;
  }
}

/** In memory where the system has such a place: half of the time would go into making files. */
const place = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const folder = mkdtempSync(path.join(place, 'anomalyclr-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** A file or folder of this process' own. */
export const scratch = (name: string): string => path.join(folder, name);

const expected = new Set<string>();

/** Another file each time: HDF5 gives what it kept of an older one that it could not close. */
export function scratchFile(name: string, bytes: Uint8Array | string): string {
  expected.add(name.split('/')[0]);
  rmSync(scratch(name), { force: true });
  writeFileSync(scratch(name), bytes);
  return scratch(name);
}

const builtIns = [Object, Array, Function, String, Number, Map, Promise, Uint8Array].map(
  ({ prototype }) => [prototype as object, Reflect.ownKeys(prototype as object).length] as const,
);

/** What an input may have left behind beyond its answer: nothing on built-in prototypes, no file that was not asked for. */
export function nothingLeft(): void {
  for (const [prototype, keys] of builtIns)
    if (Reflect.ownKeys(prototype).length !== keys) {
      for (const key of Reflect.ownKeys(prototype).slice(keys)) Reflect.deleteProperty(prototype, key);
      throw new Finding('a built-in prototype was changed');
    }
  const more = readdirSync(folder).filter(name => !expected.has(name));
  demand(more.length === 0, `files were written: ${more.join(', ')}`);
}

/** Rows that are read of a file, whatever it claims to have. */
const mostRows = 4096;

/** Reads a file of events twice and some of its rows once more, and checks all that a reader vouches for. */
export async function readThrough(file: string, open: () => Promise<EventFile>): Promise<void> {
  const source = await tried(open, file);
  if (!source) return;
  try {
    const { events, stride } = source;
    demand(Number.isSafeInteger(events) && events >= 0 && events < 2 ** 31, `${events} events`);
    demand(Number.isSafeInteger(stride) && stride >= 1, `stride ${stride}`);
    const end = Math.min(events, mostRows);
    const first = await tried(() => source.read(0, end), file);
    if (!first) return;
    checkEvents(first, source, 0, end);
    const again = await tried(() => source.read(0, end), file);
    demand((again !== undefined && same(first, again)) || unsteady(), 'read twice, it was not the same');
    const [from, to] = [Math.floor(end / 3), Math.ceil((2 * end) / 3)];
    const some = await tried(() => source.read(from, to), file);
    if (some) {
      checkEvents(some, source, from, to);
      demand(same(some, within(first, from, to)) || unsteady(), 'some rows were not the same as among all');
    }
  } finally {
    await source.close();
  }
}

/**
 * Whether the library itself gave other numbers for the same rows, as library-thread.ts notes: where a damaged file says
 * that its chunks are not packed, HDF5 fills what they lack with what its memory happens to hold.
 */
const unsteady = (): boolean => Reflect.get(globalThis, 'anomalyclrUnsteady') === true;

/** @param loose - the numbers of objects are finite, and no more is said of them */
export function checkEvents(
  { batch, problems }: DecodedEvents,
  { hasEventIds, dataKind }: Pick<EventFile, 'hasEventIds' | 'dataKind'>,
  from: number,
  to: number,
  loose = false,
): void {
  const { count, offsets, pt, eta, phi, kind, rows, eventIds } = batch;
  demand(offsets.length === count + 1 && rows.length === count && offsets[0] === 0, 'columns of another length');
  demand(offsets[count] === pt.length, `${pt.length} objects for ${offsets[count]}`);
  demand(pt.length === eta.length && eta.length === phi.length && phi.length === kind.length, 'unlike columns');
  demand(eventIds === undefined || eventIds.length === count, 'other event ids');
  demand(!hasEventIds || eventIds !== undefined || count === 0, 'event ids are missing');
  const seen = new Set<number>();
  const one = (row: number): void => {
    demand(row >= from && row < to && !seen.has(row), `row ${row} of ${from} to ${to}, or twice`);
    seen.add(row);
  };
  const perKind = new Map<number, number>();
  for (let e = 0; e < count; e++) {
    one(rows[e]);
    demand(e === 0 || rows[e] > rows[e - 1], 'rows out of order');
    demand(offsets[e + 1] >= offsets[e], 'offsets that fall');
    perKind.clear();
    for (let o = offsets[e]; o < offsets[e + 1]; o++) {
      checkObject(pt[o], eta[o], phi[o], kind[o], dataKind, loose);
      perKind.set(kind[o], (perKind.get(kind[o]) ?? 0) + 1);
    }
    if (!loose)
      for (const [code, n] of perKind) demand(n <= mostOf(kindNames[code - 1]), `${n} objects of kind ${code}`);
  }
  for (const { row, message, eventId } of problems) {
    one(row);
    demand(isLine(message) || (loose && message === ''), `not one clean line: ${JSON.stringify(message)}`);
    demand(eventId === undefined || typeof eventId === 'bigint', 'an event id that is none');
  }
}

const mostOf = (name: KindName): number => (name === 'constituent' ? 40 : layout[name].capacity);

function checkObject(
  pt: number,
  eta: number,
  phi: number,
  code: number,
  dataKind: EventFile['dataKind'],
  loose: boolean,
): void {
  if (loose) {
    demand(pt >= 0 && [pt, eta, phi].every(Number.isFinite) && code >= 1 && code <= 5, 'no object');
    return;
  }
  const problem = kinematicsProblem(code === Kind.met, pt, eta, phi);
  demand(problem === undefined && Math.abs(phi) <= pi32, `a bad object came through: ${problem ?? `phi ${phi}`}`);
  demand(dataKind === 'jet' ? code === Kind.constituent : code >= 1 && code <= 4, `kind ${code}`);
}

const columns = ['offsets', 'pt', 'eta', 'phi', 'kind', 'rows', 'eventIds'] as const;

export function same(a: DecodedEvents, b: DecodedEvents): boolean {
  const bytes = (batch: EventBatch, name: (typeof columns)[number]): Buffer => {
    const column = batch[name];
    return column ? Buffer.from(column.buffer, column.byteOffset, column.byteLength) : Buffer.alloc(0);
  };
  const text = ({ problems }: DecodedEvents): string => problems.map(p => `${p.row} ${p.message} ${p.eventId}`).join();
  return (
    a.batch.count === b.batch.count &&
    columns.every(name => bytes(a.batch, name).equals(bytes(b.batch, name))) &&
    text(a) === text(b)
  );
}

/** The rows `from` to `to - 1` of some events. */
function within({ batch, problems }: DecodedEvents, from: number, to: number): DecodedEvents {
  const inside = (row: number): boolean => row >= from && row < to;
  const first = batch.rows.findIndex(inside);
  const count = batch.rows.filter(inside).length;
  const [begin, end] = first < 0 ? [0, 0] : [batch.offsets[first], batch.offsets[first + count]];
  const at = Math.max(0, first);
  return {
    batch: {
      count,
      offsets: first < 0 ? new Int32Array(1) : batch.offsets.slice(at, at + count + 1).map(offset => offset - begin),
      pt: batch.pt.slice(begin, end),
      eta: batch.eta.slice(begin, end),
      phi: batch.phi.slice(begin, end),
      kind: batch.kind.slice(begin, end),
      rows: batch.rows.slice(at, at + count),
      ...(batch.eventIds ? { eventIds: batch.eventIds.slice(at, at + count) } : {}),
    },
    problems: problems.filter(({ row }) => inside(row)),
  };
}
