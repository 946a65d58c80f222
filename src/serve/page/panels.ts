import { number } from '../../report/html.js';
import { verdictMarks } from '../../report/verdicts.js';
import type { Live, LiveAnswer, LiveShare } from '../live.js';
import { bodyOf, type Cell, byId, element, fillMessage, fillTable, setText } from './dom.js';
import { eventCard, eventLegend } from './event.js';
import { drawRate, drawSpectrum, superscript } from './plots.js';

const percent = (share: number) => `${number(100 * share)}\u00a0%`;

/** Everything that the page shows of an answer. */
export function show(live: LiveAnswer): void {
  showHead(live);
  showFigures(live);
  showScores(live);
  drawRate(bodyOf('rate'), live.rate);
  showDomain(live);
  showDrift(live);
  showAnomalies(live);
}

function showHead({ model, server }: LiveAnswer): void {
  setText(byId('name'), model.name);
  document.title = `${model.name} · anomalyclr`;
  const parts = [
    `${model.part}, ${model.loss}, ${model.precision}`,
    `made by anomalyclr ${model.version}`,
    `served by ${server.version} on ${server.provider}, ${server.sessions} sessions`,
  ];
  setText(byId('about'), parts.join(' · '));
}

function showFigures({ events, rate, outOfDomain, server }: LiveAnswer): void {
  const last = rate[rate.length - 1] ?? 0;
  const { latencyMs: latency } = server;
  const tiles: [name: string, value: string, note: string][] = [
    ['Events per second', number(last), `${number(events)} since the start`],
    ['Requests per second', number(server.requestsPerSecond), `${number(server.requests)} answered`],
    [
      'Latency p50',
      latency ? `${number(latency.p50)} ms` : '–',
      latency ? `p95 ${number(latency.p95)}, p99 ${number(latency.p99)} ms` : 'no request yet',
    ],
    [
      'Events in the queue',
      number(server.queueEvents),
      `${number(server.refused)} refused, ${number(server.errors)} errors`,
    ],
    [
      'Outside the domain',
      outOfDomain.recent ? percent(outOfDomain.recent.value) : '–',
      `${number(outOfDomain.total)} since the start`,
    ],
    ['Up', duration(server.uptimeSeconds), ''],
  ];
  const list = byId('figures');
  if (list.childElementCount !== tiles.length)
    list.replaceChildren(
      ...tiles.map(([name]) =>
        element('div', {}, element('dt', {}, name), element('dd', {}), element('dd', { class: 'note' })),
      ),
    );
  for (const [k, [, value, note]] of tiles.entries()) {
    setText(list.children[k].children[1], value);
    setText(list.children[k].children[2], note);
  }
}

function showScores({ scores, recent }: Live): void {
  const place = bodyOf('scores');
  byId('thresholds').hidden = !scores;
  if (!scores) {
    fillMessage(place, 'This bundle is an encoder: it gives representations, no scores.');
    return;
  }
  const { quantiles: q, without } = scores;
  setText(
    byId('scores-note'),
    q
      ? `${span(recent)}. Median ${number(q.p50)}, 90 % below ${number(q.p90)}, 99 % ${number(q.p99)}, 99.9 % ${number(q.p999)}${without > 0 ? `; ${number(without)} events got none` : ''}.`
      : '',
  );
  if (scores.spectrum) drawSpectrum(place, scores);
  else fillMessage(place, 'No events yet. Scores appear here as soon as the first request is answered.');
  if (scores.thresholds.length === 0) {
    fillMessage(bodyOf('thresholds'), 'The bundle has no thresholds.');
    return;
  }
  setText(
    byId('thresholds-note'),
    'Share of events that pass: wanted, among the recent and of all since the start. Where background alone is served they agree; ▲ more and ▼ fewer pass than that.',
  );
  fillTable(
    bodyOf('thresholds'),
    'Thresholds',
    ['wanted', 'score', 'recent', 'all', '95\u00a0% of all'],
    scores.thresholds.map(({ rate, wanted, threshold, recent: now, total }) => [
      superscript(Number(rate.slice(2))),
      number(threshold),
      now ? shareOf(now) : '–',
      total ? againstWanted(total, wanted) : '–',
      total ? `${exponent(total.low)} – ${exponent(total.high)}` : '–',
    ]),
  );
}

function showDomain({ outOfDomain: { recent, boundaries } }: Live): void {
  const place = bodyOf('domain');
  if (!recent) {
    fillMessage(place, 'No events yet.');
    return;
  }
  const { passed, events, value, low, high } = recent;
  setText(
    byId('domain-note'),
    `${number(passed)} of the ${number(events)} recent events, ${percent(value)} (95 %: ${percent(low)} to ${percent(high)}). Their scores rest on extrapolation.`,
  );
  if (boundaries.length === 0) fillMessage(place, 'No boundary was crossed.');
  else
    fillTable(
      place,
      'Boundaries crossed most',
      ['boundary', 'events', 'of recent'],
      boundaries.map(one => [one.boundary, number(one.events), percent(one.events / events)]),
    );
}

function showDrift({ drift }: Live): void {
  const seen = Math.max(0, ...drift.map(one => one.values));
  const worst = drift.filter(one => one.verdict === 'shifted' || one.verdict === 'changed');
  setText(
    byId('drift-note'),
    seen === 0
      ? 'No events yet.'
      : worst.length > 0
        ? `Moved: ${worst.map(one => one.feature).join(', ')}.`
        : 'Nothing has moved beyond the customary bounds.',
  );
  fillTable(
    bodyOf('drift'),
    'Drift by feature, of a sample of the recent events',
    ['feature', 'verdict', 'PSI', 'KS', 'outside', 'values'],
    drift.map(({ feature, verdict, psi, ks, outside, values }) => [
      feature,
      { text: `${verdictMarks[verdict].sign} ${verdict}`, style: verdict },
      psi === null ? '–' : psi.toFixed(3),
      ks === null ? '–' : ks.toFixed(3),
      values > 0 ? percent(outside) : '–',
      number(values),
    ]),
  );
}

let shown = '';

function showAnomalies({ anomalies, scores, model: { plane } }: Live): void {
  const place = bodyOf('anomalies');
  const key = anomalies.map(one => `${one.time} ${one.score}`).join();
  if (key === shown && key !== '') return; // leaves lists that a reader has opened alone
  shown = key;
  setText(
    byId('anomalies-note'),
    scores
      ? 'Highest score first. Area grows with pT, on one scale.'
      : 'Farthest from the domain first, in standard deviations.',
  );
  if (anomalies.length === 0) {
    fillMessage(place, 'No events yet.');
    return;
  }
  const objects = anomalies.flatMap(one => one.objects);
  const scale = {
    largestPt: Math.max(1, ...objects.filter(one => one.kind !== 'met').map(one => one.pt)),
    ...(plane ?? {
      eta: Math.min(10, Math.max(4, ...objects.map(one => Math.ceil(Math.abs(one.eta))))),
      phi: Math.PI,
    }),
  };
  const cards = anomalies.map((event, k) => eventCard(event, k + 1, scale));
  const legend = plane ? [] : [eventLegend()];
  place.replaceChildren(...legend, element('div', { class: 'events' }, ...cards));
}

function span({ events, seconds }: Live['recent']): string {
  return `The last ${number(events)} events, ${duration(seconds)}`;
}

function againstWanted(total: LiveShare, wanted: number): Cell {
  if (total.low > wanted) return { text: `▲ ${shareOf(total)}`, style: 'off' };
  return total.high < wanted ? { text: `▼ ${shareOf(total)}`, style: 'off' } : { text: shareOf(total) };
}

function shareOf({ value, passed }: LiveShare): string {
  return passed === 0 ? '0' : exponent(value);
}

/** 0.25, 1.8·10⁻³ */
function exponent(share: number): string {
  if (share === 0 || share >= 0.1) return share === 0 ? '0' : share.toPrecision(2);
  const [digits, power] = share.toExponential(1).split('e');
  return `${digits}·${superscript(Number(power))}`;
}

function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  return s < 172_800
    ? `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`
    : `${Math.floor(s / 86_400)} days`;
}
