import type { ScoreOptions } from '../config/schema.js';
import { openScorer } from '../score/event-scorer.js';
import { scoreFiles } from '../score/score-files.js';
import type { Context } from './commands.js';

export async function run(options: ScoreOptions, { output, progress, signal }: Context): Promise<void> {
  const scorer = await openScorer(options, line => output.info(line));
  try {
    const { events, skipped, outsideDomain, seconds } = await scoreFiles({ ...options, signal, progress }, scorer);
    if (skipped > 0) output.warn(`${skipped} bad events have score NaN and count as outside the training domain`);
    const rate = Math.round(events / Math.max(seconds, 1e-9));
    const outside = `${outsideDomain} outside the training domain${options.outOfDomain === 'nan' ? ' (score NaN)' : ''}`;
    output.info(`${options.out}: ${events} events, ${outside}, ${rate} events/s`);
  } finally {
    await scorer.dispose();
  }
}
