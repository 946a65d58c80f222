import type { DataKind } from './data-kind.js';
import { event } from './kinds/event.js';
import { jet } from './kinds/jet.js';

export type { DataKind } from './data-kind.js';

/** What one entry of a file may be: a collision with its objects, or a jet with its constituents. */
export const dataKinds = { event, jet } satisfies Readonly<Record<string, DataKind>>;
export type DataKindName = keyof typeof dataKinds;
export const dataKindNames = Object.keys(dataKinds) as [DataKindName, ...DataKindName[]];

/** The noun with its article. */
export const withArticle = (noun: string): string => `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;

/** The entry of {@link dataKinds}; of events where nothing is said, as in files from before there were others. */
export function dataKind(name: DataKindName = 'event'): DataKind {
  return dataKinds[name];
}
