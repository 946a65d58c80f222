import type { ScatterSeriesOption } from 'echarts';
import { type DataKind, dataKind, withArticle } from '../../events/data-kinds.js';
import type { KindName } from '../../events/objects.js';
import { axis, chart } from '../chart.js';
import type { EventPicture, ReportData } from '../data.js';
import { html, type Html, number, type Section } from '../html.js';
import { kindLetters, kindStyles } from '../kinds.js';
import { ink, legend } from '../palette.js';

const most = 9;

/** The most anomalous events, drawn in the eta-phi plane. */
export function events({ events = [], domain }: ReportData): Section | null {
  const shown = events.slice(0, most);
  if (shown.length === 0) return null;
  const data = dataKind(domain?.data);
  const { words, kinds } = data;
  const largestPt = Math.max(...shown.flatMap(e => e.objects.filter(o => o.kind !== 'met').map(o => o.pt)), 1);
  const plane = planeOf(data, shown);
  const present = kinds.filter(k => shown.some(e => e.objects.some(o => o.kind === k)));
  const missing = kinds.includes('met')
    ? html` The dashed line is the direction of the missing transverse momentum, which has no η.`
    : html` η and φ are relative to the axis of the ${words.one}.`;
  const body = html`<p>
      The ${words.many} with the highest scores. Each circle is ${withArticle(words.object)}; its area grows with pT, on
      one scale for all pictures (largest: ${number(largestPt)} GeV).${missing}
    </p>
    ${legend(present.map(k => ({ label: k === 'met' ? 'MET' : kinds.length > 1 ? `${k} (${kindLetters[k]})` : k, style: { ...kindStyles[k], dash: k === 'met' ? [6, 3] : [], width: k === 'met' ? 2 : 7 } })))}
    <div class="charts small">${shown.map((event, k) => draw(`event-${k}`, k + 1, event, largestPt, plane))}</div>`;
  return { id: 'events', title: `Most anomalous ${words.many}`, body };
}

/** The part of the eta-phi plane that all pictures show. */
interface Plane {
  readonly data: DataKind;
  readonly widestEta: number;
  readonly phi: { readonly min: number; readonly max: number; readonly interval: number };
}

function planeOf(data: DataKind, shown: readonly EventPicture[]): Plane {
  const widest = (of: 'eta' | 'phi') => Math.max(...shown.flatMap(e => e.objects.map(o => Math.abs(o[of]))), 0);
  if (data.roundPhi) {
    const widestEta = Math.max(data.etaScale, Math.ceil(widest('eta')));
    return { data, widestEta, phi: { min: -Math.PI, max: Math.PI, interval: Math.PI / 2 } };
  }
  const half = Math.max(data.etaScale, Math.ceil(5 * Math.max(widest('eta'), widest('phi'))) / 5);
  return { data, widestEta: half, phi: { min: -half, max: half, interval: half / 2 } };
}

function draw(id: string, rank: number, event: EventPicture, largestPt: number, plane: Plane): Html {
  const { label, score, row, eventId, objects } = event;
  const { data, widestEta, phi } = plane;
  const words = objects.map(
    o => `${kindLetters[o.kind]} pT ${number(o.pt)} GeV, η ${number(o.eta, 2)}, φ ${number(o.phi, 2)}`,
  );
  const { one } = data.words;
  return chart({
    id,
    title: `${rank}. score ${number(score, 4)}`,
    label: `${one[0].toUpperCase()}${one.slice(1)} in the eta-phi plane. ${words.join('; ')}.`,
    caption: html`${label}, row ${number(row)}${eventId === undefined ? '' : html`, EvtId ${eventId}`}`,
    width: 320,
    height: 290,
    option: {
      grid: { left: 2, right: 16, top: 16, bottom: 2, outerBoundsMode: 'same', outerBoundsContain: 'all' },
      xAxis: axis('η', 'x', { min: -widestEta, max: widestEta, interval: data.roundPhi ? 2 : phi.interval, gap: 22 }),
      yAxis: axis('φ, rad', 'y', { ...phi, ...(data.roundPhi ? { format: inPi } : {}), gap: 30 }),
      series: data.kinds.map(kind =>
        kind === 'met' ? metLine(objects, widestEta) : circles(kind, objects, largestPt, data.kinds.length > 1),
      ),
    },
  });
}

function inPi(phi: number): string {
  const halves = Math.round(phi / (Math.PI / 2));
  return ['−π', '−π/2', '0', 'π/2', 'π'][halves + 2] ?? '';
}

type Objects = EventPicture['objects'];

/** @param named - whether each has its letter, which tells kinds apart */
function circles(kind: KindName, objects: Objects, largestPt: number, named: boolean): ScatterSeriesOption {
  const colour = ink(kindStyles[kind].colour);
  return {
    type: 'scatter',
    silent: true,
    clip: false,
    itemStyle: { color: colour, opacity: 0.6, borderColor: colour, borderWidth: 1.5 },
    label: {
      show: named,
      formatter: () => kindLetters[kind],
      color: ink('text'),
      fontSize: 11,
      opacity: 1,
      textBorderWidth: 0,
      position: 'right',
      distance: 2,
    },
    data: objects
      .filter(o => o.kind === kind)
      .map(o => ({ value: [o.eta, o.phi], symbolSize: Math.max(4, 56 * Math.sqrt(o.pt / largestPt)) })),
  };
}

function metLine(objects: Objects, widestEta: number): ScatterSeriesOption {
  const met = objects.filter(o => o.kind === 'met' && o.pt > 0);
  return {
    type: 'scatter',
    silent: true,
    data: [],
    markLine: {
      silent: true,
      animation: false,
      symbol: ['none', 'arrow'],
      symbolSize: 8,
      lineStyle: { color: ink('slate'), type: [6, 3], width: 1.75 },
      data: met.map(o => [
        {
          coord: [-widestEta, o.phi],
          label: {
            show: true,
            formatter: () => `MET ${number(Math.round(o.pt))} GeV`,
            position: o.phi > 2.6 ? 'insideStartBottom' : 'insideStartTop',
            color: ink('text'),
            fontSize: 11,
            textBorderWidth: 0,
          },
        },
        { coord: [widestEta, o.phi] },
      ]),
    },
  };
}
