import { cutNames } from '../../evaluate/cuts.js';
import type { Interval } from '../../evaluate/intervals.js';
import { type SortedScores, sortInPlace } from '../../evaluate/roc.js';
import { combineShifts, type Shift, shiftOf, shiftRates } from '../../evaluate/shift.js';
import { combineSeeds, type Summary, summarise } from '../../evaluate/summary.js';
import type { DotPanel } from '../../report/figure.js';
import { auc, cell, efficiency, type Entry, type EntryFigures, figuresOfEntries, measureTables } from '../entries.js';
import type { Presentation, StudyResults, StudyTable } from '../study.js';
import type { TrialRecord } from '../trial.js';
import { shiftNames, triggered, under } from './shifts.js';

/** What a shift does to an entry, seeds combined. */
interface ShiftFigures {
  readonly shift: string;
  readonly entry: string;
  readonly seeds: readonly number[];
  /** Of the background, the fraction that still triggers. */
  readonly recorded: number;
  readonly score: Pick<Shift, 'mean' | 'median'>;
  /** Background passing the nominal threshold over what passes nominally. */
  readonly passing: Shift['passing'];
  readonly signals: Readonly<Record<string, SignalUnderShift>>;
}

/** Figures of a signal against the shifted background, both as the shifted detector sees them. */
interface SignalUnderShift {
  /** False where only the background was given under the shift. */
  readonly shifted: boolean;
  readonly auc: Interval | null;
  /** Mean over seeds of the AUC less the nominal one. */
  readonly change: number;
}

export async function presentUncertainties(results: StudyResults, title: string): Promise<Presentation> {
  const entries = entriesOf(results);
  const nominal = await figuresOfEntries(results, entries);
  const names = shiftNames(results.request);
  const shifts: ShiftFigures[] = [];
  for (const entry of entries) shifts.push(...(await shiftsOf(results, entry, names)));
  const order = entries.map(({ name }) => name);
  return {
    json: { nominal, shifts },
    tables: [
      ...measureTables('training', nominal, [auc, efficiency('1e-2'), efficiency('1e-3')]).map(one => ({
        ...one,
        title: `${one.title}, nominal detector`,
      })),
      ...shiftTables(shifts, names, order),
      ...results.signals.map(signal => aucTable(signal, nominal, shifts, names, order)),
    ],
    figure: {
      title,
      label: `background passing, shift of the score and change of AUC under ${names.join(', ')}, for ${order.join(', ')}`,
      panels: panelsOf(shifts, names, order),
    },
  };
}

/** Each variant, and the comparators. Cuts ask for no training that a cure could better. */
function entriesOf(results: StudyResults): Entry[] {
  return results.variants.flatMap(({ name: variant }) => {
    const [own, ...others] = results.methodsOf(variant).filter(one => one !== triggered && !cutNames.includes(one));
    return own === undefined
      ? []
      : [{ name: variant, variant, method: own }, ...others.map(method => ({ name: method, variant, method }))];
  });
}

async function shiftsOf(results: StudyResults, entry: Entry, names: readonly string[]): Promise<ShiftFigures[]> {
  const trials = results.trialsOf(entry.variant);
  const seeds = trials.map(({ seed }) => seed);
  const labels = new Set(results.samples.map(({ label }) => label));
  const found: SeedShifts[] = [];
  for (const trial of trials) found.push(await seedShifts(results, trial, entry.method, names, labels));
  return names.flatMap(shift => {
    const all = found.map(one => one.get(shift)).filter(one => one !== undefined);
    const combined = combineShifts(all.map(({ shift: figures }) => figures));
    if (!combined) return [];
    const { mean, median, passing } = combined;
    const signals = results.signals.map((signal): [string, SignalUnderShift] => {
      const of = all.map(one => one.signals[signal]);
      return [
        signal,
        {
          shifted: labels.has(under(shift, signal)),
          auc: combineSeeds(of.map(({ summary }) => summary), seeds).auc,
          change: of.reduce((sum, { change }) => sum + change, 0) / of.length,
        },
      ]; // prettier-ignore
    });
    return {
      shift,
      entry: entry.name,
      seeds,
      recorded: all[0].recorded,
      score: { mean, median },
      passing,
      signals: Object.fromEntries(signals),
    };
  });
}

/** Of one seed, by shift. */
type SeedShifts = Map<
  string,
  {
    readonly shift: Shift;
    readonly recorded: number;
    readonly signals: Readonly<Record<string, { readonly summary: Summary; readonly change: number }>>;
  }
>;

async function seedShifts(
  results: StudyResults,
  trial: TrialRecord,
  method: string,
  names: readonly string[],
  labels: ReadonlySet<string>,
): Promise<SeedShifts> {
  // scores of the events that trigger, sorted, and their fraction
  const scored = async (sample: string): Promise<{ sorted: SortedScores; recorded: number }> => {
    const triggers = await results.scores(trial, triggered, sample);
    const scores = (await results.scores(trial, method, sample)).filter((_, e) => triggers[e] > 0);
    return {
      sorted: sortInPlace(scores, `method ${method}, ${sample} scores`),
      recorded: scores.length / triggers.length,
    };
  };
  const { sorted: background } = await scored(results.samples[0].label);
  const signals = new Map<string, { sorted: SortedScores; auc: number }>();
  for (const signal of results.signals) {
    const { sorted } = await scored(signal);
    signals.set(signal, { sorted, auc: summarise(background, sorted).auc?.value ?? NaN });
  }
  const found: SeedShifts = new Map();
  for (const name of names) {
    const { sorted: shifted, recorded } = await scored(name);
    const of: Record<string, { summary: Summary; change: number }> = {};
    for (const [signal, { sorted, auc: before }] of signals) {
      const label = under(name, signal);
      const seen = labels.has(label) ? (await scored(label)).sorted : sorted;
      const summary = summarise(shifted, seen);
      of[signal] = { summary, change: (summary.auc?.value ?? NaN) - before };
    }
    found.set(name, { shift: shiftOf(background, shifted), recorded, signals: of });
  }
  return found;
}

type Row = (figures: ShiftFigures) => string;

/** A line a shift, a column an entry. */
function tableOf(
  title: string,
  shifts: readonly ShiftFigures[],
  names: readonly string[],
  order: readonly string[],
  of: Row,
  note?: string,
): StudyTable {
  return {
    title,
    head: ['shift', ...order],
    rows: names.map(shift => [
      shift,
      ...order.map(entry => {
        const found = shifts.find(one => one.shift === shift && one.entry === entry);
        return found ? of(found) : '-';
      }),
    ]),
    ...(note === undefined ? {} : { note }),
  };
}

function shiftTables(
  shifts: readonly ShiftFigures[],
  names: readonly string[],
  order: readonly string[],
): StudyTable[] {
  const lost = names
    .map(name => ({ name, recorded: shifts.find(one => one.shift === name)?.recorded ?? 1 }))
    .filter(({ recorded }) => recorded < 1)
    .map(({ name, recorded }) => `${name} ${(100 * (1 - recorded)).toFixed(1)} %`);
  const note =
    'The same collisions stand on both sides, so the intervals are too wide.' +
    (lost.length > 0 ? ` Left out, having lost the lepton that triggers: ${lost.join(', ')}.` : '');
  return [
    ...shiftRates.map(rate =>
      tableOf(
        `Background passing the threshold of nominal ε_b = ${rate}, over nominal`,
        shifts,
        names,
        order,
        one => cell(one.passing[rate]),
        note,
      ),
    ),
    tableOf('Shift of the median score, in nominal spreads', shifts, names, order, one => cell(one.score.median)),
    tableOf('Shift of the mean score, in nominal spreads', shifts, names, order, one => cell(one.score.mean)),
  ];
}

const signed = (change: number): string => `${change < 0 ? '−' : '+'}${Math.abs(change).toFixed(4)}`;

/** AUC of a signal under every shift, and its change. */
function aucTable(
  signal: string,
  nominal: readonly EntryFigures[],
  shifts: readonly ShiftFigures[],
  names: readonly string[],
  order: readonly string[],
): StudyTable {
  const table = tableOf(`AUC on ${signal}, and its change`, shifts, names, order, ({ signals }) => {
    const { auc: value, change } = signals[signal];
    return `${cell(value)} [${signed(change)}]`;
  });
  const unshifted = names.filter(name => shifts.some(one => one.shift === name && !one.signals[signal].shifted));
  return {
    ...table,
    rows: [['none', ...nominal.map(one => cell(one.signals[signal]?.auc))], ...table.rows],
    ...(unshifted.length > 0 ? { note: `The signal itself is nominal under ${unshifted.join(', ')}.` } : {}),
  };
}

function panelsOf(shifts: readonly ShiftFigures[], names: readonly string[], order: readonly string[]): DotPanel[] {
  const panel = (title: string, value: DotPanel['value'], of: (one: ShiftFigures) => Interval | null): DotPanel => ({
    kind: 'dots',
    title,
    value,
    rows: names,
    series: order.map(entry => ({
      name: entry,
      values: names.map(shift => {
        const found = shifts.find(one => one.shift === shift && one.entry === entry);
        return found ? of(found) : null;
      }),
    })),
  });
  const meanChange = ({ signals }: ShiftFigures): Interval | null => {
    const changes = Object.values(signals).map(({ change }) => change);
    if (changes.length === 0 || changes.some(Number.isNaN)) return null;
    const value = changes.reduce((a, b) => a + b, 0) / changes.length;
    return { value, low: Math.min(...changes), high: Math.max(...changes) };
  };
  return [
    ...shiftRates.map(rate =>
      panel(
        `background passing at nominal ε_b = ${rate}`,
        { name: 'over nominal', log: 2 as const },
        one => one.passing[rate],
      ),
    ),
    panel('shift of the median score', { name: 'nominal spreads' }, one => one.score.median),
    panel('change of AUC: mean, least and largest of the signals', { name: 'change of AUC' }, meanChange),
  ].filter(({ series }) => series.some(({ values }) => values.some(one => one !== null)));
}
