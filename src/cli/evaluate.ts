import { isBundle, readCard } from '../bundle/read.js';
import type { EvaluateOptions } from '../config/schema.js';
import { formatEvaluation } from '../evaluate/format.js';
import { checkWritable, writeAtomically } from '../files.js';
import { writeReport } from '../report/report.js';
import { bundleReportData } from '../score/bundle-report.js';
import { evaluateRun, type EvaluatedRun } from '../score/evaluate-run.js';
import { openScorers } from '../score/event-scorer.js';
import { runReportData } from '../train/run-report.js';
import type { Context } from './commands.js';

export async function run(options: EvaluateOptions, context: Context): Promise<void> {
  const { model, signal: signals, json, report } = options;
  const { output } = context;
  for (const file of [json, report]) if (typeof file === 'string') await checkWritable(file);
  const { evaluation, parts, seeds, scoredPerSecond } = await evaluate(options, context);
  if (typeof json === 'string') await writeAtomically(json, `${JSON.stringify(evaluation, null, 2)}\n`);
  if (report !== undefined) {
    const data = isBundle(model) ? bundleReportData(await readCard(model)) : await runReportData(model);
    const provenance = { ...data.provenance, signalFiles: signals.map(({ file }) => file), seeds, scoredPerSecond };
    await writeAtomically(report, writeReport({ ...data, ...parts, provenance }));
  }
  if (json === true) output.json(evaluation);
  else output.result(formatEvaluation(evaluation));
}

async function evaluate(options: EvaluateOptions, { output, progress, signal }: Context): Promise<EvaluatedRun> {
  const { background, signal: signals, onBadEvent } = options;
  const scorers = await openScorers(options, line => output.info(line));
  try {
    const warn = (line: string): void => output.warn(line);
    return await evaluateRun({ background, signals, onBadEvent, signal, progress, warn }, scorers);
  } finally {
    for (const scorer of scorers) await scorer.dispose();
  }
}
