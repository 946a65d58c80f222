import path from 'node:path';
import { AnomalyClrError, Stopped } from '../errors.js';
import { makeFolder, removeStaleTemporaries } from '../files.js';
import { planOf, type PlannedTrial } from './plan.js';
import { type FailedTrial, present, type StudyOutcome } from './present.js';
import { isDone, Results } from './results.js';
import { type QueuedTrial, runTrials, type StartTrial, type TrialsWatch } from './run-trials.js';
import type { Study, StudyRequest } from './study.js';

export interface ScanWatch extends Pick<TrialsWatch, 'signal' | 'warn'> {
  readonly info?: (line: string) => void;
  readonly progress?: (options: { label: string; total: number; unit: string }) => {
    update(done: number): void;
    stop(): void;
  };
}

/**
 * Runs a study in `out`: the trials that are not there yet, `jobs` at once, then its figures from all that are.
 *
 * @returns what it came to, with the trials that failed
 * @throws UsageError for options that cannot be; Stopped where the signal fired, with what was done kept; AnomalyClrError
 * where no trial is there in the end
 */
export async function scan(
  study: Study,
  request: StudyRequest,
  how: { readonly out: string; readonly jobs: number; readonly version: string; readonly start?: StartTrial },
  watch: ScanWatch = {},
): Promise<StudyOutcome> {
  const { out, version } = how;
  const plan = await planOf(study, request, out, version);
  await makeFolder(out);
  // locks of trials that were killed just when they were done
  for (const runs of new Set(plan.trials.map(({ options }) => path.dirname(options.out))))
    await removeStaleTemporaries(runs);
  const missing: PlannedTrial[] = [];
  for (const trial of plan.trials) if (!(await isDone(trial))) missing.push(trial);
  const there = plan.trials.length - missing.length;
  watch.info?.(`${study.name}: ${plan.trials.length} trials, ${there === 0 ? 'none' : there} of them there already`);
  const failed = await fill(study, request, missing, how, watch);
  const results = await Results.open(request, plan);
  if (results.trials.length === 0) throw new AnomalyClrError(`no trial is there to show: ${failed[0].message}`);
  return present(study, results, failed, out, version);
}

/** Runs the trials that are missing. */
async function fill(
  study: Study,
  request: StudyRequest,
  missing: readonly PlannedTrial[],
  { out, jobs, version, start }: Parameters<typeof scan>[2],
  { signal, warn, info, progress }: ScanWatch,
): Promise<FailedTrial[]> {
  if (missing.length === 0) return [];
  const queue = missing.map(({ variant, seed, key, options }): QueuedTrial => ({
    order: { request, variant: variant.name, seed, key, out, version },
    run: options.out,
  }));
  const bar = progress?.({ label: study.name, total: missing.length, unit: 'trials' });
  const failures = await runTrials(
    queue,
    jobs,
    {
      signal,
      ...(warn ? { warn } : {}),
      progress: done => bar?.update(Math.round(100 * done) / 100),
      failed: ({ order }, message) => info?.(`${order.variant}, seed ${order.seed}: ${message}`),
    },
    start,
  ).finally(() => bar?.stop());
  if (signal?.aborted) {
    let done = 0;
    for (const trial of missing) if (await isDone(trial)) done += 1;
    const left = missing.length - done;
    if (left > 0) throw new Stopped(`stopped with ${left} trials to go; the same command goes on where it was`, signal);
  }
  return failures.map(({ trial: { order }, message }) => ({ variant: order.variant, seed: order.seed, message }));
}
