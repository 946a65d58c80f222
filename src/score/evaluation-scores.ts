import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import type { Shard } from '../config/shard.js';
import { AnomalyClrError } from '../errors.js';
import { cutScores } from '../evaluate/cuts.js';
import { type EventBatch, EventBatchBuilder, range } from '../events/event-batch.js';
import { kindNames } from '../events/objects.js';
import { fileError } from '../files.js';
import type { Reading } from '../read/index.js';
import type { EventPicture } from '../report/data.js';
import { mapFile, type PartManifest, scoresFile, writeManifest } from './evaluation-part.js';
import { readStretches, rowsOfShard } from './evaluation-rows.js';
import type { EventScorer } from './event-scorer.js';
import type { Method } from './scorer.js';

/** Files of one sample, and the rows that each has. */
export interface Sample {
  readonly label: string;
  readonly files: readonly { readonly file: string; readonly rows: number }[];
  /** What events of the file at that place pass through before they are scored; as many come out. */
  readonly through?: ((events: EventBatch, file: number) => Promise<EventBatch>) | undefined;
}

/** The label of the sample that all others are compared with. */
export const backgroundLabel = 'background';

/** Most points of the representation map from background, and from each signal. */
export const mapPoints = (label: string): number => (label === backgroundLabel ? 1500 : 400);
/** How many of the most anomalous events are drawn, from background and from each signal. */
export const pictures = (label: string): number => (label === backgroundLabel ? 5 : 1);

export interface ScoringWatch {
  readonly signal?: AbortSignal | undefined;
  readonly progress?:
    | ((options: { label: string; total: number; unit: string }) => { update(done: number): void; stop(): void })
    | undefined;
}

/**
 * Scores a shard of the samples by every method and writes the part of it into `folder`. Memory is bounded by a stretch
 * of events.
 *
 * @param scorers - the model, then its further seeds
 * @param about - `shard`: left out, all rows; `identity` says of what it is a shard. `methods`: further ones, beside those
 * of the scorers and under other names
 */
export async function scorePart(
  folder: string,
  samples: readonly Sample[],
  scorers: readonly EventScorer[],
  reading: Reading,
  {
    shard,
    methods: further = [],
    ...watch
  }: ScoringWatch & {
    readonly shard?: (Shard & Pick<Shards, 'identity'>) | undefined;
    readonly methods?: readonly Method[];
  },
): Promise<PartManifest> {
  const [model] = scorers;
  const methods = await methodsOf(scorers, further);
  const files = samples.flatMap(({ files: of }, sample) => of.map((one, place) => ({ ...one, sample, place })));
  const rows = rowsOfShard(
    files.map(one => one.rows),
    shard ?? { index: 1, of: 1 },
  );
  const bar = watch.progress?.({
    label: 'evaluate',
    total: rows.reduce((n, r) => n + r.to - r.from, 0),
    unit: 'events',
  });
  const timed = { events: 0, seconds: 0 };
  const parts: SamplePart[] = [];
  try {
    for (const [sample, { label, through }] of samples.entries()) {
      const part = await SamplePart.create(folder, sample, label, methods);
      parts.push(part);
      for (const { file: place, from, to } of rows.filter(({ file }) => files[file].sample === sample)) {
        const { file, place: within } = files[place];
        const onSkip = () => (part.skipped += 1);
        for await (const events of readStretches(file, { from, to }, { ...reading, onSkip })) {
          if (watch.signal?.aborted) throw new AnomalyClrError('stopped before the evaluation was complete');
          const seen = through ? await through(events, within) : events;
          timed.seconds += await part.add(file, seen, model);
          bar?.update((timed.events += events.count));
        }
      }
      await part.close();
    }
  } finally {
    for (const part of parts) await part.close();
    bar?.stop();
  }
  const manifest: PartManifest = {
    format: 'anomalyclr.evaluation.1',
    shard: shard ?? null,
    method: model.name,
    representationSize: model.representationSize,
    seeds: scorers.map(({ seed }) => seed),
    methods: methods.map(({ name, bySeed }) => ({ name, seeds: bySeed.map(({ seed }) => seed) })),
    samples: samples.map(({ label, files: of }, i) => ({
      label,
      files: of.map(({ file }) => file),
      events: parts[i].events,
      skipped: parts[i].skipped,
      top: parts[i].top.map(one => ({ ...one, objects: [...one.objects] })),
    })),
    timed,
  };
  await writeManifest(folder, manifest);
  return manifest;
}

type Shards = NonNullable<PartManifest['shard']>;

/** A method, by the seeds that it was trained with; a cut stands under the first. */
interface SeededMethod {
  readonly name: string;
  readonly bySeed: { readonly seed: number; readonly score: (events: EventBatch) => Promise<Float32Array> }[];
}

/** The model, its comparators and the cuts of its kind of data, then further methods. */
async function methodsOf(scorers: readonly EventScorer[], further: readonly Method[]): Promise<SeededMethod[]> {
  const found = new Map<string, SeededMethod>();
  const add = (name: string, seed: number, score: Method['score']): void => {
    const method = found.get(name) ?? { name, bySeed: [] };
    found.set(name, method);
    method.bySeed.push({ seed, score });
  };
  for (const scorer of scorers)
    for (const method of [scorer, ...((await scorer.comparators?.()) ?? [])])
      add(method.name, scorer.seed, events => method.score(events));
  const { data } = scorers[0].domain;
  let last: { events: EventBatch; scores: Record<string, Float32Array> } | undefined;
  const cuts = (events: EventBatch) => {
    if (last?.events !== events) last = { events, scores: cutScores(events, data) };
    return last.scores;
  };
  for (const name of Object.keys(cutScores(new EventBatchBuilder().build(), data)))
    add(name, scorers[0].seed, events => Promise.resolve(cuts(events)[name]));
  for (const method of further) {
    if (found.has(method.name)) throw new AnomalyClrError(`method ${method.name}: there are two of this name`);
    add(method.name, scorers[0].seed, events => method.score(events));
  }
  return [...found.values()];
}

/** What a part has of one sample: scores by method and seed, some representations, the most anomalous events. */
class SamplePart {
  events = 0;
  skipped = 0;
  top: EventPicture[] = [];
  private mapped = 0;

  private constructor(
    private readonly label: string,
    private readonly methods: readonly SeededMethod[],
    /** Beside `methods` and their seeds. */
    private readonly files: readonly (readonly FloatsFile[])[],
    private readonly map: FloatsFile,
  ) {}

  static async create(
    folder: string,
    sample: number,
    label: string,
    methods: readonly SeededMethod[],
  ): Promise<SamplePart> {
    const files: FloatsFile[][] = [];
    for (const [m, { bySeed }] of methods.entries()) {
      const ofMethod: FloatsFile[] = [];
      for (const { seed } of bySeed)
        ofMethod.push(await FloatsFile.create(path.join(folder, scoresFile(sample, m, seed))));
      files.push(ofMethod);
    }
    return new SamplePart(label, methods, files, await FloatsFile.create(path.join(folder, mapFile(sample))));
  }

  /** @returns seconds that the model itself took */
  async add(file: string, events: EventBatch, model: EventScorer): Promise<number> {
    let seconds = 0;
    for (const [m, { bySeed }] of this.methods.entries())
      for (const [s, { score }] of bySeed.entries()) {
        const from = performance.now();
        const scores = await score(events);
        if (m === 0 && s === 0) {
          seconds = (performance.now() - from) / 1000;
          this.keepTop(file, events, scores);
        }
        await this.files[m][s].write(scores);
      }
    await this.keepMap(events, model);
    this.events += events.count;
    return seconds;
  }

  private async keepMap(events: EventBatch, model: EventScorer): Promise<void> {
    const wanted = Math.min(mapPoints(this.label) - this.mapped, events.count);
    if (wanted <= 0) return;
    // as many of any stretch, so that the same are computed together in every shard
    const some = range(events, 0, Math.min(mapPoints(this.label), events.count));
    const rows = await model.embed(some);
    await this.map.write(Float32Array.from(rows.subarray(0, wanted * model.representationSize)));
    this.mapped += wanted;
  }

  private keepTop(file: string, events: EventBatch, scores: Float32Array): void {
    const most = pictures(this.label);
    // an event as anomalous as the last of those found comes after it
    const least = this.top.length < most ? -Infinity : this.top[most - 1].score;
    const found: number[] = [];
    for (let e = 0; e < scores.length; e++) if (!(scores[e] <= least) || this.top.length < most) found.push(e);
    found.sort((a, b) => scores[b] - scores[a]);
    const label = this.label === backgroundLabel ? file : this.label;
    const drawn = found.slice(0, most).map(event => picture(label, events, event, scores[event]));
    this.top = mostAnomalous([...this.top, ...drawn], most);
  }

  async close(): Promise<void> {
    for (const file of [...this.files.flat(), this.map]) await file.close();
  }
}

/** The `most` of highest score, the earlier of equals first. */
export function mostAnomalous<E extends { readonly score: number }>(events: readonly E[], most: number): E[] {
  return events.toSorted((a, b) => b.score - a.score).slice(0, most);
}

function picture(label: string, events: EventBatch, event: number, score: number): EventPicture {
  const objects = Array.from({ length: events.offsets[event + 1] - events.offsets[event] }, (_, i) => {
    const o = events.offsets[event] + i;
    return { kind: kindNames[events.kind[o] - 1], pt: events.pt[o], eta: events.eta[o], phi: events.phi[o] };
  });
  const eventId = events.eventIds?.[event]?.toString();
  return { label, score, row: events.rows[event], ...(eventId === undefined ? {} : { eventId }), objects };
}

/** A file of float32, one after another. */
class FloatsFile {
  private closed = false;

  private constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  static async create(file: string): Promise<FloatsFile> {
    return new FloatsFile(
      file,
      await open(file, 'wx').catch((error: unknown) => Promise.reject(fileError(file, error, 'write'))),
    );
  }

  async write(numbers: Float32Array): Promise<void> {
    try {
      const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
      for (let at = 0; at < bytes.length;) at += (await this.handle.write(bytes, at)).bytesWritten;
    } catch (error) {
      throw fileError(this.path, error, 'write');
    }
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.handle.close();
  }
}
