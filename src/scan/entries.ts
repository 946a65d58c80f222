import type { SignalFigures } from '../evaluate/evaluation.js';
import { formatFigure } from '../evaluate/format.js';
import type { Interval } from '../evaluate/intervals.js';
import type { Fpr } from '../evaluate/summary.js';
import type { StudyResults, StudyTable } from './study.js';

/** A method of a variant under the name that tables and figures give it. */
export interface Entry {
  readonly name: string;
  readonly variant: string;
  readonly method: string;
}

type Figures = Omit<SignalFigures, 'events'>;

/** An entry with its figures on each signal, and the mean over the signals. */
export interface EntryFigures extends Entry {
  readonly seeds: readonly number[];
  /** By signal; null where no trial is there. */
  readonly signals: Readonly<Record<string, SignalFigures | null>>;
  readonly mean: Figures | null;
}

/** Figures of entries on the request's signals, or on other samples. */
export async function figuresOfEntries(
  results: StudyResults,
  entries: readonly Entry[],
  signals: readonly string[] = results.signals,
): Promise<EntryFigures[]> {
  const found: EntryFigures[] = [];
  for (const entry of entries) {
    const { variant, method } = entry;
    const bySignal: [string, SignalFigures | null][] = [];
    for (const signal of signals) bySignal.push([signal, await results.figures(variant, method, signal)]);
    found.push({
      ...entry,
      seeds: results.trialsOf(variant).map(({ seed }) => seed),
      signals: Object.fromEntries(bySignal),
      mean: await results.means(variant, method, signals),
    });
  }
  return found;
}

/** One number of all figures: what a table is of. */
export interface Measure {
  readonly title: string;
  readonly of: (figures: Figures) => Interval | null;
}

export const auc: Measure = { title: 'AUC', of: f => f.auc };
export const rejection: Measure = { title: '1/ε_b at ε_s = 0.3', of: f => f['rejection_at_eff_0.3'] };
export const efficiency = (rate: Fpr): Measure => ({
  title: `ε_s at ε_b = ${rate}`,
  of: f => f.efficiency_at_fpr[rate],
});
export const significance = (rate: Fpr): Measure => ({ title: `SIC at ε_b = ${rate}`, of: f => f.sic_at_fpr[rate] });

const rates: readonly Fpr[] = ['1e-2', '1e-3', '1e-4', '1e-5'];

/** AUC, rejection, then efficiency and significance improvement at each background rate. */
export const measures: readonly Measure[] = [auc, rejection, ...rates.map(efficiency), ...rates.map(significance)];

/** `0.9422 ± 0.0021 (s 0.0013)`: half the 95 % interval, and the standard deviation over seeds; "-" for too few events. */
export function cell(interval: Interval | null | undefined): string {
  if (!interval) return '-';
  const { value, half } = formatFigure(interval);
  const decimals = value.split('.')[1]?.length ?? 0;
  const spread = interval.spread === undefined ? '' : ` (s ${interval.spread.toFixed(decimals)})`;
  return `${value} ± ${half}${spread}`;
}

/**
 * One table for each measure that the events bear for some entry: a line an entry, a column a signal, then their mean.
 *
 * @param head - of the first column
 */
export function measureTables(
  head: string,
  entries: readonly EntryFigures[],
  shown: readonly Measure[] = measures,
): StudyTable[] {
  const signals = Object.keys(entries.at(0)?.signals ?? {});
  const withMean = signals.length > 1;
  return shown.flatMap(({ title, of }) => {
    const rows = entries.map(entry => {
      const figures = [...signals.map(signal => entry.signals[signal]), ...(withMean ? [entry.mean] : [])];
      return { name: entry.name, intervals: figures.map(one => (one ? of(one) : null)) };
    });
    if (rows.every(({ intervals }) => intervals.every(one => one === null))) return [];
    return {
      title,
      head: [head, ...signals, ...(withMean ? ['mean'] : [])],
      rows: rows.map(({ name, intervals }) => [name, ...intervals.map(cell)]),
    };
  });
}
