import type * as echarts from 'echarts';
import { axis, draw, line } from './chart.js';
import type { DotPanel, Figure, FigureAxis, LinePanel, LineSeries } from './figure.js';
import { escape } from './html.js';
import { type Colour, ink, type Style } from './palette.js';

const panelSize = { width: 400, height: 300 };
/** Of a row of dots, px: this much for each dot side by side in it. */
const rowHeight = { least: 16, ofSeries: 11 };
const titleHeight = 24;
const margin = 16;
const font = 'Helvetica, Arial, sans-serif';

const colourOrder: readonly Colour[] = [
  'blue',
  'vermillion',
  'green',
  'purple',
  'orange',
  'cyan',
  'wine',
  'olive',
  'slate',
  'teal',
  'rose',
  'indigo',
];
const dashOrder: readonly (readonly number[])[] = [[], [7, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 3]];
const symbols = ['circle', 'rect', 'triangle', 'diamond'] as const;

interface Look {
  readonly style: Style;
  readonly symbol: (typeof symbols)[number];
}

/** How the k-th series is drawn: colour first, then dash and mark, so that it is known without colour too. */
function lookOf(k: number): Look {
  const colour = colourOrder[k % colourOrder.length];
  const dash = dashOrder[k % dashOrder.length];
  return { style: { colour, dash, width: 1.75 }, symbol: symbols[k % symbols.length] };
}

/** The first look, and a thicker line, is for the series that stands out, where there is one. */
function looksOf(names: readonly string[], main: string | undefined): Map<string, Look> {
  if (main === undefined) return new Map(names.map((name, k) => [name, lookOf(k)]));
  const others = names.filter(name => name !== main).map((name, k) => [name, lookOf(k + 1)] as const);
  const { style, symbol } = lookOf(0);
  return new Map([...others, [main, { style: { ...style, width: 2.75 }, symbol }]]);
}

/**
 * Draws a figure as one SVG file that needs nothing else: a title, the panels in rows, a legend below.
 *
 * @example
 * await writeAtomically('comparison.svg', drawFigure({ title: 'Fig. 1', label: 'ROC curves', panels }));
 */
export function drawFigure({ title, label, panels, main, columns = 2 }: Figure): string {
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))];
  const looks = looksOf(names, main);
  const across = Math.max(1, Math.min(columns, panels.length));
  const width = margin + across * (panelSize.width + margin);
  const parts: string[] = [text(margin, 28, title, 16, 'bold')];
  let top = 44;
  for (let first = 0; first < panels.length; first += across) {
    const row = panels.slice(first, first + across);
    const height = Math.max(...row.map(heightOf));
    for (const [c, panel] of row.entries()) {
      const x = margin + c * (panelSize.width + margin);
      parts.push(text(x, top + 16, panel.title, 13, 'bold'));
      parts.push(drawPanel(panel, looks, first + c, x, top + titleHeight, height));
    }
    top += titleHeight + height + margin;
  }
  const legend = drawLegend(names, looks, panels.some(isLined), width, top);
  const height = Math.ceil(top + legend.height + margin);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `role="img" aria-label="${escape(label)}" font-family="${font}">` +
    `<title>${escape(title)}</title><rect width="${width}" height="${height}" fill="#ffffff"/>` +
    `${parts.join('')}${legend.svg}</svg>\n`
  );
}

/** Whether its series are lines, rather than marks alone. */
const isLined = (panel: LinePanel | DotPanel): boolean => panel.kind === 'lines';

function heightOf(panel: LinePanel | DotPanel): number {
  if (panel.kind === 'lines') return panelSize.height;
  const most = Math.max(...panel.rows.map((_, row) => panel.series.filter(({ values }) => values[row]).length));
  const row = Math.max(rowHeight.least, 6 + rowHeight.ofSeries * most);
  return Math.max(120, 60 + row * panel.rows.length);
}

function drawPanel(
  panel: LinePanel | DotPanel,
  looks: ReadonlyMap<string, Look>,
  place: number,
  x: number,
  y: number,
  height: number,
): string {
  const option = panel.kind === 'lines' ? linesOf(panel, looks) : dotsOf(panel, looks);
  const svg = draw({ textStyle: { fontFamily: font }, ...option }, { width: panelSize.width, height });
  return svg
    .replace(/<style[\s\S]*?<\/style>/g, '')
    .replace(/ (class|ecmeta_\w+|pointer-events|xml:space)="[^"]*"/g, '')
    .replace(/\bzr\d+-/g, `panel${place}-`)
    .replace(/\n\s*/g, '')
    .replace(/^<svg [^>]*>/, `<svg x="${x}" y="${y}" width="${panelSize.width}" height="${height}">`);
}

function valueAxis({ name, log = false, min, max }: FigureAxis, direction: 'x' | 'y') {
  const gap = direction === 'y' ? 44 : 28;
  if (log !== 2) return axis(name, direction, { log, min, max, gap });
  return { ...axis(name, direction, { log: true, min, max, gap, format: String }), logBase: 2 };
}

function linesOf({ x, y, series }: LinePanel, looks: ReadonlyMap<string, Look>): echarts.EChartsOption {
  return {
    xAxis: valueAxis(x, 'x'),
    yAxis: valueAxis(y, 'y'),
    series: series.flatMap(one => linesAndRange(one, looks.get(one.name) ?? lookOf(0))),
  };
}

/** A curve with a band where its points have ends, or marks with bars. */
function linesAndRange(one: LineSeries, { style, symbol }: Look): echarts.SeriesOption[] {
  const { name, points, marks = false } = one;
  const middle = line(
    name,
    points.map(({ x, y }) => [x, y]),
    style,
    // marks at the ends of the axis stay whole
    marks ? { showSymbol: true, symbol, symbolSize: 6, itemStyle: { color: ink(style.colour) }, clip: false } : {},
  );
  const ranged = points.filter(({ low, high }) => low !== undefined && high !== undefined);
  if (ranged.length === 0) return [middle];
  const rows = ranged.map(({ x, low = 0, high = 0 }) => [x, low, high]);
  return [marks ? bars(rows, style.colour, 'y') : band(rows, style.colour), middle];
}

/** Filled between the ends. rows [x, low, high] */
function band(rows: number[][], colour: Colour): echarts.SeriesOption {
  return {
    type: 'custom',
    silent: true,
    data: [0],
    clip: true,
    renderItem: (_, api) => ({
      type: 'polygon',
      shape: {
        points: [
          ...rows.map(([x, low]) => api.coord([x, low])),
          ...rows.toReversed().map(([x, , high]) => api.coord([x, high])),
        ],
      },
      style: { fill: ink(colour), opacity: 0.15 },
    }),
  };
}

/** Bars from low to high along y at [x, low, high], or along x at [row, low, high, px from its middle]. */
function bars(rows: number[][], colour: Colour, along: 'x' | 'y'): echarts.SeriesOption {
  return {
    type: 'custom',
    silent: true,
    data: rows,
    clip: false,
    encode: along === 'y' ? { x: 0, y: [1, 2] } : { y: 0, x: [1, 2] },
    renderItem: (_, api) => {
      const [at, low, high] = [0, 1, 2].map(k => Number(api.value(k)));
      const shift = along === 'x' ? Number(api.value(3)) : 0;
      const [from, to] =
        along === 'y' ? [api.coord([at, low]), api.coord([at, high])] : [api.coord([low, at]), api.coord([high, at])];
      return {
        type: 'line',
        shape: { x1: from[0], y1: from[1] + shift, x2: to[0], y2: to[1] + shift },
        style: { stroke: ink(colour), lineWidth: 1.25 },
      };
    },
  };
}

function dotsOf({ value, rows, series }: DotPanel, looks: ReadonlyMap<string, Look>): echarts.EChartsOption {
  const known = series.map(({ name, values }) => ({
    name,
    points: values.flatMap((one, row) => {
      if (!one) return [];
      // side by side with the others of the row
      const others = series.filter(of => of.values[row] !== null);
      const place = others.findIndex(of => of.name === name) - (others.length - 1) / 2;
      return [{ row, ...one, shift: place * (rowHeight.ofSeries - 2) }];
    }),
  }));
  const category = axis('', 'y');
  return {
    xAxis: valueAxis(value, 'x'),
    yAxis: {
      type: 'category',
      data: [...rows],
      inverse: true,
      axisLabel: {
        ...category.axisLabel,
        formatter: (name: string) => name,
        interval: 0,
        width: 130,
        overflow: 'truncate',
      },
      axisLine: category.axisLine,
      axisTick: { show: false },
      splitLine: { show: true, lineStyle: { color: ink('grid') } },
    },
    series: known.flatMap(({ name, points }) => {
      const { style, symbol } = looks.get(name) ?? lookOf(0);
      const ends = points.map(({ row, low, high, shift }) => [row, low, high, shift]);
      const dots = points.map(({ row, value: at, shift }) => ({
        value: [at, row],
        symbolOffset: [0, shift] as [number, number],
      }));
      return [
        bars(ends, style.colour, 'x'),
        {
          type: 'scatter' as const,
          silent: true,
          symbol,
          symbolSize: 7,
          itemStyle: { color: ink(style.colour) },
          data: dots,
        },
      ];
    }),
  };
}

/** Names with what they look like, in as many lines as they take. */
function drawLegend(
  names: readonly string[],
  looks: ReadonlyMap<string, Look>,
  lined: boolean,
  width: number,
  top: number,
): { svg: string; height: number } {
  let [x, y] = [margin, top + 10];
  const parts: string[] = [];
  for (const name of names) {
    const { style, symbol } = looks.get(name) ?? lookOf(0);
    const takes = 48 + 6.6 * name.length; // about the width of a letter
    if (x > margin && x + takes > width) [x, y] = [margin, y + 20];
    const colour = ink(style.colour);
    const dash = style.dash.length > 0 ? ` stroke-dasharray="${style.dash.join(' ')}"` : '';
    parts.push(
      lined
        ? `<path d="M${x} ${y}h28" stroke="${colour}" stroke-width="2" fill="none"${dash}/>`
        : mark(symbol, x + 14, y, colour),
    );
    parts.push(text(x + 34, y + 4, name, 12));
    x += takes;
  }
  return { svg: parts.join(''), height: names.length > 0 ? y - top + 14 : 0 };
}

function mark(symbol: Look['symbol'], x: number, y: number, colour: string): string {
  const paths = {
    circle: `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0`,
    rect: `M${x - 4} ${y - 4}h8v8h-8z`,
    triangle: `M${x} ${y - 4}l4 8h-8z`,
    diamond: `M${x} ${y - 5}l4 5l-4 5l-4 -5z`,
  };
  return `<path d="${paths[symbol]}" fill="${colour}"/>`;
}

function text(x: number, y: number, content: string, size: number, weight = 'normal'): string {
  return `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}" fill="${ink('text')}">${escape(content)}</text>`;
}
