import type { ScoreOptions } from '../config/schema.js';
import { AnomalyClrError } from '../errors.js';
import { outsideOf } from '../events/domain.js';
import type { EventBatch } from '../events/event-batch.js';
import { openEvents, readEvents, type BadEvent, type OnBadEvent } from '../read/index.js';
import type { EventScorer } from './event-scorer.js';
import { openScoreWriter } from './write-scores.js';

export interface ScoreRequest {
  readonly data: readonly string[];
  /** Scores, in the format of its suffix. */
  readonly out: string;
  readonly batch: number;
  readonly onBadEvent: OnBadEvent;
  /**
   * What becomes of an event outside the training domain: `flag`, the default, scores it; `refuse` stops at the first
   * and leaves no file; `nan` gives it the score NaN. Its flag is 0 in any case.
   */
  readonly outOfDomain?: ScoreOptions['outOfDomain'];
  readonly signal?: AbortSignal;
  readonly progress?: (options: { label: string; total: number; unit: string }) => {
    update(done: number): void;
    stop(): void;
  };
}

export interface ScoreSummary {
  readonly events: number;
  /** Events that were bad: their score is NaN and they count as outside the domain. */
  readonly skipped: number;
  readonly outsideDomain: number;
  readonly seconds: number;
}

/**
 * Scores every event of the files, in order, a batch at a time: one score and one in-domain flag an event, `EvtId` where
 * every file has it. A bad event under `skip` keeps its place with score NaN. Memory is bounded by a few batches.
 *
 * @example
 * const scorer = await openScorer({ model: 'anomalyclr.onnx' });
 * await scoreFiles({ data: ['events.h5'], out: 'scores.h5', batch: 4096, onBadEvent: 'fail' }, scorer);
 * await scorer.dispose();
 */
export async function scoreFiles(request: ScoreRequest, scorer: EventScorer): Promise<ScoreSummary> {
  const { data, batch, onBadEvent, outOfDomain = 'flag', signal } = request;
  const sizes: number[] = [];
  let hasEventIds = true;
  for (const file of data) {
    const source = await openEvents(file);
    sizes.push(source.events);
    hasEventIds &&= source.hasEventIds;
    await source.close();
  }
  const total = sizes.reduce((a, b) => a + b, 0);
  const writer = await openScoreWriter(request.out, { hasEventIds });
  const bar = request.progress?.({ label: 'score', total, unit: 'events' });
  const started = performance.now();
  const counts = { events: 0, skipped: 0, outsideDomain: 0 };
  const write = async ({ score, inside, ids }: Rows) => {
    await writer.write(score, inside, hasEventIds ? ids : undefined);
    counts.events += score.length;
    for (const flag of inside) counts.outsideDomain += 1 - flag;
    bar?.update(counts.events);
  };
  // While a batch is scored, the next one is read and checked here and the one before is written.
  let scoring: Promise<Rows> | undefined;
  const scored = async (): Promise<Rows | undefined> => {
    const rows = await scoring;
    scoring = undefined;
    return rows;
  };
  try {
    for (const [i, file] of data.entries()) {
      let row = 0;
      const badIds = new Map<number, bigint>();
      const onSkip = (_: string, bad: BadEvent) => {
        counts.skipped++;
        if (bad.eventId !== undefined) badIds.set(bad.row, bad.eventId);
      };
      for await (const events of readEvents(file, { batch, onBadEvent, onSkip })) {
        if (signal?.aborted)
          throw new AnomalyClrError(`stopped after ${counts.events} events; ${request.out} was not written`);
        const from = row;
        const end = (row = events.rows[events.count - 1] + 1);
        const before = await scored();
        scoring = scorer.judge(events).then(({ score, inDomain: inside }) => {
          if (outOfDomain === 'refuse') refuseOutside(file, scorer, events, inside);
          if (outOfDomain === 'nan') for (const [e, flag] of inside.entries()) if (flag === 0) score[e] = NaN;
          return spread(from, end, { score, inside, events }, badIds);
        });
        scoring.catch(() => undefined); // told where it is awaited, unless another failure comes first
        if (before) await write(before);
      }
      if (row < sizes[i]) {
        const before = await scored();
        if (before) await write(before);
        await write(spread(row, sizes[i], undefined, badIds));
      }
    }
    const last = await scored();
    if (last) await write(last);
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    bar?.stop();
  }
  return { ...counts, seconds: (performance.now() - started) / 1000 };
}

/** @throws AnomalyClrError at the first event outside the domain, with its boundaries that it crosses */
function refuseOutside(file: string, { domain }: EventScorer, events: EventBatch, inside: Uint8Array): void {
  const event = inside.indexOf(0);
  if (event < 0) return;
  const crossed = outsideOf(domain, events, event).join('; ');
  throw new AnomalyClrError(
    `${file}: event ${events.rows[event]} is outside the training domain: ${crossed}; ` +
      'to score such events all the same use --out-of-domain flag, to give them NaN use --out-of-domain nan',
  );
}

/** What is written of some rows of a file. */
interface Rows {
  readonly score: Float32Array;
  readonly inside: Uint8Array;
  readonly ids: BigInt64Array | undefined;
}

/** The rows [from, to) of a file: those of `good` as they are, bad ones with score NaN and outside the domain. */
function spread(
  from: number,
  to: number,
  good: (Pick<Rows, 'score' | 'inside'> & { readonly events: EventBatch }) | undefined,
  badIds: Map<number, bigint>,
): Rows {
  if (good?.events.count === to - from) return { ...good, ids: good.events.eventIds };
  const score = new Float32Array(to - from).fill(NaN);
  const inside = new Uint8Array(to - from);
  const ids = new BigInt64Array(to - from);
  for (let row = from, i = 0; row < to; row++) {
    if (good?.events.rows[i] === row) {
      score[row - from] = good.score[i];
      inside[row - from] = good.inside[i];
      ids[row - from] = good.events.eventIds?.[i] ?? 0n;
      i++;
    } else {
      ids[row - from] = badIds.get(row) ?? 0n;
      badIds.delete(row);
    }
  }
  return { score, inside, ids };
}
