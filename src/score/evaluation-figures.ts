import path from 'node:path';
import { AnomalyClrError } from '../errors.js';
import { type CurvePoints, curvePoints } from '../evaluate/curve.js';
import { type Evaluation, methodFigures } from '../evaluate/evaluation.js';
import { roc, sortInPlace, type SortedScores } from '../evaluate/roc.js';
import { summarise, type Summary } from '../evaluate/summary.js';
import type { ReportData } from '../report/data.js';
import { type Spectrum, spectrum } from '../report/histogram.js';
import { countFloats, mapFile, type Part, readFloats, scoresFile } from './evaluation-part.js';
import { mapPoints, mostAnomalous, pictures, type ScoringWatch } from './evaluation-scores.js';
import { fitPreparation } from './prepare.js';

/** An evaluation, and what a report shows beside its figures. */
export interface EvaluatedRun {
  readonly evaluation: Evaluation;
  readonly parts: Pick<ReportData, 'method' | 'evaluation' | 'curves' | 'spectra' | 'map' | 'events'>;
  readonly seeds: readonly number[];
  /** Events through the model's own encoder and detector. */
  readonly scoredPerSecond: number;
}

/** Of the memory for scores; the other half is for the program, an engine (TensorFlow.js takes 0.9 GB) and events. */
const share = 0.5;
const bytesPerEvent = 4;

/**
 * The scores of one method, 4 bytes an event of all samples, may take half of the memory; nothing else grows with their
 * number.
 *
 * @param memory - GB
 * @throws AnomalyClrError where they take more
 */
export function checkMemory(events: number, memory: number): void {
  const most = Math.floor((memory * share * 1e9) / bytesPerEvent);
  if (events <= most) return;
  const needed = Math.ceil((events * bytesPerEvent) / share / 1e8) / 10;
  throw new AnomalyClrError(
    `${events} events: the scores of one method, ${bytesPerEvent} bytes an event, may take half of the memory, and ` +
      `${memory} GB bear ${most} events; allow more with --memory ${needed}`,
  );
}

/**
 * Figures and report data from the parts that are together an evaluation, in order. One method's scores are in memory at
 * a time.
 *
 * @throws AnomalyClrError where a sample has no event or a score is NaN
 */
export async function figuresOf(
  parts: readonly Part[],
  { signal, progress, warn }: ScoringWatch & { readonly warn?: ((line: string) => void) | undefined } = {},
): Promise<EvaluatedRun> {
  const [{ manifest: first }] = parts;
  const samples = first.samples.map(({ label }, i) => {
    const events = parts.reduce((n, { manifest }) => n + manifest.samples[i].events, 0);
    const skipped = parts.reduce((n, { manifest }) => n + manifest.samples[i].skipped, 0);
    if (skipped > 0) warn?.(`${label}: ${skipped} bad events were left out`);
    return { label, events };
  });
  const empty = samples.findIndex(({ events }) => events === 0);
  if (empty >= 0) throw new AnomalyClrError(`${first.samples[empty].files.join(', ')}: no events to evaluate on`);

  const comparison = new Comparison(parts, samples);
  const bar = progress?.({
    label: 'figures',
    total: first.methods.reduce((n, { seeds }) => n + seeds.length, 0),
    unit: 'methods',
  });
  try {
    let done = 0;
    for (const [m, { seeds }] of first.methods.entries()) {
      const summaries: Record<string, Summary>[] = [];
      for (const seed of seeds) {
        if (signal?.aborted) throw new AnomalyClrError('stopped before the evaluation was complete');
        summaries.push(await comparison.add(m, seed, seed === seeds[0]));
        bar?.update(++done);
      }
      comparison.end(m, summaries);
    }
  } finally {
    bar?.stop();
  }
  const evaluation: Evaluation = { background: { events: samples[0].events }, methods: comparison.methods };
  const timed = parts.map(({ manifest }) => manifest.timed);
  const events = timed.reduce((n, one) => n + one.events, 0);
  return {
    evaluation,
    parts: {
      method: first.method,
      evaluation,
      curves: comparison.curves,
      spectra: comparison.spectra,
      map: await mapOf(parts),
      events: topOf(parts),
    },
    seeds: first.seeds,
    scoredPerSecond:
      events /
      Math.max(
        timed.reduce((s, one) => s + one.seconds, 0),
        1e-9,
      ),
  };
}

/** Compares background and signals by one method after another, all in the same memory. */
class Comparison {
  readonly methods: Evaluation['methods'] = {};
  readonly curves: Record<string, Record<string, CurvePoints>> = {};
  readonly spectra: Spectrum[] = [];
  private readonly signals: { name: string; events: number }[];
  /** Scores of all samples, one after another. */
  private readonly scores: Float32Array;

  constructor(
    private readonly parts: readonly Part[],
    private readonly samples: readonly { readonly label: string; readonly events: number }[],
  ) {
    this.scores = new Float32Array(samples.reduce((n, { events }) => n + events, 0));
    this.signals = samples.slice(1).map(({ label, events }) => ({ name: label, events }));
    for (const { name } of this.signals) this.curves[name] = {};
  }

  /** @param draw - whether it is this seed that curves and spectra show */
  async add(method: number, seed: number, draw: boolean): Promise<Record<string, Summary>> {
    const { name } = this.parts[0].manifest.methods[method];
    const sorted = await this.load(method, seed);
    const [background, ...signals] = sorted;
    const summaries: Record<string, Summary> = {};
    for (const [i, { scores, label }] of signals.entries()) {
      summaries[label] = summarise(background.scores, scores);
      if (draw) this.curves[this.signals[i].name][name] = curvePoints(roc(background.scores, scores));
    }
    if (draw && this.isModel(name)) this.spectra.push(spectrum(name, sorted));
    return summaries;
  }

  end(method: number, summaries: Record<string, Summary>[]): void {
    const { name, seeds } = this.parts[0].manifest.methods[method];
    this.methods[name] = methodFigures(seeds, this.signals, summaries);
  }

  /** Cuts have no spectrum of errors. */
  private isModel(name: string): boolean {
    return name === this.parts[0].manifest.method || name.startsWith('raw') || name.startsWith('untrained');
  }

  private async load(method: number, seed: number): Promise<{ label: string; scores: SortedScores }[]> {
    const { name } = this.parts[0].manifest.methods[method];
    const sorted: { label: string; scores: SortedScores }[] = [];
    let at = 0;
    for (const [i, { label, events }] of this.samples.entries()) {
      const scores = this.scores.subarray(at, at + events);
      let from = 0;
      for (const { folder, manifest } of this.parts) {
        const to = from + manifest.samples[i].events;
        await readFloats(path.join(folder, scoresFile(i, method, seed)), scores.subarray(from, to));
        from = to;
      }
      at += events;
      sorted.push({ label, scores: sortInPlace(scores, `method ${name}, ${label} scores`) });
    }
    return sorted;
  }
}

/** The most anomalous events of all parts, whichever of them has which rows. */
function topOf(parts: readonly Part[]): ReportData['events'] {
  const ofSamples = parts[0].manifest.samples.flatMap(({ label }, i) =>
    mostAnomalous(
      parts.flatMap(({ manifest }) => manifest.samples[i].top),
      pictures(label),
    ),
  );
  return mostAnomalous(ofSamples, ofSamples.length);
}

/** The two largest principal components of the background, and the first events of every sample on them. */
async function mapOf(parts: readonly Part[]): Promise<ReportData['map']> {
  const { samples, representationSize: size } = parts[0].manifest;
  const rows: Float32Array[] = [];
  for (const [i, { label }] of samples.entries()) rows.push(await firstRows(parts, i, mapPoints(label) * size));
  const { matrix, mean, outputs } = fitPreparation('whiten', rows[0], size);
  if (outputs < 2 || !matrix) return [];
  const component = (of: Float32Array, c: number) =>
    Array.from({ length: of.length / size }, (_, r) =>
      mean.reduce((sum, m, i) => sum + matrix[c * size + i] * (of[r * size + i] - m), 0),
    );
  return samples.map(({ label }, i) => ({ label, x: component(rows[i], 0), y: component(rows[i], 1) }));
}

/** The first numbers of a sample's representations, `most` at most. */
async function firstRows(parts: readonly Part[], sample: number, most: number): Promise<Float32Array> {
  const joined = new Float32Array(most);
  let at = 0;
  for (const { folder } of parts) {
    const file = path.join(folder, mapFile(sample));
    const some = new Float32Array(await countFloats(file));
    await readFloats(file, some);
    joined.set(some.subarray(0, most - at), at);
    at += Math.min(some.length, most - at);
  }
  return joined.subarray(0, at);
}
