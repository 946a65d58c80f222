import process from 'node:process';
import { isBundle, readCard } from '../bundle/read.js';
import type { EvaluateOptions } from '../config/schema.js';
import { shardOf, shardText } from '../config/shard.js';
import { UsageError } from '../errors.js';
import { formatEvaluation } from '../evaluate/format.js';
import { checkWritable, writeAtomically } from '../files.js';
import { readingOf } from '../read/reading.js';
import type { ReportData } from '../report/data.js';
import { writeReport } from '../report/report.js';
import { bundleReportData } from '../score/bundle-report.js';
import { type EvaluatedRun, type EvaluateRequest, evaluateRun, evaluateShard } from '../score/evaluate-run.js';
import { type EventScorer, openScorers } from '../score/event-scorer.js';
import { runReportData } from '../train/run-report.js';
import type { Context } from './commands.js';

export async function run(options: EvaluateOptions, context: Context): Promise<void> {
  const { signal: signals, json, report, shard, out } = options;
  checkOutputs(options);
  if (shard !== undefined && out !== undefined) return runShard({ ...options, shard, out }, context);
  for (const file of [json, report]) if (typeof file === 'string') await checkWritable(file);
  const request = await requestOf(options, context);
  const beside = typeof json === 'string' ? json : report;
  const evaluated = await withScorers(options, context, scorers => evaluateRun({ ...request, beside }, scorers));
  await writeEvaluation(evaluated, options, context, async () => ({
    ...(await reportDataOf(options.model)),
    signalFiles: signals.map(({ file }) => file),
  }));
}

/** What a report shows beside an evaluation, and where the signals are from. */
type About = ReportData & { readonly signalFiles: readonly string[] };

/** Figures in the places that were asked for: files, a report, else printed. */
export async function writeEvaluation(
  { evaluation, parts, seeds, scoredPerSecond }: EvaluatedRun,
  { json, report }: Pick<EvaluateOptions, 'json' | 'report'>,
  { output }: Pick<Context, 'output'>,
  about: () => Promise<About>,
): Promise<void> {
  if (typeof json === 'string') await writeAtomically(json, `${JSON.stringify(evaluation, null, 2)}\n`);
  if (report !== undefined) {
    const { signalFiles, ...data } = await about();
    const provenance = { ...data.provenance, signalFiles, seeds, scoredPerSecond };
    await writeAtomically(report, writeReport({ ...data, ...parts, provenance }));
  }
  if (json === true) output.json(evaluation);
  else output.result(formatEvaluation(evaluation));
}

/** `--shard` and `--out` go together; figures come from all shards, by `merge`. */
function checkOutputs({ shard, out, json, report }: EvaluateOptions): void {
  if (shard === undefined && out !== undefined)
    throw new UsageError('--out: is the folder of a part; it goes with --shard, and figures with --json and --report');
  if (shard === undefined) return;
  if (out === undefined) throw new UsageError('--shard needs --out: the folder for this part');
  if (json !== false || report !== undefined)
    throw new UsageError(
      `${json !== false ? '--json' : '--report'}: a shard has no figures; give it to anomalyclr merge, with all parts`,
    );
}

async function runShard(
  options: EvaluateOptions & { readonly shard: string; readonly out: string },
  context: Context,
): Promise<void> {
  const { out, engine, device, tfjsBackend, tfjsKernels, provider } = options;
  const shard = await shardOf(options.shard, process.env);
  const request = {
    ...(await requestOf(options, context)),
    shard,
    out,
    about: await reportDataOf(options.model),
    settings: { engine, device, tfjsBackend, tfjsKernels, provider },
    version: context.version,
  };
  const { samples } = await withScorers(options, context, scorers => evaluateShard(request, scorers));
  const events = samples.reduce((n, sample) => n + sample.events, 0);
  context.output.info(`${out}: shard ${shardText(shard)}, ${events} events scored`);
}

async function requestOf(options: EvaluateOptions, { output, progress, signal }: Context): Promise<EvaluateRequest> {
  const { background, signal: signals, memory } = options;
  const reading = await readingOf(options, { write: true });
  const warn = (line: string): void => output.warn(line);
  return { ...reading, background, signals, memory, signal, progress, warn };
}

async function withScorers<T>(
  options: EvaluateOptions,
  { output }: Context,
  use: (scorers: readonly EventScorer[]) => Promise<T>,
): Promise<T> {
  const scorers = await openScorers(options, line => output.info(line));
  try {
    return await use(scorers);
  } finally {
    for (const scorer of scorers) await scorer.dispose();
  }
}

/** What a run or a bundle itself has to show. */
async function reportDataOf(model: string): Promise<ReportData> {
  return isBundle(model) ? bundleReportData(await readCard(model)) : runReportData(model);
}
