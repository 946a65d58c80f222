import * as echarts from 'echarts';
import { type Content, escape, html, Html } from './html.js';
import { type Colour, colours, ink, type Style } from './palette.js';

/** Drawn at about the width of a phone, so that text keeps its size there; the page sets charts side by side. */
const size = { width: 440, height: 320 };

export interface Chart {
  /** Unique in the page; letters, digits and hyphens. */
  readonly id: string;
  readonly title: string;
  /** What is seen, in words, for those who can't see it. */
  readonly label: string;
  readonly option: echarts.EChartsOption;
  readonly caption?: Content;
  readonly width?: number;
  readonly height?: number;
}

/** Draws a chart as inline SVG: no script, no ids shared between charts, every colour a CSS variable of the page. */
export function chart({ id, title, label, option, caption, width, height }: Chart): Html {
  const svg = clean(draw(option, { width: width ?? size.width, height: height ?? size.height }), id, label);
  return html`<figure>
    <h3>${title}</h3>
    ${new Html(svg)}${caption ? html`<figcaption>${caption}</figcaption>` : ''}
  </figure>`;
}

/** A chart as the SVG that echarts makes, in the light colours. */
export function draw(
  option: echarts.EChartsOption,
  place: { readonly width: number; readonly height: number },
): string {
  const drawing = echarts.init(null, null, { renderer: 'svg', ssr: true, ...place });
  try {
    drawing.setOption({
      animation: false,
      textStyle: { fontFamily: 'inherit' },
      grid: { left: 2, right: 16, top: 12, bottom: 2, outerBoundsMode: 'same', outerBoundsContain: 'all' },
      ...option,
    });
    return drawing.renderToSVGString();
  } finally {
    drawing.dispose();
  }
}

const names = Object.entries(colours).map(([name, [light]]) => [light, name] as const);

function clean(svg: string, id: string, label: string): string {
  const body = svg
    .replace(/<style[\s\S]*?<\/style>/g, '')
    .replace(/ (class|ecmeta_\w+|pointer-events|xml:space)="[^"]*"/g, '')
    .replace(/font-family:inherit;?/g, '')
    .replace(/\bzr\d+-/g, `${id}-`)
    .replace(/\n\s*/g, '')
    .replace(/^<svg width="([\d.]+)" height="([\d.]+)"[^>]*>/, (_, w, h) => {
      return `<svg viewBox="0 0 ${w} ${h}" role="img" aria-label="${escape(label)}">`;
    });
  return names.reduce((text, [light, name]) => text.replaceAll(`"${light}"`, `"var(--${name})"`), body);
}

/** An axis in the page's dress. `nameGap` leaves room for the tick labels. */
export function axis(
  name: string,
  direction: 'x' | 'y',
  option: {
    readonly log?: boolean;
    readonly min?: number | undefined;
    readonly max?: number | undefined;
    readonly interval?: number;
    readonly gap?: number;
    readonly format?: (value: number) => string;
  } = {},
) {
  const { log = false, min, max, interval, gap, format = log ? power : plain } = option;
  return {
    type: log ? ('log' as const) : ('value' as const),
    name,
    nameLocation: 'middle' as const,
    nameGap: gap ?? (direction === 'x' ? 26 : 38),
    nameTextStyle: { color: ink('muted'), fontSize: 12 },
    axisLabel: { color: ink('muted'), fontSize: 11, hideOverlap: true, formatter: format },
    axisLine: { show: true, onZero: false, lineStyle: { color: ink('muted') } },
    axisTick: { lineStyle: { color: ink('muted') } },
    splitLine: { lineStyle: { color: ink('grid') } },
    ...(min === undefined ? { scale: true } : { min }),
    ...(max === undefined ? {} : { max }),
    ...(interval === undefined ? {} : { interval }),
  };
}

const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** Ticks of logarithmic axes: 10⁻³, with 1 and 10 in full, and nothing between the powers. */
export function power(value: number): string {
  const exponent = Math.log10(value);
  if (exponent === 0 || exponent === 1) return plain(value);
  if (!Number.isInteger(exponent)) return '';
  return `10${String(exponent)
    .replace('-', '⁻')
    .replace(/\d/g, d => superscripts[Number(d)])}`;
}

function plain(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** A line series in a method's or signal's style. */
export function line(
  name: string,
  data: readonly (readonly [number, number])[],
  style: Style,
  more: echarts.LineSeriesOption = {},
): echarts.LineSeriesOption {
  return {
    type: 'line',
    name,
    data: data.map(p => [...p]),
    showSymbol: false,
    silent: true,
    emphasis: { disabled: true },
    lineStyle: {
      color: ink(style.colour),
      width: style.width,
      type: style.dash.length > 0 ? [...style.dash] : 'solid',
    },
    ...more,
  };
}

/** A thin labelled rule across a chart. */
export function rule(
  at: { xAxis: number } | { yAxis: number },
  text: string,
  colour: Colour = 'muted',
): echarts.LineSeriesOption['markLine'] {
  return {
    silent: true,
    symbol: 'none',
    animation: false,
    data: [at],
    lineStyle: { color: ink(colour), type: [1, 3], width: 1 },
    label: { formatter: () => text, position: 'insideEndTop', color: ink('muted'), fontSize: 11, textBorderWidth: 0 },
  };
}
