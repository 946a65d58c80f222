import type { ScatterSeriesOption } from 'echarts';
import { kindNames, type KindName } from '../../events/objects.js';
import { axis, chart } from '../chart.js';
import type { EventPicture, ReportData } from '../data.js';
import { html, type Html, number, type Section } from '../html.js';
import { kindLetters, kindStyles } from '../kinds.js';
import { ink, legend } from '../palette.js';

const most = 9;

/** The most anomalous events, drawn in the eta-phi plane. */
export function events({ events = [] }: ReportData): Section | null {
  const shown = events.slice(0, most);
  if (shown.length === 0) return null;
  const largestPt = Math.max(...shown.flatMap(e => e.objects.filter(o => o.kind !== 'met').map(o => o.pt)), 1);
  const widestEta = Math.max(4, ...shown.flatMap(e => e.objects.map(o => Math.ceil(Math.abs(o.eta)))));
  const present = kindNames.filter(k => shown.some(e => e.objects.some(o => o.kind === k)));
  const body = html`<p>
      The events with the highest scores. Each circle is an object; its area grows with pT, on one scale for all
      pictures (largest: ${number(largestPt)} GeV). The dashed line is the direction of the missing transverse momentum,
      which has no η.
    </p>
    ${legend(present.map(k => ({ label: k === 'met' ? 'MET' : `${k} (${kindLetters[k]})`, style: { ...kindStyles[k], dash: k === 'met' ? [6, 3] : [], width: k === 'met' ? 2 : 7 } })))}
    <div class="charts small">${shown.map((event, k) => draw(`event-${k}`, k + 1, event, largestPt, widestEta))}</div>`;
  return { id: 'events', title: 'Most anomalous events', body };
}

function draw(id: string, rank: number, event: EventPicture, largestPt: number, widestEta: number): Html {
  const { label, score, row, eventId, objects } = event;
  const words = objects.map(
    o => `${kindLetters[o.kind]} pT ${number(o.pt)} GeV, η ${number(o.eta, 2)}, φ ${number(o.phi, 2)}`,
  );
  return chart({
    id,
    title: `${rank}. score ${number(score, 4)}`,
    label: `Event in the eta-phi plane. ${words.join('; ')}.`,
    caption: html`${label}, row ${number(row)}${eventId === undefined ? '' : html`, EvtId ${eventId}`}`,
    width: 320,
    height: 290,
    option: {
      grid: { left: 2, right: 16, top: 16, bottom: 2, outerBoundsMode: 'same', outerBoundsContain: 'all' },
      xAxis: axis('η', 'x', { min: -widestEta, max: widestEta, interval: 2, gap: 22 }),
      yAxis: axis('φ, rad', 'y', { min: -Math.PI, max: Math.PI, interval: Math.PI / 2, format: inPi, gap: 30 }),
      series: kindNames.map(kind => (kind === 'met' ? metLine(objects, widestEta) : circles(kind, objects, largestPt))),
    },
  });
}

function inPi(phi: number): string {
  const halves = Math.round(phi / (Math.PI / 2));
  return ['−π', '−π/2', '0', 'π/2', 'π'][halves + 2] ?? '';
}

type Objects = EventPicture['objects'];

function circles(kind: KindName, objects: Objects, largestPt: number): ScatterSeriesOption {
  const colour = ink(kindStyles[kind].colour);
  return {
    type: 'scatter',
    silent: true,
    clip: false,
    itemStyle: { color: colour, opacity: 0.6, borderColor: colour, borderWidth: 1.5 },
    label: {
      show: true,
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
