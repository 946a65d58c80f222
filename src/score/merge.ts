import { realpath } from 'node:fs/promises';
import { shardRows, shardText } from '../config/shard.js';
import { AnomalyClrError, UsageError } from '../errors.js';
import { differenceOf, type Origin } from './origin.js';
import { openScores } from './read-scores.js';
import { checkScoreSuffix, openScoreWriter } from './write-scores.js';

/** Rows read at once: whole chunks of HDF5 and row groups of Parquet. */
const blockRows = 262_144;

export interface MergeRequest {
  /** Score files of shards, in any order. */
  readonly parts: readonly string[];
  /** Scores of all, in the format of its suffix. */
  readonly out: string;
  readonly signal?: AbortSignal;
  readonly progress?: (options: { label: string; total: number; unit: string }) => {
    update(done: number): void;
    stop(): void;
  };
}

export interface MergeSummary {
  readonly events: number;
  readonly shards: number;
  /** Events with flag 0. */
  readonly outsideDomain: number;
}

/**
 * Makes one score file of those of all shards, the same as one score of all files would have made. Memory is bounded.
 *
 * @throws AnomalyClrError naming the file where one is of no shard, of another request or twice there, or where shards
 * are missing
 * @example
 * await mergeScores({ parts: ['scores-1.h5', 'scores-2.h5'], out: 'scores.h5' });
 */
export async function mergeScores({ parts, out, signal, progress }: MergeRequest): Promise<MergeSummary> {
  checkScoreSuffix(out, false);
  const target = await realpath(out).catch(() => undefined);
  const shards: Shard[] = [];
  for (const file of parts) {
    if (target !== undefined && (await realpath(file).catch(() => undefined)) === target)
      throw new UsageError(`${out}: is one of the parts; name another --out`);
    shards.push(await look(file));
  }
  const ordered = inOrder(shards);
  const { identity } = ordered[0].origin;
  const writer = await openScoreWriter(out, { hasEventIds: ordered[0].hasEventIds });
  const bar = progress?.({ label: 'merge', total: identity.total, unit: 'events' });
  let [done, outsideDomain] = [0, 0];
  try {
    for (const { file, origin } of ordered) {
      const source = await openScores(file);
      try {
        if (JSON.stringify(source.origin) !== JSON.stringify(origin) || source.events !== origin.rows)
          throw new AnomalyClrError(`${file}: has changed while it was in use; start again`);
        for (let from = 0; from < origin.rows; from += blockRows) {
          if (signal?.aborted) throw new AnomalyClrError(`stopped after ${done} events; ${out} was not written`);
          const rows = await source.read(from, Math.min(origin.rows, from + blockRows));
          for (const flag of rows.inDomain) outsideDomain += 1 - flag;
          await writer.write(rows.score, rows.inDomain, rows.eventIds);
          done += rows.score.length;
          bar?.update(done);
        }
      } finally {
        await source.close();
      }
    }
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    bar?.stop();
  }
  return { events: done, shards: ordered.length, outsideDomain };
}

interface Shard {
  readonly file: string;
  readonly origin: Origin;
  readonly hasEventIds: boolean;
}

async function look(file: string): Promise<Shard> {
  const source = await openScores(file);
  await source.close();
  const { origin, events, hasEventIds } = source;
  if (!origin) throw new AnomalyClrError(`${file}: is not of a shard; merge takes what score --shard wrote`);
  const { from, to } = shardRows(origin.shard, origin.identity.total);
  if (origin.rows !== events || origin.first !== from || origin.rows !== to - from)
    throw new AnomalyClrError(
      `${file}: has ${events} rows, and shard ${shardText(origin.shard)} of ${origin.identity.total} has ${to - from}; ` +
        'the file is damaged, score the shard again',
    );
  return { file, origin, hasEventIds };
}

const outsideWords = { score: 'their score', nan: 'score NaN' } as const;

/** The shards from first to last, once they are known to be all of one request. */
function inOrder(shards: readonly Shard[]): Shard[] {
  const [{ file: firstFile, origin: first, hasEventIds }] = shards;
  const { of } = first.shard;
  const places = new Map<number, Shard>();
  for (const one of shards) {
    const { file, origin } = one;
    const foreign = (what: string): AnomalyClrError =>
      new AnomalyClrError(`${file}: does not belong with ${firstFile}: it is of ${what}; merge shards of one request`);
    if (origin.shard.of !== of) throw foreign(`${origin.shard.of} shards, not ${of}`);
    const difference = differenceOf(origin.identity, first.identity);
    if (difference !== undefined) throw foreign(difference);
    if (origin.outside !== first.outside)
      throw foreign(`events outside the domain with ${outsideWords[origin.outside]}`);
    if (one.hasEventIds !== hasEventIds) throw foreign(`events ${hasEventIds ? 'without' : 'with'} EvtId`);
    const before = places.get(origin.shard.index);
    if (before)
      throw new AnomalyClrError(`${file}: is shard ${shardText(origin.shard)}, as ${before.file} is; leave one out`);
    places.set(origin.shard.index, one);
  }
  const missing = Array.from({ length: of }, (_, i) => i + 1).filter(index => !places.has(index));
  if (missing.length > 0)
    throw new AnomalyClrError(
      `shard${missing.length === 1 ? '' : 's'} ${spans(missing)} of ${of} ${missing.length === 1 ? 'is' : 'are'} missing; ` +
        'score them and give their files too',
    );
  return shards.toSorted((a, b) => a.origin.shard.index - b.origin.shard.index);
}

/**
 * Numbers in words, with what lies between shortened; at most 20 stretches.
 *
 * @example
 * spans([1, 2, 3, 7]) // '1-3, 7'
 */
export function spans(numbers: readonly number[]): string {
  const stretches: [number, number][] = [];
  for (const n of numbers) {
    const last = stretches.at(-1);
    if (last && last[1] === n - 1) last[1] = n;
    else stretches.push([n, n]);
  }
  const words = stretches.slice(0, 20).map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`));
  return `${words.join(', ')}${stretches.length > 20 ? ' and more' : ''}`;
}
