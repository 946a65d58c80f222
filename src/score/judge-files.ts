import type { ScoreOptions } from '../config/schema.js';
import { AnomalyClrError } from '../errors.js';
import { outsideOf } from '../events/domain.js';
import type { EventBatch } from '../events/event-batch.js';
import { type BadEvent, type Reading, readEvents } from '../read/index.js';
import type { EventScorer } from './event-scorer.js';

/** Some rows of a data file. */
export interface Stretch {
  readonly file: string;
  readonly from: number;
  readonly to: number;
  /** Place of its first row among the rows of all data files. */
  readonly at: number;
}

/** Rows with their scores; a bad event, and one that the schema cuts, has score NaN and is outside the domain. [n] each */
export interface JudgedRows {
  /** Place of the first among the rows of all data files. */
  readonly at: number;
  readonly score: Float32Array;
  readonly inDomain: Uint8Array;
  /** 0 where the file does not tell it. */
  readonly eventIds: BigInt64Array;
  readonly skipped: number;
  readonly cut: number;
}

export interface JudgeOptions extends Reading {
  /** Most events scored at once. */
  readonly batch: number;
  readonly outOfDomain: ScoreOptions['outOfDomain'];
}

/**
 * Every row of the stretches, once, in order. While what is yielded is used, the next batch is scored; while that one is
 * scored, the one after is read and checked.
 *
 * @throws AnomalyClrError at a bad event under `fail`, at one outside the domain under `refuse`, where a file can't be read
 */
export async function* judgeRows(
  stretches: Iterable<Stretch>,
  scorer: EventScorer,
  { batch, outOfDomain, ...reading }: JudgeOptions,
): AsyncGenerator<JudgedRows, void, void> {
  let scoring: Promise<JudgedRows> | undefined;
  const scored = async (): Promise<JudgedRows | undefined> => {
    const rows = await scoring;
    scoring = undefined;
    return rows;
  };
  try {
    for (const { file, from, to, at } of stretches) {
      let row = from;
      const bad: Bad = new Map();
      const onSkip = (_: string, { row: place, eventId }: BadEvent) => void bad.set(place, eventId);
      for await (const events of readEvents(file, { ...reading, batch, start: from, end: to, onSkip })) {
        const first = row;
        const end = (row = events.rows[events.count - 1] + 1);
        const before = await scored();
        scoring = scorer.judge(events).then(({ score, inDomain }) => {
          if (outOfDomain === 'refuse') refuseOutside(file, scorer, events, inDomain);
          return spread(first, end, at - from, { score, inDomain, events }, bad);
        });
        scoring.catch(() => undefined); // told where it is awaited, unless another failure comes first
        if (before) yield before;
      }
      if (row < to) {
        const before = await scored();
        if (before) yield before;
        yield spread(row, to, at - from, undefined, bad);
      }
    }
  } catch (error) {
    // what was scored before it is good
    const last = await scored().catch(() => undefined);
    if (last) yield last;
    throw error;
  }
  const last = await scored();
  if (last) yield last;
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

/** Rows of bad events, with `EvtId` where the file has it. */
type Bad = Map<number, bigint | undefined>;

/** The rows [from, to) of a file: those of `good` as they are; what is neither good nor bad was cut by the schema. */
function spread(
  from: number,
  to: number,
  shift: number,
  good: { score: Float32Array; inDomain: Uint8Array; events: EventBatch } | undefined,
  bad: Bad,
): JudgedRows {
  const at = from + shift;
  const rows = to - from;
  if (good?.events.count === rows) {
    const { score, inDomain, events } = good;
    return { at, score, inDomain, eventIds: events.eventIds ?? new BigInt64Array(rows), skipped: 0, cut: 0 };
  }
  const score = new Float32Array(rows).fill(NaN);
  const inDomain = new Uint8Array(rows);
  const eventIds = new BigInt64Array(rows);
  let [skipped, cut] = [0, 0];
  for (let row = from, i = 0; row < to; row++) {
    if (good?.events.rows[i] === row) {
      score[row - from] = good.score[i];
      inDomain[row - from] = good.inDomain[i];
      eventIds[row - from] = good.events.eventIds?.[i] ?? 0n;
      i++;
    } else if (bad.has(row)) {
      eventIds[row - from] = bad.get(row) ?? 0n;
      bad.delete(row);
      skipped += 1;
    } else cut += 1;
  }
  return { at, score, inDomain, eventIds, skipped, cut };
}
