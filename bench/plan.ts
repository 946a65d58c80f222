import type { CaseAt } from './ask.js';
import type { Case } from './case.js';
import { groupBy } from './group.js';
import { subjectWords, type BenchCase } from './report-types.js';
import { subjectsOn, type Subject } from './subjects.js';

/** What is to be measured, in the order in which it is. */
export interface Planned extends CaseAt {
  readonly counts: 'events' | 'operations';
  /** Too long to be checked as well. */
  readonly long: boolean;
}

/** A subject as it stands in tables and filters. */
export const wordsOf = (subject: Subject): string =>
  subjectWords({ backend: subject.engine === 'torch' ? subject.mode : 'cpu', ...subject });

/**
 * Whether a filter chooses a measurement: each of its words stands in the name or in the words of the subject, or is name
 * and batch together.
 *
 * @example
 * matches('train-step-512 tfjs/wasm', 'train-step', 512, 'tfjs/wasm pure'); // true
 */
export function matches(filter: string, name: string, batch: number, subject: string): boolean {
  const words = filter.split(/\s+/).filter(word => word !== '');
  return words.every(word => name.includes(word) || word === `${name}-${batch}` || subject.includes(word));
}

/** The same for a case of a report. */
export const matchesCase = (filter: string, one: BenchCase): boolean =>
  matches(filter, one.name, one.batch, subjectWords(one));

/** Case by case, subject by subject, small batches first. A batch that the filter names is measured in any run. */
export function plan(
  cases: readonly Case[],
  {
    filter = '',
    full,
    threads,
    device = 'cpu',
  }: {
    filter?: string | undefined;
    full: boolean;
    threads: number;
    device?: 'cpu' | 'cuda';
  },
): Planned[] {
  const named = (name: string, batch: number): boolean => filter.split(/\s+/).includes(`${name}-${batch}`);
  return cases.flatMap(one =>
    subjectsOn(device).flatMap(subject => {
      const batches = one.batches(subject);
      if (!batches) return [];
      const { usual, full: more, long = [] } = batches;
      return [...new Set([...usual, ...more, ...long])]
        .toSorted((a, b) => a - b)
        .filter(batch => usual.includes(batch) || (full && more.includes(batch)) || named(one.name, batch))
        .filter(batch => matches(filter, one.name, batch, wordsOf(subject)))
        .map(batch => ({
          name: one.name,
          model: one.model,
          counts: one.counts ?? 'events',
          batch,
          subject,
          threads,
          long: long.includes(batch),
        }));
    }),
  );
}

/** The measurements of one case on one subject, which end where they become slow. */
export const curves = (planned: readonly Planned[]): Planned[][] =>
  groupBy(planned, ({ name, model, subject }) => JSON.stringify([name, model, wordsOf(subject)]));
