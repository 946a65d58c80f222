import { createReadStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { AnomalyClrError, UsageError } from '../errors.js';
import { explainIssue, fileError, parseJson } from '../files.js';
import { Hdf5Reader, statFile } from '../read/hdf5-reader.js';
import { openGrouped } from '../read/schema/grouped.js';
import { parquetProgram } from '../read/schema/parquet-worker.js';
import { type Origin, originKey, originSchema } from './origin.js';

/** Scores as read back: [events] each; `eventIds` where the file has them. */
export interface Scores {
  readonly score: Float32Array;
  readonly inDomain: Uint8Array;
  readonly eventIds?: BigInt64Array;
}

/** A score file open for reading, any rows of it at a time. */
export interface ScoreSource {
  readonly events: number;
  readonly hasEventIds: boolean;
  /** What it is of, where it holds the scores of a shard. */
  readonly origin: Origin | undefined;
  /** Rows `from` to `to - 1`. One read at a time. */
  read(from: number, to: number): Promise<Scores>;
  close(): Promise<void>;
}

/**
 * Opens a score file (.h5, .hdf5 or .parquet).
 *
 * @throws {@link UsageError} for another suffix; {@link AnomalyClrError} where it cannot be read or is no score file.
 */
export async function openScores(file: string): Promise<ScoreSource> {
  const suffix = path.extname(file).toLowerCase();
  if (suffix === '.h5' || suffix === '.hdf5') return openHdf5(file);
  if (suffix === '.parquet') return openParquet(file);
  throw new UsageError(`${file}: parts of a score file can be read from .h5, .hdf5 and .parquet`);
}

/**
 * Reads a score file (.h5, .hdf5, .parquet or .csv) into memory.
 *
 * @throws {@link UsageError} for another suffix; {@link AnomalyClrError} where it cannot be read or is no score file.
 */
export async function readScores(file: string): Promise<Scores> {
  const suffix = path.extname(file).toLowerCase();
  if (suffix === '.csv') return readCsv(file);
  if (!['.h5', '.hdf5', '.parquet'].includes(suffix))
    throw new UsageError(`${file}: scores can be read from .h5, .hdf5, .parquet and .csv; write them as one of these`);
  const source = await openScores(file);
  try {
    return await source.read(0, source.events);
  } finally {
    await source.close();
  }
}

function parseOrigin(file: string, text: string | undefined): Origin | undefined {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    throw new AnomalyClrError(`${file}: ${originKey} is not valid JSON; the file is damaged, score the shard again`);
  }
  const result = originSchema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw new AnomalyClrError(
    `${file}: ${originKey}: ${explainIssue(result.error.issues[0])}; made by another version of this program?`,
  );
}

async function openHdf5(file: string): Promise<ScoreSource> {
  const reader = await Hdf5Reader.open(file, ['score', 'in_domain', 'EvtId']);
  try {
    const events = reader.dataset('score')?.shape?.[0] ?? 0;
    const hasEventIds = reader.names.includes('EvtId');
    const types = { score: 'float32', in_domain: 'uint8', ...(hasEventIds ? { EvtId: 'int64' } : {}) };
    for (const [name, type] of Object.entries(types)) {
      const info = reader.dataset(name);
      if (info?.shape?.length !== 1 || info.type !== type || info.shape[0] !== events)
        throw new AnomalyClrError(`${file}: no dataset ${name} of ${type} (${events}); is it a score file?`);
    }
    return {
      events,
      hasEventIds,
      origin: parseOrigin(file, await reader.attribute(originKey)),
      async read(from, to) {
        const score = (await reader.read('score', from, to)) as Float32Array;
        const inDomain = (await reader.read('in_domain', from, to)) as Uint8Array;
        if (!hasEventIds) return checked(file, { score, inDomain }, to - from);
        const eventIds = (await reader.read('EvtId', from, to)) as BigInt64Array;
        return checked(file, { score, inDomain, eventIds }, to - from);
      },
      close: () => reader.close(),
    };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

async function openParquet(file: string): Promise<ScoreSource> {
  await statFile(file);
  const source = await openGrouped(file, parquetProgram, 'score the events again');
  try {
    const types = new Map(source.branches.map(({ name, type, list }) => [name, list ? 'lists' : type]));
    for (const [name, type] of Object.entries({ score: 'float32', in_domain: 'uint8', EvtId: 'int64' })) {
      if (name === 'EvtId' && !types.has(name)) continue;
      if (types.get(name) !== type)
        throw new AnomalyClrError(`${file}: no column ${name} of ${type}; is it a score file?`);
    }
    const hasEventIds = types.has('EvtId');
    const names = ['score', 'in_domain', ...(hasEventIds ? ['EvtId'] : [])];
    return {
      events: source.rows,
      hasEventIds,
      origin: parseOrigin(file, source.texts.get(originKey)),
      async read(from, to) {
        const nothing = { score: new Float32Array(), inDomain: new Uint8Array() };
        if (from === to) return hasEventIds ? { ...nothing, eventIds: new BigInt64Array() } : nothing;
        const columns = await source.read(names, from, to);
        const score = columns.get('score')?.values;
        const inDomain = columns.get('in_domain')?.values;
        const eventIds = columns.get('EvtId')?.values;
        // a column with gaps comes as float64
        const whole = score instanceof Float32Array && inDomain instanceof Uint8Array;
        if (!whole || (hasEventIds && !(eventIds instanceof BigInt64Array)))
          throw new AnomalyClrError(`${file}: scores are missing in rows ${from} to ${to - 1}; the file is damaged`);
        return checked(
          file,
          { score, inDomain, ...(eventIds instanceof BigInt64Array ? { eventIds } : {}) },
          to - from,
        );
      },
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Scores as a file gives them, where they are as many as asked for and flags are 0 or 1. */
function checked(file: string, scores: Scores, rows: number): Scores {
  const { score, inDomain, eventIds = { length: rows } } = scores;
  if ([score, inDomain, eventIds].every(({ length }) => length === rows) && inDomain.every(flag => flag <= 1))
    return scores;
  throw new AnomalyClrError(`${file}: holds in_domain that is not 0 or 1, or too few rows; the file is damaged`);
}

async function readCsv(file: string): Promise<Scores> {
  await statFile(file);
  const score: number[] = [];
  const inDomain: number[] = [];
  const eventIds: bigint[] = [];
  let hasEventIds: boolean | undefined;
  const input = createReadStream(file);
  let failure: unknown;
  const lines = createInterface({ input, crlfDelay: Infinity });
  input.on('error', error => {
    failure = error;
    lines.close();
  });
  for await (const line of lines) {
    if (hasEventIds === undefined) {
      hasEventIds = line === 'score,in_domain,EvtId';
      if (!hasEventIds && line !== 'score,in_domain')
        throw new AnomalyClrError(`${file}: first line is "${line.slice(0, 60)}", expected score,in_domain[,EvtId]`);
      continue;
    }
    const match = csvRow.exec(line);
    if (!match || (match[3] !== undefined) !== hasEventIds || !isInt64(match[3] ?? '0'))
      throw new AnomalyClrError(
        `${file}: row ${score.length + 1} is "${line.slice(0, 60)}", expected as its first line says`,
      );
    score.push(Number(match[1]));
    inDomain.push(Number(match[2]));
    if (hasEventIds) eventIds.push(BigInt(match[3]));
  }
  if (failure !== undefined) throw fileError(file, failure, 'read');
  if (hasEventIds === undefined) throw new AnomalyClrError(`${file}: is empty, expected score,in_domain[,EvtId]`);
  const columns = { score: Float32Array.from(score), inDomain: Uint8Array.from(inDomain) };
  return hasEventIds ? { ...columns, eventIds: BigInt64Array.from(eventIds) } : columns;
}

const isInt64 = (text: string): boolean => text.length <= 20 && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
const csvRow = /^(-?(?:\d+(?:\.\d*)?(?:e[+-]?\d+)?|Infinity)|NaN),([01])(?:,(-?\d+))?$/;
