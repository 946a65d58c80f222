import { axis, chart, line, rule } from '../src/report/chart.js';
import { html, type Html, number } from '../src/report/html.js';
import { ink, legend } from '../src/report/palette.js';
import { groupBy } from './group.js';
import { medianOf, rate, spoken, subjectsIn, subjectStyle, times, type CaseFigures } from './page-figures.js';
import { subjectWords, type BenchCase } from './report-types.js';

/** A chart for each case that was measured in several ways: how they compare, all on one scale. */
export function ratioCharts(figures: readonly CaseFigures[]): Html | null {
  const shown = figures.filter(({ compared }) => compared.length > 1);
  if (shown.length === 0) return null;
  const logs = shown.flatMap(({ compared, base }) => compared.map(one => logRatio(one, base)));
  const range = { min: Math.floor(Math.min(0, ...logs)), max: Math.max(1, Math.ceil(Math.max(...logs))) };
  return html`<div class="charts">${shown.map((of, k) => ratioChart(`ratio-${k}`, of, range))}</div>`;
}

const logRatio = (one: BenchCase, base: BenchCase): number => Math.log10(medianOf(one) / medianOf(base));

function ratioChart(id: string, figures: CaseFigures, range: { min: number; max: number }): Html {
  const { name, model, batch, unit, base } = figures;
  const bars = figures.compared.toSorted((a, b) => medianOf(b) - medianOf(a));
  const figure = (one: BenchCase): string => `${times(medianOf(one) / medianOf(base))} · ${rate(one)}/s`;
  const rows = (data: string[], position: 'left' | 'right') => ({
    type: 'category' as const,
    data,
    position,
    inverse: true,
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { color: ink('text'), fontSize: 11, interval: 0 },
  });
  const told = bars.map(one => `${spoken(one)} ${times(medianOf(one) / medianOf(base))}, ${rate(one)} ${unit}`);
  return chart({
    id,
    title: `${name}, batch ${number(batch)}`,
    label: `${name} at batch ${batch}, relative to ${spoken(base)}: ${told.join('; ')}.`,
    height: 56 + 24 * bars.length,
    caption: `${model}. 1\u00d7 is ${subjectWords(base)}; ${unit} of the median call.`,
    option: {
      // fixed margins, as what is measured of text on a server falls short of what a browser needs
      grid: { left: 116, right: 112, top: 6, bottom: 44, outerBoundsMode: 'none' },
      xAxis: axis(`times ${subjectWords(base)}, logarithmic`, 'x', { ...range, interval: 1, format: tick }),
      // two axes of categories: names before the bars, figures behind them, where no bar can run into them
      yAxis: [rows(bars.map(subjectWords), 'left'), rows(bars.map(figure), 'right')],
      series: [
        {
          type: 'bar',
          silent: true,
          barWidth: '64%',
          markLine: rule({ xAxis: 0 }, ''),
          data: bars.map(one => ({
            value: logRatio(one, base),
            itemStyle: { color: ink(subjectStyle(one).colour) },
          })),
        },
      ],
    },
  });
}

/** The bars are drawn on the logarithm, so that they start at 1. */
const tick = (log: number): string => `${number(10 ** log)}\u00d7`;

/** The cases whose throughput is shown over the batch. */
const scaled = ['train-step', 'score'];

/** Throughput over the batch, for the cases that were measured at several. */
export function scalingCharts(figures: readonly CaseFigures[]): Html | null {
  const shown = figures.filter(({ name, all }) => scaled.includes(name) && batchesOf(all).length > 1);
  if (shown.length === 0) return null;
  return html`${legend(subjectsIn(shown.flatMap(({ all }) => all)))}
    <div class="charts">${shown.map((of, k) => scalingChart(`scaling-${k}`, of))}</div>`;
}

const batchesOf = (all: readonly BenchCase[]): number[] => [...new Set(all.map(({ batch }) => batch))];

function scalingChart(id: string, { name, model, unit, all }: CaseFigures): Html {
  const curves = groupBy(all, subjectWords).map(curve => curve.toSorted((a, b) => a.batch - b.batch));
  const told = curves.map(curve => {
    const points = curve.map(one => `${rate(one)} at ${one.batch}`);
    return `${spoken(curve[0])} ${points.join(', ')}`;
  });
  return chart({
    id,
    title: `${name} over the batch`,
    label: `${unit} of ${name} by batch: ${told.join('; ')}.`,
    caption: model,
    option: {
      xAxis: batchAxis(curves.flat()),
      yAxis: axis(unit, 'y', { log: true }),
      series: curves.map(curve => {
        const style = subjectStyle(curve[0]);
        const points = curve.map(one => [Math.log2(one.batch), medianOf(one)] as const);
        return line(subjectWords(curve[0]), points, style, {
          showSymbol: true,
          symbol: 'circle',
          symbolSize: 6,
          itemStyle: { color: ink(style.colour) },
        });
      }),
    },
  });
}

/** Over the logarithm to base 2, with ticks at whole powers of it. */
function batchAxis(cases: readonly BenchCase[]) {
  const logs = cases.map(({ batch }) => Math.log2(batch));
  const [min, max] = [Math.floor(Math.min(...logs)), Math.ceil(Math.max(...logs))];
  const interval = Math.ceil((max - min) / 7);
  return axis('events of a call', 'x', { min, max, interval, format: log => number(2 ** log) });
}
