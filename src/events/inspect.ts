import {
  DomainBuilder,
  type EventSummary,
  FeatureAccumulator,
  type FeatureSummary,
  type Multiplicity,
} from './domain.js';
import type { EventBatch } from './event-batch.js';
import { dataKind, type DataKindName } from './data-kinds.js';

/** Problems told in full; the others are only counted. */
const maxProblems = 20;

/** What is in a file of events. */
export interface Inspection extends EventSummary {
  readonly file: string;
  /** Events in the file; `events` counts the valid ones. */
  readonly rows: number;
  readonly hasEventIds: boolean;
  /** Of collisions: scalar sum of the jets' pT per event, GeV; null without events. */
  readonly ht?: FeatureSummary | null;
  /** Of collisions: fraction of the valid events; 0 where there are none. */
  readonly withoutJets?: number;
  /** Of other data: the quantities of a whole event that its data kind has, GeV; null without events. */
  readonly quantities?: Readonly<Record<string, FeatureSummary | null>>;
  /** Valid events without any object. */
  readonly empty: number;
  readonly problems: { readonly count: number; readonly messages: readonly string[] };
}

/** Collects an {@link Inspection} from a stream of batches and problems, in bounded memory. */
export class Inspector {
  private readonly domain: DomainBuilder;
  private readonly quantities;
  private readonly messages: string[] = [];
  private problems = 0;

  /** @param data - what the events are */
  constructor(private readonly data: DataKindName = 'event') {
    this.domain = new DomainBuilder(data);
    this.quantities = Object.entries(dataKind(data).quantities).map(([name, { of }]) => ({
      name,
      of,
      spectrum: new FeatureAccumulator('logarithmic'),
    }));
  }

  add(batch: EventBatch): void {
    this.domain.add(batch);
    for (const { of, spectrum } of this.quantities) for (let e = 0; e < batch.count; e++) spectrum.add(of(batch, e));
  }

  problem(message: string): void {
    this.problems += 1;
    if (this.messages.length < maxProblems) this.messages.push(message);
  }

  build(file: { readonly file: string; readonly rows: number; readonly hasEventIds: boolean }): Inspection {
    const summary = this.domain.summary();
    return {
      ...file,
      ...summary,
      ...this.wholeEvents(summary),
      empty: summary.multiplicity.counts[0] ?? 0,
      problems: { count: this.problems, messages: this.messages },
    };
  }

  private wholeEvents({ events, kinds }: EventSummary): Pick<Inspection, 'ht' | 'withoutJets' | 'quantities'> {
    const found = Object.fromEntries(this.quantities.map(({ name, spectrum }) => [name, spectrum.summary()]));
    if (this.data !== 'event') return { quantities: found };
    return { ht: found['ht'], withoutJets: events > 0 ? (kinds['jet'].multiplicity.counts[0] ?? 0) / events : 0 };
  }
}

/** An inspection as text: head, spectra, multiplicities, problems. */
export function formatInspection(result: Inspection): string {
  const { file, rows, events, problems, withoutJets } = result;
  const { many, object } = dataKind(result.data).words;
  const without = `without any ${object} ${result.empty}`;
  const lines = [
    file,
    `  ${rows} ${many}, ${events} valid${result.hasEventIds ? ', with EvtId' : ''}`,
    `  ${withoutJets === undefined ? without : `without jets ${percent(withoutJets)}, ${without}`}`,
  ];
  if (events > 0) lines.push('', ...table(spectra(result)), '', ...table(multiplicities(result)));
  lines.push('', problems.count === 0 ? '  no problems found' : `  ${problems.count} ${many} with problems`);
  for (const message of problems.messages) lines.push(`    ${message}`);
  if (problems.count > problems.messages.length)
    lines.push(`    and ${problems.count - problems.messages.length} more`);
  return lines.join('\n');
}

function spectra({ data, kinds, ht, quantities = { ht: ht ?? null } }: Inspection): string[][] {
  const { kinds: names, quantities: known } = dataKind(data);
  const head = ['', 'objects', 'min', '1 %', 'median', '99 %', 'max', 'mean', 'std'];
  const row = (name: string, objects: string, feature: FeatureSummary | null) => {
    if (!feature) return [];
    const { min, max, mean, std, quantiles } = feature;
    return [[name, objects, ...[min, quantiles[1], quantiles[4], quantiles[7], max, mean, std].map(short)]];
  };
  return [
    head,
    ...names.flatMap(name => [
      ...row(`${name} pT [GeV]`, String(kinds[name].objects), kinds[name].pt),
      ...(name === 'met' ? [] : row(`${name} eta`, '', kinds[name].eta)),
      ...row(`${name} phi [rad]`, '', kinds[name].phi),
    ]),
    ...Object.entries(quantities).flatMap(([name, summary]) => row(known[name].label, '', summary)),
  ];
}

function multiplicities({ data, kinds, multiplicity, events }: Inspection): string[][] {
  const { kinds: names, words } = dataKind(data);
  const all: [string, Multiplicity][] = names.map(name => [name, kinds[name].multiplicity]);
  if (names.length > 1) all.push(['all', multiplicity]);
  const most = Math.max(...all.map(([, { max }]) => max));
  if (most > mostColumns) return multiplicityQuantiles(`per ${words.one}`, all);
  const share = (n: number | undefined) => (n ? percent(n / events) : '-');
  return [
    [`per ${words.one}`, 'mean', ...Array.from({ length: most + 1 }, (_, n) => String(n))],
    ...all.map(([name, { mean, counts }]) => [
      name,
      short(mean),
      ...Array.from({ length: most + 1 }, (_, n) => share(counts[n])),
    ]),
  ];
}

/** Multiplicities up to which each has a column of its own. */
const mostColumns = 24;

function multiplicityQuantiles(head: string, all: readonly (readonly [string, Multiplicity])[]): string[][] {
  return [
    [head, 'mean', 'min', '1 %', 'median', '99 %', 'max'],
    ...all.map(([name, { min, max, mean, counts }]) => {
      const events = counts.reduce((a, b) => a + b, 0);
      const at = (share: number): number => {
        let left = Math.max(1, Math.ceil(share * events));
        return counts.findIndex(count => (left -= count) <= 0);
      };
      return [name, short(mean), ...[min, at(0.01), at(0.5), at(0.99), max].map(String)];
    }),
  ];
}

/** Lines of right-aligned columns, the first one left-aligned. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, c) => Math.max(...rows.map(row => row[c].length)));
  return rows.map(row =>
    `  ${row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  ')}`.trimEnd(),
  );
}

function short(x: number): string {
  return Math.abs(x) >= 1000 ? x.toFixed(0) : String(Number(x.toPrecision(4)));
}

function percent(fraction: number): string {
  return `${Number((100 * fraction).toPrecision(3))} %`;
}
