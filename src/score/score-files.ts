import { existsSync } from 'node:fs';
import { type Shard, shardRows, shardText } from '../config/shard.js';
import type { ScoreOptions } from '../config/schema.js';
import { AnomalyClrError, Stopped, UsageError } from '../errors.js';
import { checkWritable } from '../files.js';
import { mustBeKnownTo } from '../read/data-kind.js';
import { openEvents, type Reading } from '../read/index.js';
import type { EventScorer } from './event-scorer.js';
import { judgeRows, type Stretch } from './judge-files.js';
import { type Identity, identityOf, type Origin } from './origin.js';
import { type Part, PartFolder } from './part-folder.js';
import { checkScoreSuffix, openScoreWriter, type ScoreWriter } from './write-scores.js';

/** Rows that are scored before they are kept for a later start. */
const partRows = 262_144;

export interface ScoreRequest extends Reading {
  readonly data: readonly string[];
  /** Scores, in the format of its suffix. */
  readonly out: string;
  readonly batch: number;
  /**
   * What becomes of an event outside the training domain: `flag`, the default, scores it; `refuse` stops at the first
   * and leaves no file; `nan` gives it the score NaN. Its flag is 0 in any case.
   */
  readonly outOfDomain?: ScoreOptions['outOfDomain'];
  /** Only this part of the rows; the file says so, for `mergeScores`. */
  readonly shard?: Shard | undefined;
  /** Whether what an interrupted score of another request left beside `out` is thrown away. */
  readonly restart?: boolean;
  /** What else the numbers depend on: an interrupted score goes on, and shards are merged, where it is the same. */
  readonly settings?: Identity['settings'];
  /** Of this program. */
  readonly version?: string;
  readonly signal?: AbortSignal;
  readonly progress?: (options: { label: string; total: number; unit: string }) => {
    update(done: number): void;
    stop(): void;
  };
  /** Is told how to go on after a failure, and that it went on. */
  readonly notice?: (line: string) => void;
  /** For tests. */
  readonly partRows?: number;
}

export interface ScoreSummary {
  /** Rows of the score file. */
  readonly events: number;
  /** Events that were bad: their score is NaN and they count as outside the domain. */
  readonly skipped: number;
  /** Events that the schema cuts: their score is NaN and their flag 0, and they are not counted as outside. */
  readonly cut: number;
  readonly outsideDomain: number;
  /** Rows of `events` that an earlier start had scored. */
  readonly resumed: number;
  readonly seconds: number;
}

/** What is to be scored, from a look at the files. */
interface Plan {
  readonly files: readonly { readonly file: string; readonly events: number }[];
  readonly hasEventIds: boolean;
  /** Rows of all files. */
  readonly total: number;
  /** Place of the first row to score, and how many there are. */
  readonly first: number;
  readonly rows: number;
}

/**
 * Scores every event of the files, in order, a batch at a time: one score and one in-domain flag an event, `EvtId` where
 * every file has it. A bad event under `skip` keeps its place with score NaN, as does one that the schema cuts. Memory is
 * bounded by a few batches and a part.
 *
 * More than a part of rows gather in a folder beside `out` first (see `PartFolder`). Whatever stops the work, the same
 * request goes on from there, and the file is the same as if it had not been stopped.
 *
 * @throws UsageError where such a folder is of another request
 * @example
 * const scorer = await openScorer({ model: 'anomalyclr.onnx' });
 * await scoreFiles({ data: ['events.h5'], out: 'scores.h5', batch: 4096, onBadEvent: 'fail' }, scorer);
 * await scorer.dispose();
 */
export async function scoreFiles(request: ScoreRequest, scorer: EventScorer): Promise<ScoreSummary> {
  const { out, shard, restart = false, outOfDomain = 'flag' } = request;
  const started = performance.now();
  checkScoreSuffix(out, shard !== undefined);
  const plan = await planOf(request, scorer);
  const step = request.partRows ?? partRows;
  const small = plan.rows <= step && !existsSync(PartFolder.folderOf(out));
  const model = small && !shard ? undefined : await scorer.fingerprint?.();
  if (model === undefined && shard)
    throw new UsageError(`shard ${shardText(shard)}: the scorer has no fingerprint to tell shards of one model by`);
  const identity = model === undefined ? undefined : await identityOf({ ...request, model, total: plan.total });
  const origin: Origin | undefined = shard &&
    identity && {
      format: 'anomalyclr.shard.1',
      identity,
      outside: outOfDomain === 'nan' ? 'nan' : 'score',
      shard,
      first: plan.first,
      rows: plan.rows,
    };
  const work: Work = { request, plan, scorer, origin, tally: new Tally(outOfDomain === 'nan') };
  const { first, rows, hasEventIds } = plan;
  let resumed = 0;
  if (small || !identity) await scoreAtOnce(work);
  else {
    const manifest = { identity, ...(shard ? { shard } : {}), first, rows, partRows: step, hasEventIds };
    await checkWritable(out);
    resumed = await scoreInParts(work, await PartFolder.open(out, manifest, restart));
  }
  return { events: rows, ...work.tally.counts, resumed, seconds: (performance.now() - started) / 1000 };
}

interface Work {
  readonly request: ScoreRequest;
  readonly plan: Plan;
  readonly scorer: EventScorer;
  readonly origin: Origin | undefined;
  readonly tally: Tally;
}

/** Counts rows on their way to the score file, and takes the score of those outside the domain where that is asked. */
class Tally {
  readonly counts = { skipped: 0, cut: 0, outsideDomain: 0 };

  constructor(private readonly nanOutside: boolean) {}

  add({ score, inDomain, skipped, cut }: Pick<Part, 'score' | 'inDomain' | 'skipped' | 'cut'>): void {
    let outside = 0;
    for (let i = 0; i < inDomain.length; i++) {
      if (inDomain[i] !== 0) continue;
      outside += 1;
      if (this.nanOutside) score[i] = NaN;
    }
    this.counts.skipped += skipped;
    this.counts.cut += cut;
    this.counts.outsideDomain += outside - cut;
  }
}

async function planOf({ data, shard, ...reading }: ScoreRequest, { domain }: EventScorer): Promise<Plan> {
  const files: { file: string; events: number }[] = [];
  let hasEventIds = true;
  for (const file of data) {
    const source = await openEvents(file, reading);
    await source.close();
    mustBeKnownTo(domain, file, source);
    files.push({ file, events: source.events });
    hasEventIds &&= source.hasEventIds;
  }
  const total = files.reduce((sum, { events }) => sum + events, 0);
  const { from, to } = shard ? shardRows(shard, total) : { from: 0, to: total };
  return { files, hasEventIds, total, first: from, rows: to - from };
}

/** The rows [from, to) of all files, cut at the ends of files and every `step` rows from `from` on. */
function* stretchesOf({ files }: Plan, from: number, to: number, step: number): Generator<Stretch> {
  let begin = 0;
  for (const { file, events } of files) {
    const end = Math.min(to, begin + events);
    for (let at = Math.max(from, begin); at < end;) {
      const next = Math.min(end, from + (Math.floor((at - from) / step) + 1) * step);
      yield { file, from: at - begin, to: next - begin, at };
      at = next;
    }
    begin += events;
  }
}

/** What judgeRows needs of a request. */
const judging = ({ batch, onBadEvent, schema, cache, seen, outOfDomain = 'flag' }: ScoreRequest) => ({
  batch,
  onBadEvent,
  schema,
  cache,
  seen,
  outOfDomain,
});

/** Straight into the score file, which stays away unless all goes well. */
async function scoreAtOnce({ request, plan, scorer, origin, tally }: Work): Promise<void> {
  const { first, rows, hasEventIds } = plan;
  const writer = await openScoreWriter(request.out, { hasEventIds, origin });
  const bar = request.progress?.({ label: 'score', total: rows, unit: 'events' });
  let done = 0;
  try {
    const stretches = stretchesOf(plan, first, first + rows, request.partRows ?? partRows);
    for await (const some of judgeRows(stretches, scorer, judging(request))) {
      if (request.signal?.aborted)
        throw new AnomalyClrError(`stopped after ${done} events; ${request.out} was not written`);
      tally.add(some);
      await writer.write(some.score, some.inDomain, hasEventIds ? some.eventIds : undefined);
      done += some.score.length;
      bar?.update(done);
    }
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    bar?.stop();
  }
}

/** By way of the folder; returns how many rows were there. */
async function scoreInParts(work: Work, partial: PartFolder): Promise<number> {
  const { request, plan } = work;
  const { out } = request;
  const bar = request.progress?.({ label: 'score', total: plan.rows, unit: 'events' });
  let kept = 0;
  try {
    const missing: number[] = [];
    for (let index = 0; index < partial.parts; index++)
      if (usable(await partial.read(index), request)) kept += partial.rowsOf(index);
      else missing.push(index);
    const resumed = kept;
    if (resumed > 0) request.notice?.(`${out}: ${resumed} of ${plan.rows} events were scored before; going on`);
    bar?.update(kept);
    await scoreMissing(work, partial, missing, (done, whole) => {
      kept += whole;
      bar?.update(resumed + done);
    });
    await writeParts(work, partial, await openScoreWriter(out, { hasEventIds: plan.hasEventIds, origin: work.origin }));
    await partial.remove();
    return resumed;
  } catch (error) {
    const there = `${kept} of ${plan.rows} events are kept in ${partial.folder}; the same command goes on from there`;
    if (error === request.signal?.reason) throw new Stopped(`stopped: ${there}`, request.signal);
    request.notice?.(there);
    throw error;
  } finally {
    bar?.stop();
  }
}

/** Whether a part may stand for what would be scored now: what stops at a bad event has to come to it again. */
function usable(part: Part | undefined, { onBadEvent, outOfDomain }: ScoreRequest): boolean {
  if (!part || (onBadEvent === 'fail' && part.skipped > 0)) return false;
  if (outOfDomain !== 'refuse') return true;
  const inside = part.inDomain.reduce((sum, flag) => sum + flag, 0);
  return inside + part.skipped + part.cut === part.inDomain.length;
}

/** @param onRows - told of rows scored in all, and of rows of a part that has become whole since it was last told */
async function scoreMissing(
  { request, plan, scorer }: Work,
  partial: PartFolder,
  missing: readonly number[],
  onRows: (done: number, whole: number) => void,
): Promise<void> {
  const { first, hasEventIds } = plan;
  const step = partial.manifest.partRows;
  function* stretches() {
    for (const index of missing) {
      const from = first + index * step;
      yield* stretchesOf(plan, from, from + partial.rowsOf(index), step);
    }
  }
  // One part is written while the next is scored.
  let writing: Promise<void> | undefined;
  let [done, whole] = [0, 0];
  const keep = (index: number, part: Part) => {
    writing = partial.write(index, part).then(() => void (whole += part.score.length));
    writing.catch(() => undefined); // told where it is awaited
  };
  const tell = (): void => {
    onRows(done, whole);
    whole = 0;
  };
  let part: Gathering | undefined;
  try {
    for await (const some of judgeRows(stretches(), scorer, judging(request))) {
      request.signal?.throwIfAborted();
      const index = Math.floor((some.at - first) / step);
      part ??= new Gathering(partial.rowsOf(index), hasEventIds);
      if (part.add(some, some.at - first - index * step)) {
        await writing;
        keep(index, part);
        part = undefined;
      }
      done += some.score.length;
      tell();
    }
  } finally {
    await writing?.catch(() => undefined);
    tell();
  }
  await writing;
}

/** A part that fills with rows in order. */
class Gathering implements Part {
  readonly score: Float32Array;
  readonly inDomain: Uint8Array;
  readonly eventIds: BigInt64Array | undefined;
  skipped = 0;
  cut = 0;

  constructor(rows: number, hasEventIds: boolean) {
    this.score = new Float32Array(rows);
    this.inDomain = new Uint8Array(rows);
    this.eventIds = hasEventIds ? new BigInt64Array(rows) : undefined;
  }

  /** Puts rows at `at`; whether they were the last. */
  add(rows: Omit<Part, 'eventIds'> & { readonly eventIds: BigInt64Array }, at: number): boolean {
    this.score.set(rows.score, at);
    this.inDomain.set(rows.inDomain, at);
    this.eventIds?.set(rows.eventIds, at);
    this.skipped += rows.skipped;
    this.cut += rows.cut;
    return at + rows.score.length === this.score.length;
  }
}

/** The score file, from parts that are all there. */
async function writeParts({ request, tally }: Work, partial: PartFolder, writer: ScoreWriter): Promise<void> {
  try {
    for (let index = 0; index < partial.parts; index++) {
      request.signal?.throwIfAborted();
      const part = await partial.read(index);
      if (!part) throw new AnomalyClrError(`${partial.folder}: part ${index} has gone or is damaged; start once more`);
      tally.add(part);
      await writer.write(part.score, part.inDomain, part.eventIds);
    }
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
