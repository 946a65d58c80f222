import {
  DomainBuilder,
  type EventSummary,
  FeatureAccumulator,
  type FeatureSummary,
  type Multiplicity,
} from './domain.js';
import type { EventBatch } from './event-batch.js';
import { Kind, kindNames } from './objects.js';

/** Problems told in full; the others are only counted. */
const maxProblems = 20;

/** What is in a file of events. */
export interface Inspection extends EventSummary {
  readonly file: string;
  /** Events in the file; `events` counts the valid ones. */
  readonly rows: number;
  readonly hasEventIds: boolean;
  /** Scalar sum of the jets' pT per event, GeV; null without events. */
  readonly ht: FeatureSummary | null;
  /** Fraction of the valid events; 0 where there are none. */
  readonly withoutJets: number;
  /** Valid events without any object. */
  readonly empty: number;
  readonly problems: { readonly count: number; readonly messages: readonly string[] };
}

/** Collects an {@link Inspection} from a stream of batches and problems, in bounded memory. */
export class Inspector {
  private readonly domain = new DomainBuilder();
  private readonly ht = new FeatureAccumulator('logarithmic');
  private readonly messages: string[] = [];
  private problems = 0;

  add(batch: EventBatch): void {
    this.domain.add(batch);
    for (let e = 0; e < batch.count; e++) {
      let ht = 0;
      for (let o = batch.offsets[e]; o < batch.offsets[e + 1]; o++) if (batch.kind[o] === Kind.jet) ht += batch.pt[o];
      this.ht.add(ht);
    }
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
      ht: this.ht.summary(),
      withoutJets: summary.events > 0 ? (summary.kinds.jet.multiplicity.counts[0] ?? 0) / summary.events : 0,
      empty: summary.multiplicity.counts[0] ?? 0,
      problems: { count: this.problems, messages: this.messages },
    };
  }
}

/** An inspection as text: head, spectra, multiplicities, problems. */
export function formatInspection(result: Inspection): string {
  const { file, rows, events, problems } = result;
  const lines = [
    file,
    `  ${rows} events, ${events} valid${result.hasEventIds ? ', with EvtId' : ''}`,
    `  without jets ${percent(result.withoutJets)}, without any object ${result.empty}`,
  ];
  if (events > 0) lines.push('', ...table(spectra(result)), '', ...table(multiplicities(result)));
  lines.push('', problems.count === 0 ? '  no problems found' : `  ${problems.count} events with problems`);
  for (const message of problems.messages) lines.push(`    ${message}`);
  if (problems.count > problems.messages.length)
    lines.push(`    and ${problems.count - problems.messages.length} more`);
  return lines.join('\n');
}

function spectra({ kinds, ht }: Inspection): string[][] {
  const head = ['', 'objects', 'min', '1 %', 'median', '99 %', 'max', 'mean', 'std'];
  const row = (name: string, objects: string, feature: FeatureSummary | null) => {
    if (!feature) return [];
    const { min, max, mean, std, quantiles } = feature;
    return [[name, objects, ...[min, quantiles[1], quantiles[4], quantiles[7], max, mean, std].map(short)]];
  };
  return [
    head,
    ...kindNames.flatMap(name => [
      ...row(`${name} pT [GeV]`, String(kinds[name].objects), kinds[name].pt),
      ...(name === 'met' ? [] : row(`${name} eta`, '', kinds[name].eta)),
      ...row(`${name} phi [rad]`, '', kinds[name].phi),
    ]),
    ...row('HT [GeV]', '', ht),
  ];
}

function multiplicities({ kinds, multiplicity, events }: Inspection): string[][] {
  const all: [string, Multiplicity][] = [
    ...kindNames.map((name): [string, Multiplicity] => [name, kinds[name].multiplicity]),
    ['all', multiplicity],
  ];
  const most = Math.max(...all.map(([, { max }]) => max));
  const share = (n: number | undefined) => (n ? percent(n / events) : '-');
  return [
    ['per event', 'mean', ...Array.from({ length: most + 1 }, (_, n) => String(n))],
    ...all.map(([name, { mean, counts }]) => [
      name,
      short(mean),
      ...Array.from({ length: most + 1 }, (_, n) => share(counts[n])),
    ]),
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
