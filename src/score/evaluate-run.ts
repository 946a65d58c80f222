import type { Floats } from '../addon.js';
import type { NamedFile } from '../config/option.js';
import { AnomalyClrError } from '../errors.js';
import { cutScores } from '../evaluate/cuts.js';
import { curvePoints } from '../evaluate/curve.js';
import { evaluateMethods, type Evaluation, type ScoredSeed } from '../evaluate/evaluation.js';
import { roc } from '../evaluate/roc.js';
import { range, type EventBatch } from '../events/event-batch.js';
import { kindNames } from '../events/objects.js';
import { countEvents, readEvents, type OnBadEvent } from '../read/index.js';
import type { EventPicture, ReportData } from '../report/data.js';
import { spectrum } from '../report/histogram.js';
import type { EventScorer } from './event-scorer.js';
import { fitPreparation } from './prepare.js';
import type { Method } from './scorer.js';

export interface EvaluateRequest {
  readonly background: readonly string[];
  readonly signals: readonly NamedFile[];
  readonly onBadEvent: OnBadEvent;
  readonly signal?: AbortSignal;
  readonly progress?: (options: { label: string; total: number; unit: string }) => {
    update(done: number): void;
    stop(): void;
  };
  readonly warn?: (line: string) => void;
}

/** An evaluation, and what a report shows beside its figures. */
export interface EvaluatedRun {
  readonly evaluation: Evaluation;
  readonly parts: Pick<ReportData, 'method' | 'evaluation' | 'curves' | 'spectra' | 'map' | 'events'>;
  readonly seeds: readonly number[];
  /** Events through the model's own encoder and detector. */
  readonly scoredPerSecond: number;
}

const batchEvents = 8192;
/** Most points of the representation map from background, and from each signal. */
const mapPoints = { background: 1500, signal: 400 };
/** How many of the most anomalous events are drawn, from background and from each signal. */
const pictures = { background: 5, signal: 1 };
const backgroundLabel = 'background';

/**
 * Scores background and signals by a model, its further seeds, its comparators and plain cuts, and works out how well
 * each finds each signal. Files are streamed: what stays in memory is the scores.
 *
 * @param scorers the model, then its further seeds; see openScorers
 */
export async function evaluateRun(request: EvaluateRequest, scorers: readonly EventScorer[]): Promise<EvaluatedRun> {
  const samples: Sample[] = [new Sample(backgroundLabel, request.background)];
  for (const { name } of request.signals)
    if (name === backgroundLabel || request.signals.filter(other => other.name === name).length > 1)
      throw new AnomalyClrError(
        `--signal ${name}=...: each signal needs a name of its own, other than ${backgroundLabel}`,
      );
  for (const { name, file } of request.signals) samples.push(new Sample(name, [file]));
  let total = 0;
  for (const { files } of samples) for (const file of files) total += await countEvents(file);

  const seeds: { seed: number; methods: Method[] }[] = [];
  for (const scorer of scorers)
    seeds.push({ seed: scorer.seed, methods: [scorer, ...((await scorer.comparators?.()) ?? [])] });
  const bar = request.progress?.({ label: 'evaluate', total, unit: 'events' });
  let done = 0;
  let ours = 0;
  for (const sample of samples)
    for (const file of sample.files)
      for await (const events of readEvents(file, {
        batch: batchEvents,
        onBadEvent: request.onBadEvent,
        onSkip: () => sample.skipped++,
      })) {
        if (request.signal?.aborted) throw new AnomalyClrError('stopped before the evaluation was complete');
        for (const { seed, methods } of seeds)
          for (const method of methods) {
            const from = performance.now();
            const scores = await method.score(events);
            if (method === scorers[0]) {
              ours += performance.now() - from;
              sample.remember(file, events, scores, await representations(scorers[0], events, sample));
            }
            sample.add(method.name, seed, scores);
          }
        for (const [name, scores] of Object.entries(cutScores(events))) sample.add(name, seeds[0].seed, scores);
        bar?.update((done += events.count));
      }
  bar?.stop();
  for (const { label, skipped } of samples)
    if (skipped > 0) request.warn?.(`${label}: ${skipped} bad events were left out`);
  const empty = samples.find(sample => sample.count === 0);
  if (empty) throw new AnomalyClrError(`${empty.files.join(', ')}: no events to evaluate on`);
  return {
    ...summarise(samples, scorers[0]),
    seeds: seeds.map(({ seed }) => seed),
    scoredPerSecond: done / Math.max(ours / 1000, 1e-9),
  };
}

/** Representations of as many events as the map still wants. */
async function representations(scorer: EventScorer, events: EventBatch, sample: Sample): Promise<Floats> {
  const wanted = Math.min(sample.mapWants(), events.count);
  if (wanted === 0) return new Float32Array(0);
  return scorer.embed(range(events, 0, wanted));
}

/** What is kept of one sample: scores by method and seed, some representations, the most anomalous events. */
class Sample {
  readonly scores = new Map<string, Map<number, Float32Array[]>>();
  readonly mapRows: Floats[] = [];
  top: EventPicture[] = [];
  count = 0;
  skipped = 0;
  private mapped = 0;

  constructor(
    readonly label: string,
    readonly files: readonly string[],
  ) {}

  private get kind(): 'background' | 'signal' {
    return this.label === backgroundLabel ? 'background' : 'signal';
  }
  mapWants(): number {
    return mapPoints[this.kind] - this.mapped;
  }

  add(method: string, seed: number, scores: Float32Array): void {
    const bySeed = this.scores.get(method) ?? new Map<number, Float32Array[]>();
    this.scores.set(method, bySeed);
    bySeed.set(seed, [...(bySeed.get(seed) ?? []), scores]);
  }

  remember(file: string, events: EventBatch, scores: Float32Array, rows: Floats): void {
    this.count += events.count;
    this.mapRows.push(rows);
    this.mapped += Math.min(this.mapWants(), events.count);
    const order = Array.from(scores.keys())
      .sort((a, b) => scores[b] - scores[a])
      .slice(0, pictures[this.kind]);
    const found = order.map(event =>
      picture(this.kind === 'background' ? file : this.label, events, event, scores[event]),
    );
    this.top = [...this.top, ...found].sort((a, b) => b.score - a.score).slice(0, pictures[this.kind]);
  }

  /** All scores of a method and seed, in the order of the events. */
  all(method: string, seed: number): Float32Array {
    const parts = this.scores.get(method)?.get(seed) ?? [];
    const whole = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

function picture(label: string, events: EventBatch, event: number, score: number): EventPicture {
  const objects = Array.from({ length: events.offsets[event + 1] - events.offsets[event] }, (_, i) => {
    const o = events.offsets[event] + i;
    return { kind: kindNames[events.kind[o] - 1], pt: events.pt[o], eta: events.eta[o], phi: events.phi[o] };
  });
  const eventId = events.eventIds?.[event]?.toString();
  return { label, score, row: events.rows[event], ...(eventId === undefined ? {} : { eventId }), objects };
}

function summarise(samples: readonly Sample[], scorer: EventScorer): Pick<EvaluatedRun, 'evaluation' | 'parts'> {
  const [background, ...signals] = samples;
  const methods: Record<string, ScoredSeed[]> = {};
  for (const [method, bySeed] of background.scores)
    methods[method] = [...bySeed.keys()].map(seed => ({
      seed,
      background: background.all(method, seed),
      signals: Object.fromEntries(signals.map(s => [s.label, s.all(method, seed)])),
    }));
  const evaluation = evaluateMethods({ background: { events: background.count }, methods });
  const first = Object.entries(methods).map(([method, [seed]]) => [method, seed] as const);
  const curves = Object.fromEntries(
    signals.map(({ label }) => [
      label,
      Object.fromEntries(
        first.map(([method, seed]) => [method, curvePoints(roc(seed.background, seed.signals[label]))]),
      ),
    ]),
  );
  const spectra = first
    .filter(([method]) => method === scorer.name || method.startsWith('raw') || method.startsWith('untrained'))
    .map(([method, seed]) =>
      spectrum(method, [
        { label: backgroundLabel, scores: seed.background },
        ...signals.map(({ label }) => ({ label, scores: seed.signals[label] })),
      ]),
    );
  return {
    evaluation,
    parts: {
      method: scorer.name,
      evaluation,
      curves,
      spectra,
      map: mapOf(samples, scorer.representationSize),
      events: samples.flatMap(({ top }) => top).sort((a, b) => b.score - a.score),
    },
  };
}

/** The two largest principal components of the background, and every sample on them. */
function mapOf(samples: readonly Sample[], size: number): ReportData['map'] {
  const joined = samples.map(({ mapRows }) => Float32Array.from(mapRows.flatMap(rows => [...rows])));
  const { matrix, mean, outputs } = fitPreparation('whiten', joined[0], size);
  if (outputs < 2 || !matrix) return [];
  const component = (rows: Float32Array, c: number) =>
    Array.from({ length: rows.length / size }, (_, r) =>
      mean.reduce((sum, m, i) => sum + matrix[c * size + i] * (rows[r * size + i] - m), 0),
    );
  return samples.map(({ label }, i) => ({ label, x: component(joined[i], 0), y: component(joined[i], 1) }));
}
