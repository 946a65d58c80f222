import process from 'node:process';
import { userCacheFolder } from './cache/folder.js';
import type { OnBadEvent, Reading } from './index.js';
import { SeenFiles } from './seen-files.js';
import { loadSchema } from './schema/schema.js';

/** The options of a command that say how its files are read. */
export interface ReadingOptions {
  readonly onBadEvent: OnBadEvent;
  readonly schema?: string | undefined;
  readonly cache?: boolean | undefined;
  readonly cacheFolder?: string | undefined;
}

/**
 * How the files of a command are read, from its options.
 *
 * @param how - `write`: whether packed copies are made, too; `warn`: told of those that cannot be, left out it is standard
 * error
 * @throws UsageError where the schema is none
 */
export async function readingOf(
  { onBadEvent, schema: source, cache, cacheFolder }: ReadingOptions,
  how: { readonly write: boolean; readonly warn?: (line: string) => void },
): Promise<Reading> {
  const schema = source === undefined ? undefined : await loadSchema(source);
  return {
    onBadEvent,
    seen: new SeenFiles(),
    ...(schema ? { schema } : {}),
    ...(cache ? { cache: { folder: cacheFolder ?? userCacheFolder(), warn: warnOfCopies, ...how } } : {}),
  };
}

function warnOfCopies(line: string): void {
  process.stderr.write(`anomalyclr: warning: ${line}\n`);
}
