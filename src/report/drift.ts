import type { Drift, DriftFeature, DriftVerdict } from '../evaluate/drift.js';
import { driftHeadline, worstFirst } from '../evaluate/drift-format.js';
import { axis, chart, line } from './chart.js';
import { html, type Html, number, type Section, table } from './html.js';
import { readableDate, writePage } from './page.js';
import { type Colour, ink, legend, type Style } from './palette.js';
import { verdictMarks, verdictStyle } from './verdicts.js';

/** What a report of a comparison shows. */
export interface DriftReportData {
  /** The run or bundle whose training domain the files were compared with. */
  readonly model: string;
  /** Of this library. */
  readonly version: string;
  /** ISO date and time. */
  readonly date: string;
  readonly comparisons: readonly (Drift & { readonly file: string; readonly skipped: number })[];
}

const trainingStyle: Style = { colour: 'background', dash: [], width: 2 };
const sampleStyle: Style = { colour: 'blue', dash: [7, 3], width: 1.75 };
const units = { pt: 'GeV', eta: '', phi: 'rad', count: '' } as const;
const symbols = { pt: 'pT', eta: 'η', phi: 'φ', count: 'count' } as const;
/** Steps of a drawn density: percentiles in groups of five, where that many are known. */
const drawnSteps = 20;

/** Files against a training domain, feature by feature, as one HTML page that needs nothing else. */
export function writeDriftReport({ model, version, date, comparisons }: DriftReportData): string {
  return writePage({
    title: `Drift against ${model}`,
    heading: 'Events against the training domain',
    about: html`${model} · anomalyclr ${version} · ${readableDate(date)}`,
    sections: [...comparisons.map(fileSection), reading],
    style: `${verdictStyle}tbody th{white-space:nowrap}`,
  });
}

function fileSection(comparison: DriftReportData['comparisons'][number], k: number): Section {
  const { file, events, training, skipped, features } = comparison;
  const bad = skipped > 0 ? `, ${number(skipped)} more with problems left out` : '';
  const ordered = worstFirst(features);
  const body = html`<p>
      <strong>${sentence(driftHeadline(comparison))}</strong> ${number(events)} events${bad}, against
      ${number(training)} of the training.
    </p>
    ${table(
      `Drift of ${file}`,
      ['feature', 'verdict', 'PSI', 'by chance', 'KS', '95 % point', 'outside', 'values', 'in training'],
      ordered.map(row),
    )}
    ${legend([
      { label: 'training', style: trainingStyle },
      { label: 'this file', style: sampleStyle },
    ])}
    <div class="charts">${ordered.filter(one => one.sample > 0).map((one, i) => draw(`file-${k}-${i}`, one))}</div>`;
  return { id: `file-${k}`, title: file, body };
}

function row(one: DriftFeature) {
  return [
    one.feature,
    verdictText(one.verdict),
    number(one.psi ?? NaN),
    number(one.psi === null ? NaN : one.psiNoise),
    number(one.ks ?? NaN),
    number(one.ksCritical ?? NaN),
    one.sample > 0 ? html`${number(100 * one.outside)} %` : '–',
    number(one.sample),
    number(one.training),
  ];
}

function verdictText(verdict: DriftVerdict): Html {
  return html`<span class="${verdict}">${verdictMarks[verdict].sign} ${verdict}</span>`;
}

function draw(id: string, one: DriftFeature): Html {
  const figures = `PSI ${number(one.psi ?? NaN)}, KS ${number(one.ks ?? NaN)}, ${number(100 * one.outside)} % outside`;
  const title = `${one.feature}${units[one.quantity] && `, ${units[one.quantity]}`}`;
  const label = `${one.feature} in training and file: ${one.verdict}. ${figures}.`;
  const caption = html`${verdictText(one.verdict)}: ${figures}.`;
  return chart({ id, title, label, caption, height: 250, option: one.quantity === 'count' ? bars(one) : steps(one) });
}

/** Share of the events with each number of objects, side by side. */
function bars({ bins: { edges, training, sample } }: DriftFeature) {
  const last = edges.length - 2; // all above the most that the training saw
  const bar = (name: string, shares: readonly number[], colour: Colour) => ({
    type: 'bar' as const,
    name,
    silent: true,
    data: shares.map(share => 100 * share),
    itemStyle: { color: ink(colour) },
  });
  return {
    xAxis: {
      ...axis('objects in an event', 'x'),
      type: 'category' as const,
      axisLabel: { color: ink('muted'), fontSize: 11 },
      data: edges.slice(0, -1).map(n => (n === last ? `≥ ${n}` : String(n))),
    },
    yAxis: axis('% of events', 'y', { min: 0 }),
    series: [bar('training', training, trainingStyle.colour), bar('this file', sample, sampleStyle.colour)],
  };
}

/** Densities of both over the training's quantiles; pT on logarithmic axes. */
function steps({ quantity, bins }: DriftFeature) {
  const log = quantity === 'pt';
  const grouped = group(bins);
  const density = (shares: readonly number[]) =>
    shares.map((share, k) => share / (grouped.edges[k + 1] - grouped.edges[k]));
  const [training, sample] = [density(grouped.training), density(grouped.sample)];
  const heights = [...training, ...sample].filter(d => d > 0);
  const floor = log ? 10 ** Math.floor(Math.log10(Math.min(...heights))) : 0;
  const points = (values: readonly number[]) =>
    [...values, values[values.length - 1]].map((d, k) => [grouped.edges[k], Math.max(d, floor)] as const);
  const [low, high] = [grouped.edges[0], grouped.edges[grouped.edges.length - 1]];
  return {
    xAxis: axis(`${symbols[quantity]}${units[quantity] && `, ${units[quantity]}`}`, 'x', {
      log,
      min: log ? Math.max(low, 0.1) : low,
      max: high,
    }),
    yAxis: axis('density', 'y', log ? { log, min: floor, gap: 42 } : { min: 0 }),
    series: [
      line('training', points(training), trainingStyle, {
        step: 'end',
        areaStyle: { color: ink('background'), opacity: 0.25, origin: 'start' },
      }),
      line('this file', points(sample), sampleStyle, { step: 'end' }),
    ],
  };
}

/** Neighbouring bins together, but for the two at the ends, where the tails are. */
function group({ edges, training, sample }: DriftFeature['bins']): DriftFeature['bins'] {
  const size = Math.max(1, Math.round(training.length / drawnSteps));
  const inner = edges.slice(1, -1).filter((_, k) => k % size === 0 || k === edges.length - 3);
  const kept = [edges[0], ...inner, edges[edges.length - 1]].filter((edge, k, all) => k === 0 || edge > all[k - 1]);
  const total = (shares: readonly number[]) =>
    kept
      .slice(1)
      .map((high, k) =>
        shares.reduce(
          (sum, share, i) =>
            edges[i + 1] <= high && edges[i + 1] > (k === 0 ? -Infinity : kept[k]) ? sum + share : sum,
          0,
        ),
      );
  return { edges: kept, training: total(training), sample: total(sample) };
}

function sentence(text: string): string {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

const reading: Section = {
  id: 'reading',
  title: 'How to read this',
  body: html`<ul>
    <li>
      <strong>PSI</strong>, the population stability index, sums (a − b) ln(a / b) over bins of the training
      distribution, where a and b are the shares of file and training. Below 0.1 little has moved, from 0.1 the feature
      has shifted, from 0.25 it has changed: bounds customary in credit scoring, not laws of physics.
      <strong>By chance</strong> is what it is on average where nothing has changed.
    </li>
    <li>
      <strong>KS</strong> is the largest distance between the two cumulative distributions, at the quantiles known of
      the training; the <strong>95 % point</strong> is passed once in twenty times where nothing has changed.
    </li>
    <li>
      <strong>Outside</strong> is the share below the least or above the greatest value that training saw. There, a
      score rests on extrapolation.
    </li>
    <li>
      A verdict beyond ${verdictText('stable')} asks for a difference that chance makes less than once in a thousand
      times; ${verdictText('slight')} is real, but small; ${verdictText('few')} is fewer than 100 events on a side.
    </li>
  </ul>`,
};
