import { createReadStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet';
import { AnomalyClrError, UsageError } from '../errors.js';
import { explainIssue, oneLine } from '../files.js';
import { Hdf5Reader, statFile } from '../read/hdf5-reader.js';
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
    value = JSON.parse(text);
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
        if (!hasEventIds) return { score, inDomain };
        return { score, inDomain, eventIds: (await reader.read('EvtId', from, to)) as BigInt64Array };
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
  const damaged = (error: unknown): AnomalyClrError =>
    new AnomalyClrError(`${file}: cannot be read as Parquet (${oneLine((error as Error).message)}); copy it again`);
  const source = await asyncBufferFromFile(file);
  const metadata = await parquetMetadataAsync(source).catch((error: unknown) => Promise.reject(damaged(error)));
  const events = Number(metadata.num_rows);
  const names = metadata.schema.slice(1).map(({ name }) => name);
  for (const [name, type] of Object.entries({ score: 'FLOAT', in_domain: 'INT32', EvtId: 'INT64' })) {
    const column = metadata.schema.find(one => one.name === name);
    if (name === 'EvtId' && !column) continue;
    if (column?.type !== type || column.repetition_type !== 'REQUIRED')
      throw new AnomalyClrError(`${file}: no column ${name} of ${type}; is it a score file?`);
  }
  const hasEventIds = names.includes('EvtId');
  return {
    events,
    hasEventIds,
    origin: parseOrigin(file, metadata.key_value_metadata?.find(({ key }) => key === originKey)?.value),
    async read(from, to) {
      const rows = {
        score: new Float32Array(to - from),
        inDomain: new Uint8Array(to - from),
        ...(hasEventIds ? { eventIds: new BigInt64Array(to - from) } : {}),
      };
      const columns = { score: rows.score, in_domain: rows.inDomain, EvtId: rows.eventIds };
      let missing = (to - from) * (hasEventIds ? 3 : 2);
      const onChunk = ({ columnName, columnData, rowStart, rowEnd }: Chunk): void => {
        const column = columns[columnName as keyof typeof columns];
        if (!column) return;
        const [first, end] = [Math.max(from, rowStart), Math.min(to, rowEnd, rowStart + columnData.length)];
        for (let row = first; row < end; row++) column[row - from] = columnData[row - rowStart] as never;
        missing -= Math.max(0, end - first);
      };
      if (to > from)
        await parquetRead({ file: source, metadata, columns: names, rowStart: from, rowEnd: to, onChunk }).catch(
          (error: unknown) => Promise.reject(damaged(error)),
        );
      if (missing !== 0) throw damaged(new Error(`${missing} values are missing of rows ${from} to ${to - 1}`));
      return rows;
    },
    close: async () => undefined,
  };
}

interface Chunk {
  readonly columnName: string;
  readonly columnData: ArrayLike<unknown>;
  readonly rowStart: number;
  readonly rowEnd: number;
}

async function readCsv(file: string): Promise<Scores> {
  await statFile(file);
  const score: number[] = [];
  const inDomain: number[] = [];
  const eventIds: bigint[] = [];
  let hasEventIds: boolean | undefined;
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity });
  for await (const line of lines) {
    if (hasEventIds === undefined) {
      hasEventIds = line === 'score,in_domain,EvtId';
      if (!hasEventIds && line !== 'score,in_domain')
        throw new AnomalyClrError(`${file}: first line is "${line.slice(0, 60)}", expected score,in_domain[,EvtId]`);
      continue;
    }
    const match = csvRow.exec(line);
    if (!match || (match[3] !== undefined) !== hasEventIds)
      throw new AnomalyClrError(
        `${file}: row ${score.length + 1} is "${line.slice(0, 60)}", expected as its first line says`,
      );
    score.push(Number(match[1]));
    inDomain.push(Number(match[2]));
    if (hasEventIds) eventIds.push(BigInt(match[3]));
  }
  if (hasEventIds === undefined) throw new AnomalyClrError(`${file}: is empty, expected score,in_domain[,EvtId]`);
  const columns = { score: Float32Array.from(score), inDomain: Uint8Array.from(inDomain) };
  return hasEventIds ? { ...columns, eventIds: BigInt64Array.from(eventIds) } : columns;
}

const csvRow = /^(-?(?:\d+(?:\.\d*)?(?:e[+-]?\d+)?|Infinity)|NaN),([01])(?:,(-?\d+))?$/;
