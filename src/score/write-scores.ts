import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { type ColumnSource, fileWriter, ParquetWriter } from 'hyparquet-writer';
import { AnomalyClrError, UsageError } from '../errors.js';
import { GrowingHdf5 } from '../read/hdf5-growing.js';
import { openTemporary, writeError } from '../read/temporary-file.js';
import { type Origin, originKey } from './origin.js';

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

type OpenSink = (file: string, hasEventIds: boolean, origin: Origin | undefined) => Promise<Sink>;

const sinks: Readonly<Record<string, OpenSink>> = {
  '.h5': openHdf5,
  '.hdf5': openHdf5,
  '.csv': openCsv,
  '.parquet': openParquet,
};

/** @throws {@link UsageError} where scores, or those of a shard, can't be written in the format of the file's suffix. */
export function checkScoreSuffix(file: string, ofShard: boolean): void {
  const suffix = path.extname(file).toLowerCase();
  if (!Object.hasOwn(sinks, suffix))
    throw new UsageError(`${file}: unknown suffix for scores; use ${Object.keys(sinks).join(', ')}`);
  if (ofShard && suffix === '.csv')
    throw new UsageError(`${file}: CSV cannot say which shard it is; use .h5, .hdf5 or .parquet, and merge to .csv`);
}

/**
 * Opens a score file: `score` float32, `in_domain` uint8 and, where the input has it, `EvtId` int64, as HDF5 datasets
 * or as CSV or Parquet columns, by suffix (.h5, .hdf5, .csv, .parquet). Memory stays bounded.
 *
 * @param about - `origin`: of the scores of a shard, what the file says of itself.
 * @throws {@link UsageError} for another suffix; {@link AnomalyClrError} where the file cannot be written.
 * @example
 * const writer = await openScoreWriter('scores.parquet', { hasEventIds: false });
 * await writer.write(Float32Array.of(0.3, 8.1), Uint8Array.of(1, 0));
 * await writer.close();
 */
export async function openScoreWriter(
  file: string,
  { hasEventIds, origin }: { readonly hasEventIds: boolean; readonly origin?: Origin | undefined },
): Promise<ScoreWriter> {
  checkScoreSuffix(file, origin !== undefined);
  const sink = await sinks[path.extname(file).toLowerCase()](file, hasEventIds, origin);
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

async function openHdf5(file: string, hasEventIds: boolean, origin: Origin | undefined): Promise<Sink> {
  const chunk = [65536];
  const output = await GrowingHdf5.create(
    file,
    [
      { name: 'score', type: 'float32', chunk },
      { name: 'in_domain', type: 'uint8', chunk },
      ...(hasEventIds ? [{ name: 'EvtId', type: 'int64', chunk } as const] : []),
    ],
    4,
    {},
    origin ? { [originKey]: JSON.stringify(origin) } : {},
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
      await handle.appendFile(text); // unlike write, to its end
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

async function openParquet(file: string, hasEventIds: boolean, origin: Origin | undefined): Promise<Sink> {
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
    const about = origin ? { kvMetadata: [{ key: originKey, value: JSON.stringify(origin) }] } : {};
    parquet = new ParquetWriter({ writer: fileWriter(temporary.path), schema, ...about });
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
