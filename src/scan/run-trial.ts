import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import * as z from 'zod';
import { resolveRecipe } from '../config/recipe.js';
import type { TrainOptions } from '../config/schema.js';
import { openEngine, type Engine } from '../engine/index.js';
import { AnomalyClrError } from '../errors.js';
import type { EventBatch } from '../events/event-batch.js';
import { makeFolder, readJson, writeAtomically } from '../files.js';
import { provenanceSchema, runFiles } from '../model/run-folder.js';
import { countEvents, type Reading } from '../read/index.js';
import { sha256 } from '../read/cache/fingerprint.js';
import { readingOf } from '../read/reading.js';
import { openStore, surveyFiles } from '../read/store.js';
import { type Sample, scorePart } from '../score/evaluation-scores.js';
import { Scorer } from '../score/scorer.js';
import { openWorkFolder } from '../score/work-folder.js';
import { train, type TrainWatch } from '../train/run.js';
import { Split } from '../train/split.js';
import { planOf, type Plan, type PlannedTrial } from './plan.js';
import { isDone } from './results.js';
import { lockRun } from './run-lock.js';
import type { Study, StudySample, TrialModel } from './study.js';
import { trialName, type TrialFile, type TrialOrder } from './trial.js';

export interface TrialWatch {
  readonly signal?: AbortSignal | undefined;
  /** How much of the trial is done, 0 to 1. */
  readonly progress?: (share: number) => void;
  readonly warn?: (line: string) => void;
}

/** Numbers of a transformed sample are keyed by this, its file and its row: the same in every trial. */
const throughSeed = 20230104;

/**
 * Trains one variant with one seed, or goes on where it was interrupted, scores all samples and leaves the trial whole in
 * its folder.
 *
 * @throws Stopped where `signal` fired, with a checkpoint to go on from
 */
export async function runTrial(study: Study, order: TrialOrder, watch: TrialWatch = {}): Promise<void> {
  const started = performance.now();
  const { plan, trial } = await planned(study, order);
  checkUnchanged(trial.key, order.key);
  const giveBack = await lockRun(trial.options.out, watch.signal);
  try {
    if (!(await isDone(trial))) await makeTrial(study, order, plan, trial, started, watch);
  } finally {
    await giveBack();
  }
}

/** The plan that files and options come to now, and the trial of an order in it. */
async function planned(
  study: Study,
  { request, variant, seed, out, version }: TrialOrder,
): Promise<{ plan: Plan; trial: PlannedTrial }> {
  const plan = await planOf(study, request, out, version);
  const trial = plan.trials.find(one => one.variant.name === variant && one.seed === seed);
  if (!trial) throw new AnomalyClrError(`the study has no variant ${variant}`);
  return { plan, trial };
}

function checkUnchanged(now: string, before: string): void {
  if (now !== before) throw new AnomalyClrError('a file has changed since the study began; start it again');
}

async function makeTrial(
  study: Study,
  order: TrialOrder,
  plan: Plan,
  trial: PlannedTrial,
  started: number,
  watch: TrialWatch,
): Promise<void> {
  await trainRun(study, order, trial, watch);
  const engine = await openEngine(trial.options);
  const scorer = await Scorer.open(trial.options.out, engine);
  await makeFolder(path.dirname(trial.folder));
  const work = await openWorkFolder(trial.folder);
  try {
    await score(study, { order, trial, plan, engine, scorer, folder: work.path }, watch);
    const seconds = (performance.now() - started) / 1000;
    const record = await recordOf(study, trial, engine, seconds);
    // what was read may have been other files than those that it will be known by
    checkUnchanged((await planned(study, order)).trial.key, trial.key);
    await writeAtomically(path.join(work.path, trialName), `${JSON.stringify(record, null, 2)}\n`);
    await work.commit();
  } finally {
    await work.discard();
    scorer.dispose();
  }
}

/** The run, whole: one that another trial made, or one that is gone on with. Without a checkpoint it is known to be right. */
async function trainRun(study: Study, order: TrialOrder, { options }: PlannedTrial, watch: TrialWatch): Promise<void> {
  const files = runFiles(options.out);
  if (existsSync(files.report) && !existsSync(files.checkpoint)) return;
  const watching: TrainWatch = {
    ...(watch.signal ? { signal: watch.signal } : {}),
    ...(watch.warn ? { warn: watch.warn } : {}),
    progress: sharesOf(options.comparators ? 4 : 1, share => watch.progress?.(0.9 * share)),
  };
  if (await isOfOtherFiles(options)) await rm(options.out, { recursive: true });
  await train({ ...options, resume: existsSync(options.out) }, order.version, watching);
  // a file may have come in the place of another between its identification and its reading
  const { out } = (await planned(study, order)).trial.options;
  if (out !== options.out) await rm(options.out, { recursive: true });
  checkUnchanged(out, options.out);
  // it goes on no more; what is small stays
  await rm(files.checkpoint, { recursive: true, force: true });
}

const pathsSchema = z.object({ background: z.unknown(), schema: z.unknown().optional() });

/** Whether a run was begun on other files, or the same under other names: `train` would not go on with it. */
async function isOfOtherFiles({ out, background, schema }: TrainOptions): Promise<boolean> {
  const { config, provenance } = runFiles(out);
  if (!existsSync(config)) return false;
  if (JSON.stringify(await readJson(config, pathsSchema)) !== JSON.stringify({ background, schema })) return true;
  if (!existsSync(provenance)) return false;
  const { files } = await readJson(provenance, provenanceSchema);
  for (const { file, sha256: before } of files) if ((await sha256(file)) !== before) return true;
  return false;
}

/** Share of the encoder in a training with its comparators, roughly. */
const encoderShare = 0.6;

/** How far a training is, from what its parts say: the encoder in steps, then detectors, each in epochs. */
function sharesOf(detectors: number, tell: (share: number) => void): NonNullable<TrainWatch['progress']> {
  let detector = 0;
  return ({ label, total, unit }) => ({
    update: done => {
      const part = done / Math.max(1, total);
      if (label.startsWith('encoder')) tell(encoderShare * part);
      else if (unit === 'epochs')
        tell(encoderShare + ((1 - encoderShare) * Math.min(detectors, detector + part)) / detectors);
    },
    stop: () => void (detector += unit === 'epochs' ? 1 : 0),
  });
}

interface Scoring {
  readonly order: TrialOrder;
  readonly trial: PlannedTrial;
  readonly plan: Plan;
  readonly engine: Engine;
  readonly scorer: Scorer;
  /** Where scores go. */
  readonly folder: string;
}

async function score(study: Study, scoring: Scoring, watch: TrialWatch): Promise<void> {
  const { trial, plan, engine, scorer, folder } = scoring;
  const { options } = trial;
  const reading = await readingOf(options, { write: true, ...(watch.warn ? { warn: watch.warn } : {}) });
  const methods = (await study.methods?.(modelOf(scoring, reading, watch.signal))) ?? [];
  try {
    const samples: Sample[] = [];
    for (const sample of plan.samples) samples.push(await readySample(sample, scorer, engine, reading));
    await scorePart(folder, samples, [scorer], reading, {
      methods,
      signal: watch.signal,
      progress: ({ total }) => ({
        update: done => watch.progress?.(0.9 + (0.1 * done) / Math.max(1, total)),
        stop: () => undefined,
      }),
    });
  } finally {
    for (const method of methods) method.dispose?.();
  }
}

function modelOf({ order, trial, engine, scorer }: Scoring, reading: Reading, signal?: AbortSignal): TrialModel {
  const { options, variant, seed } = trial;
  const { background, maxEvents } = options;
  return {
    request: order.request,
    variant,
    seed,
    options,
    folder: options.out,
    scorer,
    engine,
    reading,
    openTraining: async () => {
      const { dataKind } = await surveyFiles(background, reading);
      return openStore(background, { ...reading, dataKind, maxEvents, memoryBytes: 0.2e9 * options.memory });
    },
    split: store => new Split(store.count, options),
    signal,
  };
}

async function readySample(
  { label, files, through }: StudySample,
  { domain }: Scorer,
  engine: Engine,
  reading: Reading,
): Promise<Sample> {
  const counted: { file: string; rows: number }[] = [];
  for (const file of files) counted.push({ file, rows: await countEvents(file, reading, domain) });
  if (!through || through.length === 0) return { label, files: counted };
  const scenario = { name: label, weight: 1, steps: [...through] };
  const recipe = resolveRecipe(
    { name: label, anchor: [], physical: [], anomalous: [scenario] },
    engine.augmentations(),
    domain.data,
  );
  const changed = async (events: EventBatch, file: number): Promise<EventBatch> => ({
    ...events,
    ...(await engine.augment(recipe, 2, events, { seed: throughSeed, epoch: file, ids: events.rows })),
  });
  return { label, files: counted, through: changed };
}

async function recordOf(
  study: Study,
  { variant, seed, key, options }: PlannedTrial,
  engine: Engine,
  seconds: number,
): Promise<TrialFile> {
  const {
    trainingSeconds = 0,
    eventsPerSecond = 0,
    peakMemoryMb = 0,
  } = await readJson(runFiles(options.out).provenance, provenanceSchema);
  const { user, system } = process.cpuUsage();
  return {
    format: 'anomalyclr.trial.1',
    key,
    study: study.name,
    variant: variant.name,
    seed,
    options: JSON.parse(JSON.stringify(variant.options)) as Record<string, unknown>,
    settings: JSON.parse(JSON.stringify(variant.settings ?? {})) as Record<string, unknown>,
    x: variant.x ?? null,
    machine: os.cpus()[0]?.model ?? os.arch(),
    engine: engine.describe(),
    date: new Date().toISOString(),
    seconds,
    cpuSeconds: (user + system) / 1e6,
    training: { seconds: trainingSeconds, eventsPerSecond, peakMemoryMb },
    peakMemoryMb: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}
