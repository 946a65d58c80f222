import type { Engine } from '../engine/engine.js';
import { AnomalyClrError } from '../errors.js';
import type { EventBatch } from '../events/event-batch.js';
import { openEvents, readEvents, type BadEvent, type OnBadEvent } from '../read/index.js';
import { Scorer } from './scorer.js';
import { openScoreWriter } from './write-scores.js';

export interface ScoreRequest {
  /** Folder of a trained run. */
  readonly model: string;
  readonly data: readonly string[];
  /** Scores, in the format of its suffix. */
  readonly out: string;
  readonly batch: number;
  readonly onBadEvent: OnBadEvent;
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
 * every file has it. A bad event under `skip` keeps its place with score NaN.
 */
export async function scoreFiles(request: ScoreRequest, engine: Engine): Promise<ScoreSummary> {
  const { data, batch, onBadEvent, signal } = request;
  const sizes: number[] = [];
  let hasEventIds = true;
  for (const file of data) {
    const source = await openEvents(file);
    sizes.push(source.events);
    hasEventIds &&= source.hasEventIds;
    await source.close();
  }
  const total = sizes.reduce((a, b) => a + b, 0);
  const scorer = await Scorer.open(request.model, engine);
  const writer = await openScoreWriter(request.out, { hasEventIds });
  const bar = request.progress?.({ label: 'score', total, unit: 'events' });
  const started = performance.now();
  const counts = { events: 0, skipped: 0, outsideDomain: 0 };
  const write = async (score: Float32Array, inside: Uint8Array, ids: BigInt64Array | undefined) => {
    await writer.write(score, inside, hasEventIds ? ids : undefined);
    counts.events += score.length;
    counts.outsideDomain += inside.reduce((n, flag) => n + (flag ? 0 : 1), 0);
    bar?.update(counts.events);
  };
  try {
    for (const [i, file] of data.entries()) {
      let row = 0;
      const badIds = new Map<number, bigint>();
      const onSkip = (_: string, bad: BadEvent) => bad.eventId !== undefined && badIds.set(bad.row, bad.eventId);
      for await (const events of readEvents(file, { batch, onBadEvent, onSkip })) {
        if (signal?.aborted)
          throw new AnomalyClrError(`stopped after ${counts.events} events; ${request.out} was not written`);
        const end = events.rows[events.count - 1] + 1;
        const placed = place(events, await scorer.score(events), scorer.inDomain(events), blank(row, end, badIds));
        counts.skipped += end - row - events.count;
        await write(placed.score, placed.inside, placed.ids);
        row = end;
      }
      if (row < sizes[i]) {
        counts.skipped += sizes[i] - row;
        const { score, inside, ids } = blank(row, sizes[i], badIds);
        await write(score, inside, ids);
      }
    }
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    bar?.stop();
    scorer.dispose();
  }
  return { ...counts, seconds: (performance.now() - started) / 1000 };
}

/** The rows [from, to) of a file as if all were bad events: score NaN, outside the domain. */
function blank(from: number, to: number, badIds: ReadonlyMap<number, bigint>) {
  return {
    from,
    score: new Float32Array(to - from).fill(NaN),
    inside: new Uint8Array(to - from),
    ids: BigInt64Array.from({ length: to - from }, (_, i) => badIds.get(from + i) ?? 0n),
  };
}

/** Puts the scores of the good events in their rows. */
function place(events: EventBatch, scores: Float32Array, flags: Uint8Array, rows: ReturnType<typeof blank>) {
  const { from, score, inside, ids } = rows;
  events.rows.forEach((row, i) => {
    score[row - from] = scores[i];
    inside[row - from] = flags[i];
    if (events.eventIds) ids[row - from] = events.eventIds[i];
  });
  return rows;
}
