import { existsSync } from 'node:fs';
import path from 'node:path';
import { AnomalyClrError } from '../errors.js';
import { cutNames } from '../evaluate/cuts.js';
import { methodFigures, type SignalFigures } from '../evaluate/evaluation.js';
import { type Interval, MINIMUM_BACKGROUND } from '../evaluate/intervals.js';
import { rejectionAtEfficiency, roc, type SortedScores, sortInPlace } from '../evaluate/roc.js';
import { perRate, summarise, type Summary } from '../evaluate/summary.js';
import { readJson } from '../files.js';
import { openPart, type Part, readFloats, scoresFile } from '../score/evaluation-part.js';
import { backgroundLabel } from '../score/evaluation-scores.js';
import type { Plan, PlannedTrial } from './plan.js';
import type { MeanCurve, StudyRequest, StudyResults } from './study.js';
import { trialName, trialSchema, type TrialRecord } from './trial.js';

/** A trial that is there, with its scores. */
interface ScoredTrial {
  readonly record: TrialRecord;
  readonly part: Part;
}

/** Efficiencies of a mean curve: every hundredth. */
const curveEfficiencies = Array.from({ length: 100 }, (_, i) => (i + 1) / 100);

/** A trial, where it is there: one that is damaged, or of another program, is not. */
async function openTrial({ folder, key, options }: PlannedTrial): Promise<ScoredTrial | undefined> {
  const file = path.join(folder, trialName);
  if (!existsSync(file)) return undefined;
  try {
    const found = await readJson(file, trialSchema);
    if (found.key !== key) return undefined;
    return { record: { ...found, folder, run: options.out }, part: await openPart(folder) };
  } catch {
    return undefined;
  }
}

/** Whether a trial is there, whole. */
export const isDone = async (trial: PlannedTrial): Promise<boolean> => (await openTrial(trial)) !== undefined;

/** What a study presents: the trials of a plan that are there. One sample's scores by one method are in memory for long. */
export class Results implements StudyResults {
  readonly samples: StudyResults['samples'];
  readonly signals: readonly string[];
  readonly variants: StudyResults['variants'];
  readonly trials: readonly TrialRecord[];
  /** Of the last background asked for, which is compared with one signal after another. */
  private sorted: { readonly key: string; readonly scores: SortedScores } | undefined;
  private readonly summaries = new Map<string, Promise<Summary>>();

  private constructor(
    readonly request: StudyRequest,
    plan: Plan,
    private readonly scored: readonly ScoredTrial[],
  ) {
    this.variants = plan.variants;
    this.trials = scored.map(({ record }) => record);
    this.signals = [...new Set(request.signals.map(({ name }) => name))];
    const events = scored.at(0)?.part.manifest.samples.map(one => one.events);
    this.samples = plan.samples.map((sample, i) => ({ ...sample, events: events?.[i] ?? 0 }));
  }

  static async open(request: StudyRequest, plan: Plan): Promise<Results> {
    const scored: ScoredTrial[] = [];
    for (const trial of plan.trials) {
      const one = await openTrial(trial);
      if (one) scored.push(one);
    }
    return new Results(request, plan, scored);
  }

  trialsOf(variant: string): readonly TrialRecord[] {
    return this.trials.filter(trial => trial.variant === variant);
  }

  methodsOf(variant: string): readonly string[] {
    const first = this.scored.find(({ record }) => record.variant === variant);
    return first?.part.manifest.methods.map(({ name }) => name) ?? [];
  }

  async figures(
    variant: string,
    method: string,
    signal: string,
    background = backgroundLabel,
  ): Promise<SignalFigures | null> {
    const scored = this.withMethod(variant, method);
    if (scored.length === 0) return null;
    const summaries: Record<string, Summary>[] = [];
    for (const one of scored) summaries.push({ [signal]: await this.summary(one, method, signal, background) });
    const events = this.sampleOf(signal).events;
    return methodFigures(seedsOf(scored), [{ name: signal, events }], summaries).signals[signal];
  }

  async means(
    variant: string,
    method: string,
    signals: readonly string[] = this.signals,
    background = backgroundLabel,
  ): Promise<Omit<SignalFigures, 'events'> | null> {
    const scored = this.withMethod(variant, method);
    if (scored.length === 0 || signals.length === 0) return null;
    const means: Record<string, Summary>[] = [];
    for (const one of scored) {
      const all: Summary[] = [];
      for (const signal of signals) all.push(await this.summary(one, method, signal, background));
      means.push({ mean: meanSummary(all) });
    }
    const { events: _, ...rest } = methodFigures(seedsOf(scored), [{ name: 'mean', events: 1 }], means).signals['mean'];
    return rest;
  }

  async curve(
    variant: string,
    method: string,
    signal: string,
    background = backgroundLabel,
  ): Promise<MeanCurve | null> {
    const scored = this.withMethod(variant, method);
    if (scored.length === 0) return null;
    const logs: number[][] = [];
    for (const one of scored) {
      const curve = roc(await this.sortedScores(one, method, background), await this.load(one, method, signal));
      const log = (efficiency: number): number => {
        const { fp, rejection } = rejectionAtEfficiency(curve, efficiency);
        return fp < MINIMUM_BACKGROUND ? NaN : Math.log(rejection);
      };
      logs.push(curveEfficiencies.map(log));
    }
    // as for the rejection in tables: where few background events decide in some seed, nothing is shown
    const points = curveEfficiencies.flatMap((efficiency, k) => {
      const values = logs.map(of => of[k]);
      if (!values.every(Number.isFinite)) return [];
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
      const spread = values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0;
      return [{ efficiency, mean, spread }];
    });
    return {
      efficiency: points.map(one => one.efficiency),
      rejection: points.map(({ mean }) => Math.exp(mean)),
      low: points.map(({ mean, spread }) => Math.exp(mean - spread)),
      high: points.map(({ mean, spread }) => Math.exp(mean + spread)),
    };
  }

  scores(trial: TrialRecord, method: string, sample: string): Promise<Float32Array> {
    const one = this.scored.find(({ record }) => record.key === trial.key);
    if (!one) throw new AnomalyClrError(`no trial ${trial.variant}, seed ${trial.seed}`);
    return this.load(one, method, sample);
  }

  /** The trials of a variant that have a method. A cut is the same in all, so that one of them says all. */
  private withMethod(variant: string, method: string): ScoredTrial[] {
    const has = ({ record, part }: ScoredTrial): boolean =>
      record.variant === variant && part.manifest.methods.some(({ name }) => name === method);
    const found = this.scored.filter(has);
    return cutNames.includes(method) ? found.slice(0, 1) : found;
  }

  private summary(one: ScoredTrial, method: string, signal: string, background: string): Promise<Summary> {
    const key = JSON.stringify([one.record.key, method, signal, background]);
    const known = this.summaries.get(key) ?? this.summarise(one, method, signal, background);
    this.summaries.set(key, known);
    return known;
  }

  private async summarise(one: ScoredTrial, method: string, signal: string, background: string): Promise<Summary> {
    const reference = await this.sortedScores(one, method, background);
    const scores = await this.load(one, method, signal);
    return summarise(reference, sortInPlace(scores, `method ${method}, ${signal} scores`));
  }

  private async sortedScores(one: ScoredTrial, method: string, sample: string): Promise<SortedScores> {
    const key = JSON.stringify([one.record.key, method, sample]);
    if (this.sorted?.key !== key) {
      const scores = await this.load(one, method, sample);
      this.sorted = { key, scores: sortInPlace(scores, `method ${method}, ${sample} scores`) };
    }
    return this.sorted.scores;
  }

  private async load({ part }: ScoredTrial, method: string, sample: string): Promise<Float32Array> {
    const { methods, samples } = part.manifest;
    const m = methods.findIndex(({ name }) => name === method);
    const s = samples.findIndex(({ label }) => label === sample);
    if (m < 0 || s < 0) throw new AnomalyClrError(`${part.folder}: no scores of ${sample} by ${method}`);
    const scores = new Float32Array(samples[s].events);
    await readFloats(path.join(part.folder, scoresFile(s, m, methods[m].seeds[0])), scores);
    return scores;
  }

  private sampleOf(label: string): StudyResults['samples'][number] {
    const found = this.samples.find(one => one.label === label);
    if (!found)
      throw new AnomalyClrError(`no sample ${label}; there are ${this.samples.map(one => one.label).join(', ')}`);
    return found;
  }
}

const seedsOf = (scored: readonly ScoredTrial[]): number[] => scored.map(({ record }) => record.seed);

/** The mean of every figure and of each end of its interval; null where one is null. */
export function meanSummary(all: readonly Summary[]): Summary {
  const mean = (of: (s: Summary) => Interval | null): Interval | null => {
    const known = all.map(of).filter(i => i !== null);
    if (known.length < all.length) return null;
    const average = (end: (i: Interval) => number): number => known.reduce((sum, i) => sum + end(i), 0) / known.length;
    return { value: average(i => i.value), low: average(i => i.low), high: average(i => i.high) };
  };
  return {
    auc: mean(s => s.auc),
    rejectionAtEff03: mean(s => s.rejectionAtEff03),
    efficiencyAtFpr: perRate(rate => mean(s => s.efficiencyAtFpr[rate])),
    sicAtFpr: perRate(rate => mean(s => s.sicAtFpr[rate])),
  };
}
