import { compareWith } from '../../src/evaluate/evaluation.js';
import { formatFigure } from '../../src/evaluate/format.js';
import type { ReportData } from '../../src/report/data.js';
import { escape } from '../../src/report/html.js';
import { writeReport } from '../../src/report/report.js';
import { sampleReport } from './sample.js';

const data = sampleReport();
const page = writeReport(data);
const minimal: ReportData = {
  method: 'clr',
  provenance: { version: '0.1.0', date: '2025-01-31', backgroundFiles: ['b.h5'], seeds: [1] },
};

/** Names of the elements left open or closed out of turn. */
function imbalance(markup: string): string[] {
  const open: string[] = [];
  const faults: string[] = [];
  for (const [, slash, name, rest] of markup.matchAll(/<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:"[^"]*"|[^">])*)>/g)) {
    if (['meta', 'link', 'br'].includes(name) || rest.endsWith('/')) continue;
    if (slash === '') open.push(name);
    else if (open.pop() !== name) faults.push(name);
  }
  return [...faults, ...open];
}

const sectionsOf = (markup: string) => Array.from(markup.matchAll(/<section id="([^"]+)">/g), m => m[1]);
const textOf = (markup: string) => markup.replace(/<style[\s\S]*?<\/style>/g, '').replace(/<[^>]*>/g, ' ');

test('every part has its section, and a contents entry that leads there', () => {
  const ids = ['figures', 'roc', 'scores', 'events', 'map', 'invariance', 'losses', 'domain', 'settings', 'provenance'];
  expect(sectionsOf(page)).toEqual(ids);
  for (const id of ids) expect(page).toContain(`<a href="#${id}">`);
});

test.each([
  ['figures', { evaluation: undefined }],
  ['roc', { curves: {} }],
  ['scores', { spectra: [] }],
  ['events', { events: [] }],
  ['map', { map: undefined }],
  ['invariance', { invariance: null }],
  ['losses', { losses: [{ label: 'encoder', steps: [], epochs: [] }] }],
  ['domain', { domain: undefined }],
  ['settings', { settings: {} }],
])('without its data the section %s is left out', (id, without) => {
  const rest = sectionsOf(writeReport({ ...data, ...without }));
  expect(rest).toEqual(sectionsOf(page).filter(s => s !== id));
});

test('provenance alone makes a page', () => {
  const small = writeReport(minimal);
  expect(sectionsOf(small)).toEqual(['provenance']);
  expect(imbalance(small)).toEqual([]);
});

test('the markup is balanced, ids are unique, and references inside charts hold', () => {
  expect(imbalance('<p><b></p></b>')).not.toEqual([]);
  expect(imbalance(page)).toEqual([]);
  const ids = Array.from(page.matchAll(/ id="([^"]+)"/g), m => m[1]);
  expect(new Set(ids).size).toBe(ids.length);
  const used = Array.from(page.matchAll(/url\(([^)]*)\)/g), m => m[1]);
  expect(used.length).toBeGreaterThan(0);
  for (const reference of used) expect(ids).toContain(reference.slice(1));
});

test('nothing is loaded, nothing runs', () => {
  expect(page).not.toMatch(/https?:|<script|<iframe|<img|<object| src=|@import|javascript:| on[a-z]+="/i);
  for (const [, target] of page.matchAll(/ href="([^"]*)"/g)) expect(target).toMatch(/^(#|data:,$)/);
  expect(page).toContain("default-src 'none'");
});

test('no value is left unformatted', () => {
  expect(page).not.toMatch(/undefined|\bNaN\b|\bInfinity\b|\[object/);
});

test('well under 2 MB, and the same data gives the same bytes', () => {
  expect(Buffer.byteLength(page)).toBeLessThan(1.5e6);
  expect(Buffer.byteLength(page)).toBeGreaterThan(1e5);
  expect(writeReport(data)).toBe(page);
});

test('every chart says in words what it shows and takes its colours from the page', () => {
  const charts = page.match(/<figure>[\s\S]*?<\/figure>/g)!;
  // 4 signals twice, 2 spectra, 9 events, 2 trainings of 2 charts, 1 domain.
  expect(charts).toHaveLength(4 + 4 + 2 + 9 + 4 + 1);
  for (const chart of charts) {
    expect(chart).toMatch(/role="img" aria-label="[^"]{20,}"/);
    expect(chart.replace(/<clipPath[\s\S]*?<\/clipPath>/g, '')).not.toMatch(/#[0-9a-f]{3,6}\b|rgb/i);
    expect(chart).toContain('var(--');
  }
});

test('a method has one colour in legend and charts', () => {
  const roc = page.match(/<section id="roc">[\s\S]*?<\/section>/)![0];
  for (const [method, colour] of [
    ['anomclr+', 'blue'],
    ['raw-autoencoder', 'orange'],
    ['raw-autoencoder-log', 'vermillion'],
    ['untrained-encoder', 'green'],
    ['best cut', 'purple'],
  ]) {
    const item = roc.match(/<li>[\s\S]*?<\/li>/g)!.find(li => textOf(li).trim() === method)!;
    expect(item).toContain(`var(--${colour})`);
    for (const chart of roc.match(/<figure>[\s\S]*?<\/figure>/g)!) expect(chart).toContain(`stroke="var(--${colour})"`);
  }
});

test('the best figure of a column is bold, and only that', () => {
  const { methods } = data.evaluation!;
  for (const signal of ['Ato4l', 'hChToTauNu']) {
    const rows = page
      .match(new RegExp(`aria-label="Figures on ${signal}"[\\s\\S]*?</table>`))![0]
      .match(/<tr>[\s\S]*?<\/tr>/g)!
      .slice(1);
    expect(rows).toHaveLength(Object.keys(methods).length);
    expect(textOf(rows[0])).toContain('anomclr+');
    const best = Object.entries(methods).sort(
      (a, b) => b[1].signals[signal].auc!.value - a[1].signals[signal].auc!.value,
    )[0];
    const bold = rows.filter(r => /<td>\s*<strong>/.test(r.match(/<td>[\s\S]*?<\/td>/)![0]));
    expect(bold).toHaveLength(1);
    expect(textOf(bold[0]).trim().startsWith(best[0])).toBe(true);
    expect(bold[0]).toContain(`<strong>${formatFigure(best[1].signals[signal].auc!).value}</strong>`);
  }
});

test('the verdicts count what the comparison finds, losses named', () => {
  const sentences = textOf(page.match(/<ul class="verdicts">[\s\S]*?<\/ul>/)![0]).replace(/\s+/g, ' ');
  const others = Object.keys(data.evaluation!.methods).filter(m => m !== 'anomclr+');
  for (const other of others) {
    const list = compareWith(data.evaluation!, 'anomclr+', [other]);
    const wins = list.filter(c => c.better).length;
    expect(sentences).toContain(`ahead of ${other} in ${wins} of ${list.length} figures`);
  }
  const turned = writeReport({ ...data, method: 'raw-autoencoder' });
  expect(textOf(turned).replace(/\s+/g, ' ')).toMatch(
    /raw-autoencoder is ahead of anomclr\+ in \d of 16 figures.*?behind in Ato4l AUC \(clearly\)/,
  );
});

test('hostile text is shown, never obeyed', () => {
  const evil = `</svg></style><script>alert("x")</script>'&{a|b}\0`;
  const rename = <T>(record: Readonly<Record<string, T>>) =>
    Object.fromEntries(Object.entries(record).map(([k, v]) => [`${k}${evil}`, v]));
  const hostile = writeReport({
    ...data,
    method: `anomclr+${evil}`,
    evaluation: {
      ...data.evaluation!,
      methods: rename(
        Object.fromEntries(
          Object.entries(data.evaluation!.methods).map(([m, v]) => [m, { ...v, signals: rename(v.signals) }]),
        ),
      ),
    },
    curves: rename(Object.fromEntries(Object.entries(data.curves!).map(([s, v]) => [s, rename(v)]))),
    spectra: data.spectra!.map(s => ({ ...s, method: evil, series: s.series.map(x => ({ ...x, label: evil })) })),
    map: data.map!.map(c => ({ ...c, label: `${c.label}${evil}` })),
    losses: data.losses!.map(l => ({ ...l, label: evil })),
    events: data.events!.map(e => ({ ...e, label: evil, eventId: evil })),
    settings: { [evil]: evil, nested: { list: [evil] } },
    provenance: {
      ...data.provenance,
      version: evil,
      date: evil,
      machine: evil,
      engine: evil,
      backgroundFiles: [evil],
      signalFiles: [evil],
    },
  });
  expect(hostile).not.toContain('<script');
  expect(hostile).not.toContain('\0');
  expect(imbalance(hostile)).toEqual([]);
  expect(hostile.split(escape(evil)).length).toBeGreaterThan(40);
  expect(sectionsOf(hostile)).toEqual(sectionsOf(page));
});

test('figures that are missing, and scores beyond all bounds, leave no gap in the page', () => {
  const { methods } = data.evaluation!;
  const bare = {
    events: 5,
    auc: null,
    'rejection_at_eff_0.3': null,
    efficiency_at_fpr: { '1e-2': null, '1e-3': null, '1e-4': null, '1e-5': null },
  };
  const figures = { ...bare, sic_at_fpr: bare.efficiency_at_fpr };
  const odd = writeReport({
    ...data,
    evaluation: {
      background: { events: 9 },
      methods: { ...methods, 'anomclr+': { seeds: [1], signals: { Ato4l: figures, rare: figures } } },
    },
    losses: [
      {
        label: 'encoder',
        steps: [
          { step: 1, loss: NaN },
          { step: 2, loss: 1 },
        ],
        epochs: [{ epoch: 1, validation: NaN }],
      },
    ],
    map: [{ label: 'background', x: [1], y: [1] }],
    events: [{ label: 'f', score: Infinity, row: 0, objects: [] }],
    invariance: { before: 0, after: 0.1 },
  });
  expect(imbalance(odd)).toEqual([]);
  expect(odd).not.toMatch(/undefined|\bNaN\b|\bInfinity\b/);
  expect(odd).toContain('Too few background events for any of these.');
});
