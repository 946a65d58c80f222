import type { ScoreOptions } from '../config/schema.js';
import { openEngine } from '../engine/index.js';
import { scoreFiles } from '../score/score-files.js';
import type { Context } from './commands.js';

export async function run(options: ScoreOptions, { output, progress, signal }: Context): Promise<void> {
  const engine = await openEngine(options);
  if (engine.notice !== undefined) output.info(engine.notice);
  const { events, skipped, outsideDomain, seconds } = await scoreFiles({ ...options, signal, progress }, engine);
  if (skipped > 0) output.warn(`${skipped} bad events have score NaN and count as outside the training domain`);
  const rate = Math.round(events / Math.max(seconds, 1e-9));
  output.info(`${options.out}: ${events} events, ${outsideDomain} outside the training domain, ${rate} events/s`);
}
