import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import type { OnBadEvent, Reading } from './index.js';
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
 * @param how - `write`: whether packed copies are made, too
 * @throws UsageError where the schema is none
 */
export async function readingOf(
  { onBadEvent, schema: source, cache, cacheFolder }: ReadingOptions,
  how: { readonly write: boolean },
): Promise<Reading> {
  const schema = source === undefined ? undefined : await loadSchema(source);
  return {
    onBadEvent,
    ...(schema ? { schema } : {}),
    ...(cache ? { cache: { folder: cacheFolder ?? userCacheFolder(), write: how.write } } : {}),
  };
}

/** Where packed copies lie if nothing else is said. */
function userCacheFolder(): string {
  const { ANOMALYCLR_CACHE, XDG_CACHE_HOME } = process.env;
  return ANOMALYCLR_CACHE || path.join(XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'anomalyclr');
}
