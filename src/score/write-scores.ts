import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { type ColumnSource, fileWriter, ParquetWriter } from 'hyparquet-writer';
import { AnomalyClrError, UsageError } from '../errors.js';
import { GrowingHdf5 } from '../read/hdf5-growing.js';
import { Hdf5Reader, statFile } from '../read/hdf5-reader.js';
import { openTemporary, writeError } from '../read/temporary-file.js';

/** Writes scores in event order. Nothing stands under the file's name until `close`. */
export interface ScoreWriter {
  /**
   * @param score - [events]
   * @param inDomain - 1 or 0. [events]
   * @param eventIds - [events], where the writer was opened with `hasEventIds`.
   */
  write(score: Float32Array, inDomain: Uint8Array, eventIds?: BigInt64Array): Promise<void>;
  /** Ends the file and puts it in place. */
  close(): Promise<void>;
  /** Removes what was written. */
  abort(): Promise<void>;
}

interface Rows {
  readonly score: Float32Array;
  readonly inDomain: Uint8Array;
  readonly eventIds: BigInt64Array | undefined;
}

interface Sink {
  write(rows: Rows): Promise<void> | void;
  close(): Promise<void>;
  abort(): Promise<void>;
}

type OpenSink = (file: string, hasEventIds: boolean) => Promise<Sink>;

const sinks: Readonly<Record<string, OpenSink>> = {
  '.h5': openHdf5,
  '.hdf5': openHdf5,
  '.csv': openCsv,
  '.parquet': openParquet,
};

/**
 * Opens a score file: `score` float32, `in_domain` uint8 and, where the input has it, `EvtId` int64, as HDF5 datasets
 * or as CSV or Parquet columns, by suffix (.h5, .hdf5, .csv, .parquet). Memory stays bounded.
 *
 * @throws {@link UsageError} for another suffix; {@link AnomalyClrError} where the file cannot be written.
 * @example
 * const writer = await openScoreWriter('scores.parquet', { hasEventIds: false });
 * await writer.write(Float32Array.of(0.3, 8.1), Uint8Array.of(1, 0));
 * await writer.close();
 */
export async function openScoreWriter(
  file: string,
  { hasEventIds }: { readonly hasEventIds: boolean },
): Promise<ScoreWriter> {
  const openSink = sinks[path.extname(file).toLowerCase()];
  if (!openSink) throw new UsageError(`${file}: unknown suffix for scores; use ${Object.keys(sinks).join(', ')}`);
  const sink = await openSink(file, hasEventIds);
  return {
    async write(score, inDomain, eventIds) {
      if (inDomain.length !== score.length || (hasEventIds && eventIds?.length !== score.length))
        throw new AnomalyClrError(
          `${file}: ${score.length} scores, ${inDomain.length} in-domain flags, ${eventIds?.length ?? 0} event ids; ` +
            'give as many of each',
        );
      try {
        await sink.write({ score, inDomain, eventIds: hasEventIds ? eventIds : undefined });
      } catch (error) {
        throw writeError(file, error);
      }
    },
    close: () => sink.close(),
    abort: () => sink.abort(),
  };
}

async function openHdf5(file: string, hasEventIds: boolean): Promise<Sink> {
  const chunk = [65536];
  const output = await GrowingHdf5.create(
    file,
    [
      { name: 'score', type: 'float32', chunk },
      { name: 'in_domain', type: 'uint8', chunk },
      ...(hasEventIds ? [{ name: 'EvtId', type: 'int64', chunk } as const] : []),
    ],
    4,
  );
  return {
    write({ score, inDomain, eventIds }) {
      output.append('score', score);
      output.append('in_domain', inDomain);
      if (eventIds) output.append('EvtId', eventIds);
    },
    close: () => output.close(),
    abort: () => output.abort(),
  };
}

async function openCsv(file: string, hasEventIds: boolean): Promise<Sink> {
  const temporary = await openTemporary(file);
  let handle: FileHandle;
  try {
    handle = await open(temporary.path, 'wx');
    await handle.write(`score,in_domain${hasEventIds ? ',EvtId' : ''}\n`);
  } catch (error) {
    await temporary.discard();
    throw writeError(file, error);
  }
  return {
    async write({ score, inDomain, eventIds }) {
      let text = '';
      for (const [i, s] of score.entries()) {
        // Nine digits tell every float32 apart.
        text += `${Number(s.toPrecision(9))},${inDomain[i]}${eventIds ? `,${eventIds[i]}` : ''}\n`;
      }
      await handle.write(text);
    },
    async close() {
      await handle.close();
      await temporary.commit();
    },
    async abort() {
      await handle.close();
      await temporary.discard();
    },
  };
}

/** Rows of a Parquet row group: large enough to pack well, small enough to hold. */
const groupRows = 65536;

async function openParquet(file: string, hasEventIds: boolean): Promise<Sink> {
  const temporary = await openTemporary(file);
  const held: Rows = {
    score: new Float32Array(groupRows),
    inDomain: new Uint8Array(groupRows),
    eventIds: hasEventIds ? new BigInt64Array(groupRows) : undefined,
  };
  let filled = 0;
  const columns = (rows: number): ColumnSource[] => [
    { name: 'score', data: held.score.slice(0, rows) },
    { name: 'in_domain', data: Int32Array.from(held.inDomain.subarray(0, rows)) },
    ...(held.eventIds ? [{ name: 'EvtId', data: held.eventIds.slice(0, rows) }] : []),
  ];
  const required = { repetition_type: 'REQUIRED' } as const;
  const schema: ConstructorParameters<typeof ParquetWriter>[0]['schema'] = [
    { name: 'root', num_children: hasEventIds ? 3 : 2 },
    { name: 'score', type: 'FLOAT', ...required },
    { name: 'in_domain', type: 'INT32', converted_type: 'UINT_8', ...required },
    ...(hasEventIds ? [{ name: 'EvtId', type: 'INT64', ...required } as const] : []),
  ];
  let parquet: ParquetWriter;
  try {
    parquet = new ParquetWriter({ writer: fileWriter(temporary.path), schema });
  } catch (error) {
    await temporary.discard();
    throw writeError(file, error);
  }
  const flush = async () => {
    if (filled > 0) await parquet.write({ columnData: columns(filled), rowGroupSize: groupRows });
    filled = 0;
  };
  return {
    async write({ score, inDomain, eventIds }) {
      for (let at = 0; at < score.length;) {
        const end = Math.min(score.length, at + groupRows - filled);
        held.score.set(score.subarray(at, end), filled);
        held.inDomain.set(inDomain.subarray(at, end), filled);
        if (eventIds) held.eventIds?.set(eventIds.subarray(at, end), filled);
        filled += end - at;
        at = end;
        if (filled === groupRows) await flush();
      }
    },
    async close() {
      try {
        await flush();
        await parquet.finish();
      } catch (error) {
        await temporary.discard();
        throw writeError(file, error);
      }
      await temporary.commit();
    },
    abort: () => temporary.discard(),
  };
}

/** Scores as read back: [events] each; `eventIds` where the file has them. */
export interface Scores {
  readonly score: Float32Array;
  readonly inDomain: Uint8Array;
  readonly eventIds?: BigInt64Array;
}

/**
 * Reads a score file (.h5, .hdf5 or .csv) into memory.
 *
 * @throws {@link UsageError} for another suffix; {@link AnomalyClrError} where it cannot be read or is no score file.
 */
export async function readScores(file: string): Promise<Scores> {
  const suffix = path.extname(file).toLowerCase();
  if (suffix === '.csv') return readCsv(file);
  if (suffix === '.h5' || suffix === '.hdf5') return readHdf5(file);
  throw new UsageError(`${file}: scores can be read from .h5, .hdf5 and .csv; write them as one of these`);
}

async function readHdf5(file: string): Promise<Scores> {
  const reader = await Hdf5Reader.open(file, ['score', 'in_domain', 'EvtId']);
  try {
    const events = reader.dataset('score')?.shape?.[0] ?? 0;
    const column = async (name: string, type: string) => {
      const info = reader.dataset(name);
      if (info?.shape?.length !== 1 || info.type !== type || info.shape[0] !== events)
        throw new AnomalyClrError(`${file}: no dataset ${name} of ${type} (${events}); is it a score file?`);
      return reader.read(name, 0, events);
    };
    const score = (await column('score', 'float32')) as Float32Array;
    const inDomain = (await column('in_domain', 'uint8')) as Uint8Array;
    if (!reader.names.includes('EvtId')) return { score, inDomain };
    return { score, inDomain, eventIds: (await column('EvtId', 'int64')) as BigInt64Array };
  } finally {
    await reader.close();
  }
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
