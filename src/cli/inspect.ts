import type { InspectOptions } from '../config/schema.js';
import { formatInspection, type Inspection } from '../events/inspect.js';
import { inspectFile } from '../read/inspect-file.js';
import type { Context } from './commands.js';

/** `anomalyclr inspect FILE..`: what is in event files. JSON is a list with one entry per file. */
export async function run(options: InspectOptions, { output, signal }: Context): Promise<void> {
  const results: Inspection[] = [];
  for (const file of options.files) {
    signal.throwIfAborted();
    const result = await inspectFile(file, options.onBadEvent);
    if (options.json) results.push(result);
    else output.result(`${file === options.files[0] ? '' : '\n'}${formatInspection(result)}`);
  }
  if (options.json) output.json(results);
}
