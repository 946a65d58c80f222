import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { loadAddon, packageRoot } from '../src/addon.js';
import { AnomalyClrError, UsageError } from '../src/errors.js';
import { ask, failed, type Works } from './ask.js';
import { cases } from './cases.js';
import { groupBy } from './group.js';
import { curves, plan, wordsOf, type Planned } from './plan.js';
import type { BenchCase, BenchMachine, BenchReport } from './report-types.js';
import { needOf } from './subjects.js';

export interface SuiteOptions {
  /** Words that a measurement must have; see `matches`. */
  readonly filter?: string | undefined;
  readonly full: boolean;
  /** How long each is timed. */
  readonly seconds: number;
  /** 0 is all cores. */
  readonly threads: number;
  /** `cuda`: a GPU and its peer, beside the native engine on the processor. */
  readonly device?: 'cpu' | 'cuda';
}

export interface SuiteContext {
  readonly signal: AbortSignal;
  readonly version: string;
  readonly progress: (options: { label: string; total: number; unit: string }) => { update(done: number): void };
}

export interface SuiteResult {
  readonly report: BenchReport;
  /** What was wrong or did not end well, one line each: those cases were not timed. */
  readonly failures: readonly string[];
}

/** Larger batches of a case are left out where a call takes longer, s. */
const longCall = 5;

/**
 * Checks and times everything that the options ask for, each in a process of its own.
 *
 * @throws UsageError where the filter chooses nothing
 */
export async function runSuite(options: SuiteOptions, context: SuiteContext): Promise<SuiteResult> {
  const { signal, version } = context;
  const date = new Date().toISOString();
  const planned = plan(cases, options);
  if (planned.length === 0) {
    const names = [...new Set(cases.map(({ name }) => name))].join(', ');
    throw new UsageError(`--filter ${options.filter}: no such case; there are ${names}, each also with -BATCH`);
  }
  const { works, notes } = await probeAll(planned, options.threads, signal);
  const measurable = planned.filter(({ subject }) => works.has(needOf(subject)));
  const progress = context.progress({ label: 'bench', total: measurable.length, unit: 'cases' });
  const measured: BenchCase[] = [];
  const failures: string[] = [];
  let done = 0;
  for (const curve of curves(measurable)) {
    for (const [i, one] of curve.entries()) {
      if (signal.aborted) break;
      const result = await measure(one, options.seconds, signal);
      if (signal.aborted) break;
      if (typeof result === 'string') failures.push(`${label(one)}: ${result}`);
      else measured.push(result);
      progress.update(++done);
      const took = typeof result === 'string' ? 0 : medianCall(result);
      const rest = curve.slice(i + 1);
      if (took > longCall && rest.length > 0) {
        notes.push(
          `${one.name} on ${wordsOf(one.subject)}: left out batch ${rest.map(({ batch }) => batch).join(', ')}, as a call ` +
            `at batch ${one.batch} takes ${took.toFixed(0)} s`,
        );
        progress.update((done += rest.length));
        break;
      }
    }
  }
  if (signal.aborted) notes.push(`stopped after ${measured.length} of ${measurable.length} cases`);
  if (measured.some(({ checked }) => !checked))
    notes.push(
      "cases that are marked were not checked: the native engine, which is the reference, is not built, or they are long, or a peer's",
    );
  const machine = describeMachine(version, date, works);
  return { report: { machine, cases: measured, notes }, failures };
}

const medianCall = ({ events_per_s, ops_per_s }: BenchCase): number =>
  ((events_per_s ?? ops_per_s)?.latency_us.p50 ?? 0) / 1e6;

/** A measurement in a line. */
export const label = (one: Pick<Planned, 'name' | 'batch' | 'subject'>): string =>
  `${one.name}, batch ${one.batch}, on ${wordsOf(one.subject)}`;

/** Asks once for everything that the plan needs whether it works here. */
async function probeAll(planned: readonly Planned[], threads: number, signal: AbortSignal) {
  const works = new Map<string, Works>();
  const answers = groupBy(planned, ({ subject }) => needOf(subject)).map(async ([{ subject }]) => {
    const answer = await ask({ what: 'probe', subject, threads }, signal);
    return { subject, answer };
  });
  const asked = await Promise.all(answers);
  for (const { subject, answer } of asked) if (!failed(answer)) works.set(needOf(subject), answer);
  const missing = asked.flatMap(({ subject, answer }) => (failed(answer) ? [{ subject, ...answer }] : []));
  const notes = groupBy(missing, ({ problem }) => problem).map(
    group => `left out ${group.map(({ subject }) => wordsOf(subject)).join(', ')}: ${group[0].problem}`,
  );
  return { works, notes };
}

/** Checks, then times; what was wrong as text. */
async function measure(one: Planned, seconds: number, signal: AbortSignal): Promise<BenchCase | string> {
  const { name, model, batch, subject, threads } = one;
  const at = { name, model, batch, subject, threads, seconds };
  const check = one.long ? { checked: false } : await ask({ what: 'check', ...at }, signal);
  if (failed(check)) return `${check.problem}; not timed`;
  const timed = await ask({ what: 'time', ...at }, signal);
  if (failed(timed)) return timed.problem;
  const { rates, share } = timed;
  return {
    name,
    model,
    engine: subject.engine,
    backend: timed.backend,
    ...(subject.engine === 'tfjs' ? { kernels: subject.kernels } : {}),
    precision: subject.precision,
    batch,
    threads: timed.threads,
    ...(one.counts === 'events' ? { events_per_s: rates } : { ops_per_s: rates }),
    peak_rss_mb: Math.round(timed.peakRssMb),
    ...(timed.deviceMb ? { device_mb: Math.round(timed.deviceMb) } : {}),
    ...(share === undefined ? {} : { share_of_peak: share }),
    checked: check.checked,
  };
}

function describeMachine(version: string, date: string, works: ReadonlyMap<string, Works>): BenchMachine {
  const told = [...works.values()].map(({ describe }) => describe).join('\n');
  const tensorflow = /TensorFlow ([\d.]+)/.exec(told)?.[1];
  const onnxruntime = /^onnxruntime (\S+)/m.exec(told)?.[1];
  const gpu = /^native, cuda: (.*)$/m.exec(told)?.[1];
  const torch = /^torch (\S+)/m.exec(told)?.[1];
  const features = featuresHere();
  return {
    cpu: os.cpus()[0]?.model.trim() ?? os.arch(),
    cores: os.availableParallelism(),
    memory: os.totalmem(),
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    ...(features === undefined ? {} : { features }),
    tfjs: tfjsVersion(),
    ...(tensorflow === undefined ? {} : { tensorflow }),
    ...(onnxruntime === undefined ? {} : { onnxruntime }),
    ...(gpu === undefined ? {} : { gpu }),
    ...(torch === undefined ? {} : { torch }),
    date,
    version,
  };
}

function featuresHere(): string | undefined {
  try {
    return loadAddon().info().features;
  } catch (error) {
    if (!(error instanceof AnomalyClrError)) throw error;
    return undefined;
  }
}

/** Of what was bundled of it, or from its package, which spares loading it. */
function tfjsVersion(): string {
  const packages = path.join(packageRoot(), 'dist', 'bundled.json');
  if (existsSync(packages)) {
    const bundled = JSON.parse(readFileSync(packages, 'utf8')) as { name: string; version: string }[];
    return bundled.find(({ name }) => name === '@tensorflow/tfjs-core')?.version ?? 'unknown';
  }
  const file = createRequire(import.meta.url).resolve('@tensorflow/tfjs/package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
