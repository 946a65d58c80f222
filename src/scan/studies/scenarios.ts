import { library, libraryRecipe, librarySizes } from '../../config/recipes/library.js';
import type { DotPanel, LinePanel, Ranged } from '../../report/figure.js';
import { auc, efficiency, type EntryFigures, figuresOfEntries, type Measure, measureTables } from '../entries.js';
import type { Study, StudyRequest, StudyResults, StudyTable, Variant } from '../study.js';

/**
 * Which scenarios make what marks a benchmark signal, by the beginning of their names: declared from the decays alone. A
 * signal stands under its name in lower case, with what it decays to.
 */
const resembling: Readonly<Record<string, readonly string[]>> = {
  // A -> 4 leptons, h -> ZZ -> 4 leptons
  ato4l: ['resonance/ee', 'resonance/mm', 'resonance/em', 'correlated/four', ...leptons()],
  htozz4l: ['resonance/ee', 'resonance/mm', 'resonance/em', 'correlated/four', ...leptons()],
  // leptoquark -> b tau
  leptoquark: ['resonance/ej', 'resonance/mj', 'correlated/lepton-jet', 'multiplicity/few-mixed', ...taus()],
  leptoquark400: ['resonance/ej', 'resonance/mj', 'correlated/lepton-jet', 'multiplicity/few-mixed', ...taus()],
  // h, Z' -> tau tau
  htotautau: taus(),
  zprimetautau: [...taus(), 'energy/all'],
  // h+ -> tau nu
  hchtotaunu: [...taus(), 'met/', 'correlated/leptons-and-met'],
  // W' -> lepton nu
  wprime500: ['met/', 'energy/met', 'energy/all'],
  // h -> WW, WZ, top pairs
  htoww: ['multiplicity/one-lepton', 'correlated/leptons-and-met', 'correlated/pair-and-missing', 'resonance/em'],
  wz: ['resonance/ee', 'resonance/mm', 'multiplicity/one-lepton', 'correlated/leptons-and-met'],
  ttbar: ['multiplicity/few-mixed', 'multiplicity/falling', 'correlated/leptons-and-met', 'correlated/jets-and-met'],
};
function leptons(): string[] {
  return ['multiplicity/few', 'multiplicity/leptons', 'multiplicity/split-leptons', 'multiplicity/all'];
}
function taus(): string[] {
  return ['conversion/', 'correlated/taus'];
}

/** The scenarios of the library that resemble a signal; undefined where nothing is declared of it. */
export function resemblingScenarios(signal: string): readonly string[] | undefined {
  const beginnings = resembling[signal.toLowerCase()] as readonly string[] | undefined;
  return beginnings && namesOf(library).filter(name => beginnings.some(one => name.startsWith(one)));
}

const namesOf = (scenarios: readonly { readonly name: string }[]): string[] => scenarios.map(({ name }) => name);
const unlike = 'unlike';
const largest = String(Math.max(...librarySizes));

/** Referee 1 of arXiv:2301.04660: many more anomaly scenarios at once. */
export const scenarios: Study = {
  name: 'scenarios',
  title: 'Number of anomaly scenarios, drawn in turn from one declared library',
  seeds: 3,

  async variants(request) {
    const nested = librarySizes.map((count): Variant => ({
      name: String(count),
      options: { recipe: libraryRecipe(count), comparators: false },
      x: count,
    }));
    const left = unlikeSignals(request);
    const recipe = { ...libraryRecipe(library.length), name: unlike, anomalous: left };
    // where nothing is taken out it is the largest once more
    return left.length === library.length || left.length === 0
      ? nested
      : [...nested, { name: unlike, options: { recipe, comparators: false }, x: left.length }];
  },

  async present(results) {
    const entries = results.variants.flatMap(({ name }) =>
      results
        .methodsOf(name)
        .slice(0, 1)
        .map(method => ({ name, variant: name, method })),
    );
    const figures = await figuresOfEntries(results, entries);
    const costs = results.variants.flatMap(variant => costOf(results, variant));
    const panels = [auc, efficiency('1e-3')].flatMap(measure => [
      linePanel(figures, results, measure),
      dotPanel(figures, results.signals, measure),
    ]);
    return {
      json: { figures, costs, timeRatio: timeRatio(costs), resembling: resemblanceOf(results) },
      tables: [
        ...measureTables('scenarios', figures, [auc, efficiency('1e-3')]),
        resemblanceTable(results),
        costTable(costs),
      ],
      figure: {
        title: scenarios.title,
        label: `AUC, signal efficiency, time and memory over the number of scenarios, for ${results.signals.join(', ')}`,
        panels: [
          ...panels,
          costPanel(costs, 'time per step', 'ms', ({ step }) => step),
          costPanel(costs, 'peak memory', 'MB', ({ memory }) => memory),
        ].filter(({ series }) => series.length > 0),
      },
    };
  },
};

/** What is left of the library where all that resembles one of the request's signals is taken out. */
function unlikeSignals({ signals }: StudyRequest) {
  const taken = new Set(signals.flatMap(({ name }) => resemblingScenarios(name) ?? []));
  return library.filter(({ name }) => !taken.has(name));
}

/** By variant and signal the scenarios that resemble it; null for a signal of which nothing is declared. */
function resemblanceOf({ request, variants, signals }: StudyResults) {
  const of = (variant: string, count: number): string[] =>
    namesOf(variant === unlike ? unlikeSignals(request) : library.slice(0, count));
  return variants.map(({ name, x = 0 }) => {
    const trained = new Set(of(name, x));
    const bySignal = signals.map(
      signal => [signal, resemblingScenarios(signal)?.filter(one => trained.has(one)) ?? null] as const,
    );
    return { variant: name, scenarios: trained.size, signals: Object.fromEntries(bySignal) };
  });
}

function resemblanceTable(results: StudyResults): StudyTable {
  const { signals } = results;
  return {
    title: 'Scenarios that resemble a signal',
    head: ['scenarios', 'in all', ...signals],
    rows: resemblanceOf(results).map(({ variant, scenarios: all, signals: found }) => [
      variant,
      String(all),
      ...signals.map(signal => (found[signal] === null ? '?' : String(found[signal].length))),
    ]),
    note:
      'Where it is 0 the figures above are of a signal that no scenario resembles; `unlike` is the library without all ' +
      'that resembles one of these signals. ?: nothing is declared of this signal.',
  };
}

interface Cost {
  readonly variant: string;
  readonly scenarios: number;
  /** Of the encoder's training, ms: the median over seeds, the least, the most. */
  readonly step: Ranged;
  /** MB */
  readonly memory: Ranged;
  /** Processor time of the trial, training and scoring, s: what other work on the machine does not lengthen. */
  readonly processor: Ranged;
}

function costOf(results: StudyResults, { name, x = 0 }: Variant): Cost[] {
  const timed = results.trialsOf(name).filter(({ training }) => training.eventsPerSecond > 0);
  if (timed.length === 0) return [];
  const { batch } = results.request.options;
  return [
    {
      variant: name,
      scenarios: x,
      step: median(timed.map(({ training }) => (1000 * batch) / training.eventsPerSecond)),
      memory: median(timed.map(({ training }) => training.peakMemoryMb)),
      processor: median(timed.map(({ cpuSeconds }) => cpuSeconds)),
    },
  ];
}

function median(values: readonly number[]): Ranged {
  const sorted = values.toSorted((a, b) => a - b);
  const [below, above] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return { value: (below + above) / 2, low: sorted[0], high: sorted[sorted.length - 1] };
}

/** Time per step with the most scenarios over that with the fewest; null where either is missing. */
function timeRatio(costs: readonly Cost[]): number | null {
  const of = (variant: string): number | undefined => costs.find(one => one.variant === variant)?.step.value;
  const [few, many] = [of(String(Math.min(...librarySizes))), of(largest)];
  return few && many ? many / few : null;
}

function costTable(costs: readonly Cost[]): StudyTable {
  const cell = ({ value, low, high }: Ranged, decimals: number): string =>
    `${value.toFixed(decimals)} (${low.toFixed(decimals)} to ${high.toFixed(decimals)})`;
  const [fewest] = costs;
  return {
    title: 'Time per step and peak memory of training',
    head: ['scenarios', 'ms', 'over the first', 'MB', 'processor, s'],
    rows: costs.map(({ variant, step, memory, processor }) => [
      variant,
      cell(step, 1),
      (step.value / fewest.step.value).toFixed(2),
      cell(memory, 0),
      cell(processor, 0),
    ]),
    note:
      'Median over seeds, least and most. Processor time is that of the whole trial, with scoring. Trials run side by side: ' +
      'for times of steps as such, `--jobs 1`.',
  };
}

const nestedNames: readonly string[] = librarySizes.map(String);

/** A line a signal, over the nested numbers. */
function linePanel(figures: readonly EntryFigures[], results: StudyResults, measure: Measure): LinePanel {
  const nested = figures.filter(({ name }) => nestedNames.includes(name));
  const series = results.signals.map(signal => ({
    name: signal,
    marks: true,
    points: nested.flatMap(({ name, signals }) => {
      const interval = signals[signal] && measure.of(signals[signal]);
      return interval ? [{ x: Number(name), y: interval.value, low: interval.low, high: interval.high }] : [];
    }),
  }));
  return {
    kind: 'lines',
    title: measure.title,
    x: { name: 'scenarios', log: 2 },
    y: { name: measure.title },
    series: series.filter(({ points }) => points.length > 0),
  };
}

/** A row a signal: with all scenarios, and with those alone that resemble none of the signals. */
function dotPanel(figures: readonly EntryFigures[], signals: readonly string[], measure: Measure): DotPanel {
  const values = (variant: string) =>
    signals.map(signal => {
      const found = figures.find(({ name }) => name === variant)?.signals[signal];
      return found ? measure.of(found) : null;
    });
  const kinds = [
    { name: `all ${largest}`, values: values(largest) },
    { name: 'those unlike the signals', values: values(unlike) },
  ];
  return {
    kind: 'dots',
    title: `${measure.title}, with and without scenarios like the signals`,
    value: { name: measure.title },
    rows: signals,
    series: kinds.filter(one => one.values.some(value => value !== null)),
  };
}

function costPanel(costs: readonly Cost[], title: string, unit: string, of: (cost: Cost) => Ranged): LinePanel {
  const points = costs
    .filter(({ variant }) => nestedNames.includes(variant))
    .map(cost => ({ x: cost.scenarios, y: of(cost).value, low: of(cost).low, high: of(cost).high }));
  return {
    kind: 'lines',
    title,
    x: { name: 'scenarios', log: 2 },
    y: { name: `${title} [${unit}]`, min: 0 },
    series: points.length > 0 ? [{ name: title, marks: true, points }] : [],
  };
}
