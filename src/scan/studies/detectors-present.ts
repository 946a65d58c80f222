import { methodFigures, type SignalFigures } from '../../evaluate/evaluation.js';
import { sortInPlace } from '../../evaluate/roc.js';
import { summarise, type Summary } from '../../evaluate/summary.js';
import { auc, cell, efficiency, type EntryFigures, figuresOfEntries, measureTables, type Measure } from '../entries.js';
import { meanSummary } from '../results.js';
import type { Presentation, StudyResults, StudyTable } from '../study.js';
import type { TrialRecord } from '../trial.js';

export const variant = 'run';
export const methodOf = (level: string, detector: string): string => `${level}-${detector}`;
const shown: readonly Measure[] = [auc, efficiency('1e-2'), efficiency('1e-3')];

/** A choice of levels or of detectors, whose scores are averaged where they are several. */
interface Choice {
  readonly name: string;
  readonly of: readonly string[];
}

/** Figures of one choice of levels and detectors. */
export interface EnsembleFigures extends EntryFigures {
  readonly level: string;
  readonly detector: string;
  /** The scores of all seeds are averaged too: one set of figures, with the error of the events alone. */
  readonly overSeeds: boolean;
}

const single = (names: readonly string[]): Choice[] => names.map(name => ({ name, of: [name] }));

/** @param levels - from the pooled vector to the last layer of the head */
export async function presentDetectors(
  results: StudyResults,
  levels: readonly string[],
  detectors: readonly string[],
): Promise<Presentation> {
  const heads = levels.slice(1);
  const rows = [
    ...single(levels),
    ...(heads.length > 1 ? [{ name: 'all of the head', of: heads }] : []),
    ...(heads.length > 0 ? [{ name: 'all levels', of: levels }] : []),
  ];
  const columns = [...single(detectors), { name: 'all detectors', of: detectors }];
  const seeds = results.trialsOf(variant).length;
  const figures: EnsembleFigures[] = [];
  for (const overSeeds of seeds > 1 ? [false, true] : [false])
    for (const level of rows)
      for (const detector of columns) figures.push(await ensembleFigures(results, level, detector, overSeeds));
  // what `train` made of it itself, and what it is compared with
  const fitted = new Set(levels.flatMap(level => detectors.map(detector => methodOf(level, detector))));
  const own = results.methodsOf(variant).filter(method => !fitted.has(method));
  const others = await figuresOfEntries(
    results,
    own.map(method => ({ name: method, variant, method })),
  );
  const each = figures.filter(({ overSeeds }) => !overSeeds);
  const together = figures.filter(({ overSeeds }) => overSeeds);
  return {
    json: { figures, run: others, best: bestLevels(each, levels, detectors) },
    tables: [
      ...gridTables(each, rows, columns, 'mean over the signals'),
      ...gridTables(together, rows, columns, 'mean over the signals, scores averaged over seeds'),
      ...measureTables(
        'level, detector',
        [...others, ...each.filter(({ level, detector }) => levels.includes(level) && detectors.includes(detector))],
        shown,
      ),
    ],
    figure: {
      title: 'Detectors on every level of the representation',
      label: 'mean over the signals of AUC and of signal efficiency at low background rates, by level and detector',
      columns: 2,
      panels: [each, together]
        .filter(some => some.length > 0)
        .flatMap((some, k) =>
          shown.map(({ title, of }) => ({
            kind: 'dots' as const,
            title: k === 0 ? `Mean ${title}` : `Mean ${title}, scores averaged over seeds`,
            value: { name: title },
            rows: rows.map(({ name }) => name),
            series: columns.map(({ name }) => ({
              name,
              values: rows.map(level => intervalOf(some, level.name, name, of)),
            })),
          })),
        ),
    },
  };
}

const figuresAt = (figures: readonly EnsembleFigures[], level: string, detector: string): EnsembleFigures | undefined =>
  figures.find(one => one.level === level && one.detector === detector);

function intervalOf(figures: readonly EnsembleFigures[], level: string, detector: string, of: Measure['of']) {
  const mean = figuresAt(figures, level, detector)?.mean;
  return mean ? of(mean) : null;
}

/** A line a level, a column a detector, for every measure. */
function gridTables(
  figures: readonly EnsembleFigures[],
  rows: readonly Choice[],
  columns: readonly Choice[],
  what: string,
): StudyTable[] {
  if (figures.length === 0) return [];
  return shown.map(({ title, of }) => ({
    title: `${title}, ${what}`,
    head: ['level', ...columns.map(({ name }) => name)],
    rows: rows.map(level => [
      level.name,
      ...columns.map(({ name }) => cell(intervalOf(figures, level.name, name, of))),
    ]),
  }));
}

/** By detector and measure the level of the largest mean over the signals. Labels of signals tell it, so it is no recipe. */
function bestLevels(
  figures: readonly EnsembleFigures[],
  levels: readonly string[],
  detectors: readonly string[],
): Record<string, Record<string, string | null>> {
  const best = (detector: string, of: Measure['of']): string | null => {
    let found: { level: string; value: number } | null = null;
    for (const level of levels) {
      const value = intervalOf(figures, level, detector, of)?.value;
      if (value !== undefined && (!found || value > found.value)) found = { level, value };
    }
    return found?.level ?? null;
  };
  return Object.fromEntries(
    detectors.map(detector => [
      detector,
      Object.fromEntries(shown.map(({ title, of }) => [title, best(detector, of)])),
    ]),
  );
}

async function ensembleFigures(
  results: StudyResults,
  level: Choice,
  detector: Choice,
  overSeeds: boolean,
): Promise<EnsembleFigures> {
  const methods = level.of.flatMap(one => detector.of.map(other => methodOf(one, other)));
  const trials = results.trialsOf(variant);
  const groups = overSeeds ? [trials] : trials.map(trial => [trial]);
  const summaries: Record<string, Summary>[] = [];
  for (const group of groups) summaries.push(await summariesOf(results, group, methods));
  const signals = results.signals.map(name => ({
    name,
    events: results.samples.find(({ label }) => label === name)?.events ?? 0,
  }));
  const combined = (named: readonly { name: string; events: number }[]): Record<string, SignalFigures> =>
    methodFigures(
      groups.map(([first]) => first.seed),
      named,
      summaries,
    ).signals;
  const { events: _, ...mean } = combined([{ name: meanKey, events: 1 }])[meanKey];
  return {
    name: `${level.name}, ${detector.name}`,
    variant,
    method: methods.length === 1 ? methods[0] : `mean of ${methods.length} scores`,
    level: level.name,
    detector: detector.name,
    overSeeds,
    seeds: trials.map(({ seed }) => seed),
    signals: combined(signals),
    mean,
  };
}

/** No signal is called so. */
const meanKey = ' mean';

/** By signal, and their mean, of the mean score of some methods of some trials. */
async function summariesOf(
  results: StudyResults,
  trials: readonly TrialRecord[],
  methods: readonly string[],
): Promise<Record<string, Summary>> {
  const scores = (sample: string): Promise<Float64Array> => meanScores(results, trials, methods, sample);
  const background = sortInPlace(await scores(results.samples[0].label), 'background scores');
  const summaries: Record<string, Summary> = {};
  for (const signal of results.signals)
    summaries[signal] = summarise(background, sortInPlace(await scores(signal), `${signal} scores`));
  return { ...summaries, [meanKey]: meanSummary(Object.values(summaries)) };
}

async function meanScores(
  results: StudyResults,
  trials: readonly TrialRecord[],
  methods: readonly string[],
  sample: string,
): Promise<Float64Array> {
  let sum: Float64Array | undefined;
  for (const trial of trials)
    for (const method of methods) {
      const scores = await results.scores(trial, method, sample);
      sum ??= new Float64Array(scores.length);
      for (let e = 0; e < scores.length; e++) sum[e] += scores[e];
    }
  return (sum ?? new Float64Array(0)).map(value => value / (trials.length * methods.length));
}
