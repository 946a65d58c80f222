import type { EvaluateOptions } from '../config/schema.js';
import { openEngine } from '../engine/index.js';
import { formatEvaluation } from '../evaluate/format.js';
import { checkWritable, writeAtomically } from '../files.js';
import { writeReport } from '../report/report.js';
import { evaluateRun } from '../score/evaluate-run.js';
import { runReportData } from '../train/run-report.js';
import type { Context } from './commands.js';

export async function run(options: EvaluateOptions, { output, progress, signal }: Context): Promise<void> {
  const { model, background, signal: signals, json, report, onBadEvent } = options;
  for (const file of [json, report]) if (typeof file === 'string') await checkWritable(file);
  const engine = await openEngine(options);
  if (engine.notice !== undefined) output.info(engine.notice);
  const { evaluation, parts, seeds, scoredPerSecond } = await evaluateRun(
    { model, background, signals, onBadEvent, signal, progress, warn: line => output.warn(line) },
    engine,
  );
  if (typeof json === 'string') await writeAtomically(json, `${JSON.stringify(evaluation, null, 2)}\n`);
  if (report !== undefined) {
    const data = await runReportData(model);
    const provenance = { ...data.provenance, signalFiles: signals.map(({ file }) => file), seeds, scoredPerSecond };
    await writeAtomically(report, writeReport({ ...data, ...parts, provenance }));
  }
  if (json === true) output.json(evaluation);
  else output.result(formatEvaluation(evaluation));
}
