import { existsSync, statSync } from 'node:fs';
import type { MergeOptions } from '../config/schema.js';
import { AnomalyClrError, UsageError } from '../errors.js';
import { checkWritable, writeAtomically } from '../files.js';
import { expandFiles } from '../read/file-list.js';
import { mergeEvaluation } from '../score/evaluate-run.js';
import { mergeScores } from '../score/merge.js';
import type { Context } from './commands.js';
import { writeEvaluation } from './evaluate.js';

/** `anomalyclr merge PART..`: one score file of those of shards, or one evaluation of its parts, which are folders. */
export async function run(options: MergeOptions, context: Context): Promise<void> {
  const parts = await expandFiles(options.parts, 'parts', true);
  const folders = parts.filter(part => existsSync(part) && statSync(part).isDirectory());
  if (folders.length === 0) return scores(parts, options, context);
  if (folders.length === parts.length) return evaluation(parts, options, context);
  const file = parts.find(part => !folders.includes(part));
  throw new UsageError(`${folders[0]} is a folder and ${file} is none; give score files, or parts of one evaluation`);
}

async function evaluation(parts: readonly string[], options: MergeOptions, context: Context): Promise<void> {
  const { out, json, report, memory } = options;
  if (out !== undefined) throw new UsageError('--out: is of merged scores; figures go to --json and --report');
  for (const file of [json, report]) if (typeof file === 'string') await checkWritable(file);
  const { output, progress, signal } = context;
  const warn = (line: string): void => output.warn(line);
  const merged = await mergeEvaluation({ parts, memory, progress, signal, warn });
  await writeEvaluation(merged, options, context, async () => {
    if (!merged.about)
      throw new AnomalyClrError(`${parts[0]}: was made without what a report needs; leave --report out`);
    return { ...merged.about, signalFiles: merged.signalFiles };
  });
}

async function scores(
  parts: readonly string[],
  { out, json, report }: MergeOptions,
  { output, progress, signal }: Context,
): Promise<void> {
  if (out === undefined) throw new UsageError('merge needs --out: the file for the scores of all shards');
  if (report !== undefined) throw new UsageError('--report: is of a merged evaluation; leave it out');
  if (typeof json === 'string') await checkWritable(json);
  const merged = { file: out, ...(await mergeScores({ parts, out, signal, progress })) };
  if (typeof json === 'string') await writeAtomically(json, `${JSON.stringify(merged, null, 2)}\n`);
  if (json === true) output.json(merged);
  else output.info(`${out}: ${merged.events} events of ${merged.shards} shards`);
}
