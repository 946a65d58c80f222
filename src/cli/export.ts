import type { ExportOptions } from '../config/schema.js';
import { openEngine } from '../engine/index.js';
import { exportRun } from '../export/export-run.js';
import { exportText } from '../export/export-text.js';
import type { Context } from './commands.js';

export async function run(options: ExportOptions, { output, progress, signal, version }: Context): Promise<void> {
  const engine = await openEngine(options);
  if (engine.notice !== undefined) output.info(engine.notice);
  const exported = await exportRun(options, engine, version, {
    signal,
    progress,
    info: line => output.info(line),
    warn: line => output.warn(line),
  });
  if (options.json) output.json(exported.card);
  else output.result(exportText(exported));
}
