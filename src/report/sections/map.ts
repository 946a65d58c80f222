import type { ScatterSeriesOption } from 'echarts';
import { axis, chart } from '../chart.js';
import type { PointCloud, ReportData } from '../data.js';
import { html, type Html, type Section } from '../html.js';
import { ink, legend, type Style, signalStyle } from '../palette.js';

// Enough to show a shape; more would only make the page heavy, since the background is drawn in every chart.
const most = { background: 1200, signal: 400 };

/** Representations on two components: each signal over the background. */
export function representationMap({ map = [] }: ReportData): Section | null {
  if (map.every(c => c.x.length === 0)) return null;
  const labels = map.map(c => c.label);
  const background = map.find(c => c.label === 'background');
  const signals = map.filter(c => c !== background && c.x.length > 0);
  const range = { x: extent(map.map(c => c.x)), y: extent(map.map(c => c.y)) };
  const charts = (signals.length > 0 ? signals : [undefined]).map((signal, k) =>
    draw(`map-${k}`, background, signal, range, labels),
  );
  const body = html`<p>
      Representations of events projected on two components, one point an event, the same projection in every chart. The
      encoder has seen none of the signals.
    </p>
    ${legend(labels.map(label => ({ label, style: { ...signalStyle(label, labels), dash: [], width: 5 } })))}
    <div class="charts">${charts}</div>`;
  return { id: 'map', title: 'Map of representations', body };
}

interface Range {
  readonly min: number;
  readonly max: number;
  readonly interval: number;
}

function draw(
  id: string,
  background: PointCloud | undefined,
  signal: PointCloud | undefined,
  range: { x: Range; y: Range },
  labels: string[],
): Html {
  const points = (cloud: PointCloud, maximum: number) => scatter(cloud, maximum, signalStyle(cloud.label, labels));
  return chart({
    id,
    title: signal?.label ?? 'background',
    label: `Scatter of representations: ${[background, signal]
      .map(c => c?.label)
      .filter(Boolean)
      .join(' and ')}.`,
    option: {
      xAxis: axis('component 1', 'x', range.x),
      yAxis: axis('component 2', 'y', range.y),
      series: [
        ...(background ? [points(background, most.background)] : []),
        ...(signal ? [points(signal, most.signal)] : []),
      ],
    },
  });
}

function scatter({ label, x, y }: PointCloud, maximum: number, { colour }: Style): ScatterSeriesOption {
  const every = Math.max(1, x.length / maximum);
  const data: [number, number][] = [];
  for (let i = 0; i < x.length; i += every) data.push([x[Math.floor(i)], y[Math.floor(i)]]);
  return {
    type: 'scatter',
    name: label,
    data,
    // "Large" draws all points as one path, a tenth of the size.
    large: true,
    largeThreshold: 0,
    symbolSize: label === 'background' ? 2.5 : 3.5,
    silent: true,
    itemStyle: { color: ink(colour), opacity: label === 'background' ? 0.5 : 0.8 },
  };
}

/** The range of all finite values, widened to whole steps of 1, 2 or 5 times a power of ten, about five of them. */
function extent(columns: readonly ArrayLike<number>[]): Range {
  let [low, high] = [Infinity, -Infinity];
  for (const column of columns)
    for (let i = 0; i < column.length; i++)
      if (Number.isFinite(column[i])) [low, high] = [Math.min(low, column[i]), Math.max(high, column[i])];
  if (!(low <= high)) [low, high] = [0, 0];
  const rough = (high - low || 1) / 5;
  const decade = 10 ** Math.floor(Math.log10(rough));
  const interval = decade * ([1, 2, 5].find(n => n * decade >= rough) ?? 10);
  return {
    min: Math.floor(low / interval) * interval,
    max: Math.ceil(high / interval) * interval || interval,
    interval,
  };
}
