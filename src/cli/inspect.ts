import { isBundle, readCard } from '../bundle/read.js';
import type { InspectOptions } from '../config/schema.js';
import { UsageError } from '../errors.js';
import { type Drift, DriftAccumulator } from '../evaluate/drift.js';
import { driftHeadline, formatDrift } from '../evaluate/drift-format.js';
import { dataKind } from '../events/data-kinds.js';
import { type Domain, domainSchema } from '../events/domain.js';
import { checkWritable, readJson, writeAtomically } from '../files.js';
import { runFiles } from '../model/run-folder.js';
import { countEvents, readEvents, type Reading } from '../read/index.js';
import { type FileInspection, formatFileInspection, inspectFile } from '../read/inspect-file.js';
import { readingOf } from '../read/reading.js';
import { writeDriftReport } from '../report/drift.js';
import type { Context } from './commands.js';

/**
 * `anomalyclr inspect FILE..`: what is in event files; with `--model` how they differ from its training domain. JSON is a
 * list with one entry per file.
 */
export async function run(options: InspectOptions, context: Context): Promise<void> {
  const { model, report, files, json } = options;
  if (model !== undefined) return compare({ ...options, model }, context);
  if (report !== undefined)
    throw new UsageError('--report: is of a comparison with a training domain; name its run or bundle with --model');
  const { output, signal } = context;
  const reading = await readingOf(options, { write: false });
  const results: FileInspection[] = [];
  for (const file of files) {
    signal.throwIfAborted();
    const result = await inspectFile(file, reading);
    if (json) results.push(result);
    else output.result(`${file === files[0] ? '' : '\n'}${formatFileInspection(result)}`);
  }
  if (json) output.json(results);
}

/** One file against the training domain. */
interface Comparison extends Drift {
  readonly file: string;
  readonly model: string;
  /** Events left out, as not valid. */
  readonly skipped: number;
}

async function compare(options: InspectOptions & { model: string }, context: Context): Promise<void> {
  const { model, report, files, json } = options;
  const { output, version } = context;
  if (report !== undefined) await checkWritable(report);
  const domain = await domainOf(model);
  const reading = await readingOf(options, { write: false });
  const results: Comparison[] = [];
  for (const file of files) {
    const result = await compareFile(file, domain, { model, reading }, context);
    results.push(result);
    if (json) continue;
    const { events, training, skipped } = result;
    const { many } = dataKind(domain.data).words;
    const bad = skipped > 0 ? `, ${skipped} more with problems left out` : '';
    const head = `${file}: ${events} ${many}${bad}, against ${training} of the training of ${model}`;
    output.result(`${file === files[0] ? '' : '\n'}${head}\n  ${driftHeadline(result)}\n\n${formatDrift(result)}`);
  }
  if (report !== undefined) {
    const date = new Date().toISOString();
    await writeAtomically(report, writeDriftReport({ model, version, date, comparisons: results }));
    output.info(`${report}: written`);
  }
  if (json) output.json(results);
}

async function domainOf(model: string): Promise<Domain> {
  return isBundle(model) ? (await readCard(model)).domain : readJson(runFiles(model).domain, domainSchema);
}

async function compareFile(
  file: string,
  domain: Domain,
  { model, reading }: { readonly model: string; readonly reading: Reading },
  { progress, signal }: Context,
): Promise<Comparison> {
  const accumulator = new DriftAccumulator(domain);
  let [done, skipped] = [0, 0];
  const shown = progress({ label: 'compare', total: await countEvents(file, reading, domain), unit: 'events' });
  for await (const batch of readEvents(file, { ...reading, onSkip: () => void (skipped += 1) })) {
    signal.throwIfAborted();
    accumulator.add(batch);
    done += batch.count;
    shown.update(done + skipped);
  }
  shown.stop();
  return { file, model, skipped, ...accumulator.snapshot() };
}
