import { cutNames } from '../../evaluate/cuts.js';
import type { LinePanel, LineSeries } from '../../report/figure.js';
import { type Entry, figuresOfEntries, measureTables } from '../entries.js';
import type { Study, StudyResults } from '../study.js';

const losses = ['clr', 'anomclr', 'anomclr+'] as const;
/** The variant that is trained with comparators: they are the same for all. */
const withComparators = 'anomclr+';
/** The options as they are, where their detector is more than the paper's autoencoder. */
const asGiven = 'as-given';
const untrained = 'untrained-encoder';

/** Fig. 1 and the tables of arXiv:2301.04660. */
export const comparison: Study = {
  name: 'comparison',
  title: 'Detectors on raw data, on an untrained encoder and on learned representations',
  seeds: 5,

  async variants({ options, given }) {
    const published = losses.map(loss => ({
      name: loss,
      options: {
        loss,
        detector: 'autoencoder' as const,
        sums: false,
        anomalyWeight: given.includes('anomalyWeight') ? options.anomalyWeight : 1, // as published
        comparators: options.comparators && loss === withComparators,
      },
    }));
    return options.detector === 'autoencoder' ? published : [...published, { name: asGiven, options: {} }];
  },

  async present(results) {
    const entries = entriesOf(results);
    const figures = await figuresOfEntries(results, entries);
    const panels: LinePanel[] = [];
    for (const signal of results.signals) panels.push(await rocPanel(results, entries, signal));
    return {
      json: { figures, curves: panels.map(({ title, series }) => ({ signal: title, series })) },
      tables: measureTables('method', figures),
      figure: {
        title: comparison.title,
        label: `ROC curves of ${entries.map(({ name }) => name).join(', ')} on ${results.signals.join(', ')}`,
        panels,
        main: results.methodsOf(asGiven).length > 0 ? asGiven : withComparators,
      },
    };
  },
};

/** What was there before learning, then the representations in the order of the losses. */
function entriesOf(results: StudyResults): Entry[] {
  const before = results
    .methodsOf(withComparators)
    .slice(1)
    .filter(method => !cutNames.includes(method))
    .toSorted((a, b) => Number(b.startsWith('raw')) - Number(a.startsWith('raw')))
    .map(method => ({ name: method, variant: withComparators, method }));
  const learned = losses.flatMap(loss =>
    results
      .methodsOf(loss)
      .slice(0, 1)
      .map(method => ({ name: loss, variant: loss, method })),
  );
  const given = results
    .methodsOf(asGiven)
    .filter((method, i) => i === 0 || method === untrained)
    .map((method, i) => ({ name: i === 0 ? asGiven : `${asGiven}, untrained`, variant: asGiven, method }));
  return [...before, ...learned, ...given];
}

/** 1/eps_b over eps_s, with the spread over seeds. */
export async function rocPanel(results: StudyResults, entries: readonly Entry[], signal: string): Promise<LinePanel> {
  const series: LineSeries[] = [];
  for (const { name, variant, method } of entries) {
    const curve = await results.curve(variant, method, signal);
    if (!curve) continue;
    const { efficiency, rejection, low, high } = curve;
    const several = results.trialsOf(variant).length > 1;
    const points = efficiency.map((x, k) => ({
      x,
      y: rejection[k],
      ...(several ? { low: Math.max(1, low[k]), high: high[k] } : {}),
    }));
    series.push({ name, points });
  }
  return {
    kind: 'lines',
    title: signal,
    x: { name: 'signal efficiency ε_s', min: 0, max: 1 },
    y: { name: 'background rejection 1/ε_b', log: true, min: 1 },
    series,
  };
}
