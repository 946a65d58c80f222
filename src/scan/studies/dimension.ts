import type { LinePanel } from '../../report/figure.js';
import { auc, efficiency, type EntryFigures, figuresOfEntries, type Measure, measureTables } from '../entries.js';
import type { Study, StudyOptions, Variant } from '../study.js';

const outputs = [8, 16, 32, 64, 128, 256, 512] as const;
const widths = [16, 32, 64, 128, 256] as const;

/** Where the representation is read, and what its size follows. */
const readings = [
  { prefix: 'output', title: 'end of the head', axis: 'size of the head' },
  { prefix: 'width', title: 'before the head', axis: 'width of the encoder' },
] as const;

/** Fig. 3 of arXiv:2301.04660: how large a representation should be. */
export const dimension: Study = {
  name: 'dimension',
  title: 'Size of the representation, read at the end of the head and before it',
  seeds: 3,

  async variants({ options }) {
    const ofHead = options.headLayers > 0 ? outputs.map(size => ofOutput(size, options)) : [];
    return [...ofHead, ...widths.map(size => ofWidth(size, options))];
  },

  async present(results) {
    const sizes = new Map(results.variants.map(({ name, x }) => [name, x]));
    const entries = results.variants.flatMap(({ name }) =>
      results
        .methodsOf(name)
        .slice(0, 1)
        .map(method => ({ name, variant: name, method })),
    );
    const figures = (await figuresOfEntries(results, entries)).map(one => ({ ...one, x: sizes.get(one.name) ?? 0 }));
    const panels = readings.flatMap(reading =>
      [auc, efficiency('1e-3')].map(measure => panelOf(figures, results.signals, reading, measure)),
    );
    return {
      json: { figures },
      tables: measureTables('size', figures),
      figure: {
        title: dimension.title,
        label: `AUC and signal efficiency over the size of the representation, for ${results.signals.join(', ')}`,
        panels: panels.filter(({ series }) => series.length > 0),
      },
    };
  },
};

/** The detector's narrowest layer is at most half of what it reads: one as wide would copy it. */
const bottleneckOf = (size: number, { bottleneck }: StudyOptions): number => Math.min(bottleneck, Math.floor(size / 2));

function ofOutput(output: number, options: StudyOptions): Variant {
  const bottleneck = bottleneckOf(output, options);
  return {
    name: `output-${output}`,
    options: { output, representation: 'last', sums: false, bottleneck, comparators: false },
    x: output,
  };
}

/** The hidden width keeps its proportion, and heads are as many as divide the width. */
function ofWidth(width: number, options: StudyOptions): Variant {
  const feedForward = Math.max(1, Math.round((options.feedForward * width) / options.width));
  const heads = Array.from({ length: options.heads }, (_, k) => options.heads - k).find(n => width % n === 0) ?? 1;
  const bottleneck = bottleneckOf(width, options);
  return {
    name: `width-${width}`,
    options: { width, feedForward, heads, representation: 'pool', sums: false, bottleneck, comparators: false },
    x: width,
  };
}

function panelOf(
  figures: readonly (EntryFigures & { readonly x: number })[],
  signals: readonly string[],
  { prefix, title, axis }: (typeof readings)[number],
  measure: Measure,
): LinePanel {
  const here = figures.filter(({ name }) => name.startsWith(`${prefix}-`));
  const series = signals.map(signal => ({
    name: signal,
    marks: true,
    points: here.flatMap(({ x, signals: of }) => {
      const interval = of[signal] && measure.of(of[signal]);
      return interval ? [{ x, y: interval.value, low: interval.low, high: interval.high }] : [];
    }),
  }));
  return {
    kind: 'lines',
    title: `${measure.title}, ${title}`,
    x: { name: axis, log: 2 },
    y: { name: measure.title },
    series: series.filter(({ points }) => points.length > 0),
  };
}
