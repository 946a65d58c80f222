import { formatFigure } from '../../evaluate/format.js';
import type { Interval } from '../../evaluate/intervals.js';
import { combineFractions, fraction, type Overlap, overlap, selectAtFpr } from '../../evaluate/overlap.js';
import { sortScores } from '../../evaluate/roc.js';
import type { Fpr } from '../../evaluate/summary.js';
import type { DotPanel } from '../../report/figure.js';
import type { StudyResults, StudyTable } from '../study.js';

const rates = ['1e-2', '1e-3'] as const satisfies readonly Fpr[];
type Rate = (typeof rates)[number];

/** What a search selects of a sample beside what the run selects, at the same background rate. */
export interface SearchOverlap {
  readonly method: string;
  /** Of the events that the run selects, the fraction that the search selects too. */
  readonly ofRun: Interval | null;
  /** Of the events that the search selects, the fraction that the run selects too. */
  readonly ofSearch: Interval | null;
  /** Of all events of the sample, those that the run selects and the search does not, and the other way round. */
  readonly runAlone: Interval | null;
  readonly searchAlone: Interval | null;
  /** Of all events, those that this search selects and nothing else does. */
  readonly only: Interval | null;
}

/** Overlaps on one sample at one background rate, seeds combined. */
export interface SampleOverlaps {
  readonly sample: string;
  readonly rate: Rate;
  /** The run's method. */
  readonly run: string;
  /** Of all events, those that the run selects and no search does: together they let more background pass. */
  readonly runOnly: Interval | null;
  readonly searches: readonly SearchOverlap[];
}

/** What every method of a variant selects at equal background rate, against its own; only rates that the events bear. */
export async function overlapsOf(results: StudyResults, variant: string): Promise<SampleOverlaps[]> {
  const [run, ...searches] = results.methodsOf(variant);
  const samples = results.samples.filter(
    ({ label, role }, i) => i === 0 || (role === 'signal' && results.signals.includes(label)),
  );
  const found = new Map<string, Selections[]>();
  for (const trial of results.trialsOf(variant)) {
    const backgrounds = new Map<string, ReturnType<typeof sortScores>>();
    for (const method of [run, ...searches])
      backgrounds.set(method, sortScores(await results.scores(trial, method, samples[0].label), `method ${method}`));
    for (const { label } of samples)
      for (const rate of rates) {
        const selections: Selections = new Map();
        for (const [method, background] of backgrounds)
          selections.set(method, selectAtFpr(background, await results.scores(trial, method, label), Number(rate)));
        const key = keyOf(label, rate);
        found.set(key, [...(found.get(key) ?? []), selections]);
      }
  }
  return samples.flatMap(({ label }) =>
    rates.flatMap(rate => {
      const seeds = found.get(keyOf(label, rate)) ?? [];
      return seeds.length === 0 || seeds[0].get(run) === null
        ? []
        : [sampleOverlaps(label, rate, run, searches, seeds)];
    }),
  );
}

const keyOf = (label: string, rate: Rate): string => `${rate} ${label}`;

/** Of one seed, by method. */
type Selections = Map<string, Uint8Array | null>;

function sampleOverlaps(
  sample: string,
  rate: Rate,
  run: string,
  searches: readonly string[],
  seeds: readonly Selections[],
): SampleOverlaps {
  const alone = seeds.map(onlyBy);
  const combined = (of: (o: Overlap) => Interval | null, overlaps: readonly (Overlap | null)[]): Interval | null =>
    combineFractions(overlaps.map(one => one && of(one)));
  return {
    sample,
    rate,
    run,
    runOnly: combineFractions(alone.map(of => of.get(run) ?? null)),
    searches: searches.map(method => {
      const overlaps = seeds.map(selections => {
        const [first, second] = [selections.get(run), selections.get(method)];
        return first && second ? overlap(first, second) : null;
      });
      return {
        method,
        ofRun: combined(o => o.ofFirst, overlaps),
        ofSearch: combined(o => o.ofSecond, overlaps),
        runAlone: combined(o => o.firstAlone, overlaps),
        searchAlone: combined(o => o.secondAlone, overlaps),
        only: combineFractions(alone.map(of => of.get(method) ?? null)),
      };
    }),
  };
}

/** By method the fraction of all events that it selects and no other does. */
function onlyBy(selections: Selections): Map<string, Interval | null> {
  const selected = [...selections].flatMap(([method, of]) => (of ? [[method, of] as const] : []));
  const events = selected.at(0)?.[1].length ?? 0;
  const counts = new Map(selected.map(([method]) => [method, 0]));
  for (let e = 0; e < events; e++) {
    const by = selected.filter(([, of]) => of[e] === 1);
    if (by.length === 1) counts.set(by[0][0], (counts.get(by[0][0]) ?? 0) + 1);
  }
  return new Map([...counts].map(([method, count]) => [method, fraction(count, events)]));
}

const columns: readonly { readonly head: string; readonly of: (o: SearchOverlap) => Interval | null }[] = [
  { head: "of the run's, also the search's", of: o => o.ofRun },
  { head: "of the search's, also the run's", of: o => o.ofSearch },
  { head: 'run, not search', of: o => o.runAlone },
  { head: 'search, not run', of: o => o.searchAlone },
  { head: 'this search alone', of: o => o.only },
];

/** Without the spread, which the JSON has. */
function cell(interval: Interval | null): string {
  if (!interval) return '-';
  const { value, half } = formatFigure(interval);
  return `${value} ± ${half}`;
}

/** A table for each sample and rate: a line for each search. */
export function overlapTables(overlaps: readonly SampleOverlaps[]): StudyTable[] {
  return overlaps.map(({ sample, rate, run, runOnly, searches }) => ({
    title: `What is selected of ${sample} at ε_b = ${rate}`,
    head: ['search', ...columns.map(({ head }) => head)],
    rows: searches.map(search => [search.method, ...columns.map(({ of }) => cell(of(search)))]),
    note:
      'The first two columns are fractions of the events selected, the others of all events. Selected by ' +
      `${run} and by no search: ${cell(runOnly)}.`,
  }));
}

/** Of what the run selects, the fraction that each search selects too. */
export function overlapPanel(overlaps: readonly SampleOverlaps[], rate: Rate, methods: readonly string[]): DotPanel {
  const here = overlaps.filter(one => one.rate === rate);
  return {
    kind: 'dots',
    title: `Of what the run selects at ε_b = ${rate}, selected by the search too`,
    value: { name: 'fraction', min: 0, max: 1 },
    rows: methods,
    series: here.map(({ sample, searches }) => ({
      name: sample,
      values: methods.map(method => searches.find(one => one.method === method)?.ofRun ?? null),
    })),
  };
}
