import { existsSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import type { Calibration } from '../bundle/card.js';
import { AnomalyClrError } from '../errors.js';
import { range, take, type EventBatch } from '../events/event-batch.js';
import type { RunProvenance } from '../model/run-folder.js';
import type { Domain } from '../events/domain.js';
import { countEvents, hashOf, readEvents, type Reading } from '../read/index.js';
import { schemaHash } from '../read/cache/fingerprint.js';
import { Split } from '../train/split.js';

const batchEvents = 8192;

/** Background that sets thresholds, as a stream: files of any size stay outside memory. */
export interface BackgroundSource {
  readonly heldBack: boolean;
  /** Events at most. */
  readonly total: number;
  read(): AsyncGenerator<EventBatch, void, void>;
  /** What was read, by base name; complete once `read` has ended. */
  readonly files: Calibration['files'];
  /** Bad events left out so far. */
  readonly skipped: number;
}

/**
 * The events of files that were named for it.
 *
 * @param domain - of the model that they are for
 * @throws AnomalyClrError where a file cannot be read, or holds other data than the model was trained on
 */
export async function givenBackground(
  files: readonly string[],
  reading: Reading,
  domain: Pick<Domain, 'data'>,
): Promise<BackgroundSource> {
  let total = 0;
  for (const file of files) total += await countEvents(file, reading, domain);
  const hashes: string[] = [];
  for (const file of files) hashes.push(await hashOf(file, reading));
  const source = {
    heldBack: false,
    total,
    skipped: 0,
    files: [] as Calibration['files'],
    async *read() {
      source.files = [];
      source.skipped = 0;
      const onSkip = () => (source.skipped += 1);
      for (const [i, file] of files.entries()) {
        const entry = { file: path.basename(file), events: 0, sha256: hashes[i] };
        source.files.push(entry);
        for await (const batch of readEvents(file, { ...reading, batch: batchEvents, onSkip })) {
          entry.events += batch.count;
          yield batch;
        }
      }
    },
  };
  return source;
}

const splitOptionsSchema = z.looseObject({
  seed: z.number(),
  validation: z.number().min(0).max(1),
  onBadEvent: z.enum(['fail', 'skip']),
  /** Trainings before it was an option held back other events. */
  memory: z.number().optional(),
});

/**
 * The events that the training of a run held back, read again from its own files.
 *
 * @param settings - the run's config.json
 * @param how - the files are read by
 * @returns why there are none, where there are none: nothing was held back, or a file is gone or has changed
 */
export async function heldBackBackground(
  settings: unknown,
  { files, schema = '' }: Pick<RunProvenance, 'files' | 'schema'>,
  how: Omit<Reading, 'onBadEvent'> = {},
): Promise<BackgroundSource | { readonly reason: string }> {
  const { onBadEvent, memory, ...split } = splitOptionsSchema.parse(settings);
  const reading: Reading = { ...how, onBadEvent };
  const used = files.filter(({ events }) => events > 0);
  const count = used.reduce((sum, { events }) => sum + events, 0);
  const rule = new Split(count, split);
  if (rule.validation === 0) return { reason: 'the training held no events back' };
  if (memory === undefined) return { reason: 'the run is of an earlier version, which held other events back' };
  if (schemaHash(how.schema) !== schema) return { reason: "the training's schema has changed since" };
  for (const { file, sha256: before } of used) {
    const name = path.basename(file);
    if (!existsSync(file)) return { reason: `the training's file ${name} is not where it was` };
    if ((await hashOf(file, reading)) !== before) return { reason: `the training's file ${name} has changed since` };
  }
  const source = {
    heldBack: true,
    total: rule.validation,
    skipped: 0,
    files: [] as Calibration['files'],
    async *read() {
      source.files = [];
      let before = 0; // events of the run in the files so far
      for (const { file, events, sha256: hash } of used) {
        const entry = { file: path.basename(file), events: 0, sha256: hash };
        source.files.push(entry);
        for await (const batch of eventsUpTo(file, events, reading)) {
          const { validation: index } = rule.within(before, before + batch.count);
          before += batch.count;
          entry.events += index.length;
          if (index.length > 0) yield take(batch, index);
        }
      }
      if (before !== count)
        throw new AnomalyClrError(
          `${used.map(({ file }) => file).join(', ')}: fewer events than the training read; give --background instead`,
        );
    },
  };
  return source;
}

/** The first `events` valid events of a file: what a training took of it. */
async function* eventsUpTo(file: string, events: number, reading: Reading): AsyncGenerator<EventBatch> {
  let left = events;
  for await (const batch of readEvents(file, { ...reading, batch: batchEvents })) {
    const some = range(batch, 0, Math.min(left, batch.count));
    yield some;
    if ((left -= some.count) === 0) return;
  }
}
