import process from 'node:process';
import { isBundle } from '../bundle/read.js';
import type { ScoreOptions } from '../config/schema.js';
import { shardOf, shardText } from '../config/shard.js';
import { readingOf } from '../read/reading.js';
import { openScorer } from '../score/event-scorer.js';
import { scoreFiles } from '../score/score-files.js';
import type { Context } from './commands.js';

export async function run(options: ScoreOptions, { output, progress, signal, version }: Context): Promise<void> {
  const { data, out, batch, outOfDomain, restart } = options;
  const reading = await readingOf(options, { write: false });
  const shard = options.shard === undefined ? undefined : await shardOf(options.shard, process.env);
  const notice = (line: string): void => output.info(line);
  const scorer = await openScorer(options, notice);
  try {
    const settings = settingsOf(options);
    const how = { ...reading, outOfDomain, shard, restart, settings, version, signal, progress, notice };
    const { events, skipped, cut, outsideDomain, resumed, seconds } = await scoreFiles(
      { data, out, batch, ...how },
      scorer,
    );
    if (skipped > 0) output.warn(`${skipped} bad events have score NaN and count as outside the training domain`);
    if (cut > 0) output.info(`${cut} events that the schema cuts have score NaN and flag 0`);
    const rate = Math.round((events - resumed) / Math.max(seconds, 1e-9));
    const outside = `${outsideDomain} outside the training domain${outOfDomain === 'nan' ? ' (score NaN)' : ''}`;
    const of = shard ? ` of shard ${shardText(shard)}` : '';
    output.info(`${out}: ${events} events${of}, ${outside}, ${rate} events/s`);
  } finally {
    await scorer.dispose();
  }
}

/** Options that change the numbers, if only by rounding. */
export function settingsOf(options: ScoreOptions): Record<string, string> {
  const { model, provider, precision, engine, device, tfjsBackend, tfjsKernels } = options;
  return isBundle(model) ? { provider } : { precision, engine, device, tfjsBackend, tfjsKernels };
}
