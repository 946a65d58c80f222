import { compareWith, type Comparison, type Evaluation, type SignalFigures } from '../../evaluate/evaluation.js';
import { formatFigure } from '../../evaluate/format.js';
import type { Interval } from '../../evaluate/intervals.js';
import { falsePositiveRates } from '../../evaluate/summary.js';
import type { ReportData } from '../data.js';
import { type Content, html, type Html, number, type Section, table } from '../html.js';

interface Column {
  readonly head: Content;
  readonly of: (s: SignalFigures) => Interval | null;
}

const rate = (exponent: string) => html`10<sup>−${exponent}</sup>`;
const mainColumns: Column[] = [
  { head: 'AUC', of: s => s.auc },
  ...falsePositiveRates.map(r => ({
    head: html`ε<sub>s</sub> at ε<sub>b</sub> = ${rate(r.slice(-1))}`,
    of: (s: SignalFigures) => s.efficiency_at_fpr[r],
  })),
  { head: html`1/ε<sub>b</sub> at ε<sub>s</sub> = 0.3`, of: s => s['rejection_at_eff_0.3'] },
];
const sicColumns: Column[] = falsePositiveRates.map(r => ({
  head: html`SIC at ε<sub>b</sub> = ${rate(r.slice(-1))}`,
  of: s => s.sic_at_fpr[r],
}));

/** Figures with intervals of every method on every signal, and in words where ours wins and loses. */
export function headline({ evaluation, method }: ReportData): Section | null {
  if (!evaluation) return null;
  const signals = [...new Set(Object.values(evaluation.methods).flatMap(m => Object.keys(m.signals)))];
  if (signals.length === 0) return null;
  const body = html`<p>
      How well each method tells signal from ${number(evaluation.background.events)} background events. AUC is the
      chance that a signal event scores above a background event; ε<sub>s</sub> the share of signal kept at a background
      rate ε<sub>b</sub>. Small print: 95 % intervals${spreadNote(evaluation)}. Bold: best of the column. A dash: fewer
      than 10 background events would decide it. Clearly ahead means that the intervals do not touch.
    </p>
    ${verdicts(evaluation, method)}
    ${signals.map(
      signal =>
        html`<h3>${signal} <small>${number(eventsOf(evaluation, signal))} events</small></h3>
          ${figureTable(evaluation, method, signal, mainColumns, `Figures on ${signal}`)}`,
    )}
    <details>
      <summary>Significance improvement ε<sub>s</sub>/√ε<sub>b</sub></summary>
      ${signals.map(
        signal =>
          html`<h3>${signal}</h3>
            ${figureTable(evaluation, method, signal, sicColumns, `Significance improvement on ${signal}`)}`,
      )}
    </details>`;
  return { id: 'figures', title: 'Figures', body };
}

function spreadNote({ methods }: Evaluation): string {
  return Object.values(methods).some(m => m.seeds.length > 1)
    ? '; where a method was trained from several seeds, they hold the spread between seeds too'
    : ', from the event counts alone';
}

function eventsOf({ methods }: Evaluation, signal: string): number | undefined {
  return Object.values(methods).find(m => signal in m.signals)?.signals[signal].events;
}

function figureTable({ methods }: Evaluation, ours: string, signal: string, columns: Column[], label: string): Html {
  const rows = Object.entries(methods)
    .filter(([, m]) => signal in m.signals)
    .sort(([a], [b]) => Number(b === ours) - Number(a === ours));
  const shown = columns.filter(c => rows.some(([, m]) => c.of(m.signals[signal]) !== null));
  if (shown.length === 0) return html`<p>Too few background events for any of these.</p>`;
  const best = shown.map(c => Math.max(...rows.map(([, m]) => c.of(m.signals[signal])?.value ?? -Infinity)));
  return table(
    label,
    ['method', ...shown.map(c => c.head)],
    rows.map(([name, m]) => [
      html`${name}${m.seeds.length > 1 ? html` <small>${m.seeds.length} seeds</small>` : ''}`,
      ...shown.map((c, k) => cell(c.of(m.signals[signal]), best[k])),
    ]),
  );
}

function cell(interval: Interval | null, best: number): Html {
  if (!interval) return html`<span aria-label="too few events">–</span>`;
  const { value, low, high } = formatFigure(interval);
  const shown = interval.value === best ? html`<strong>${value}</strong>` : html`${value}`;
  return html`${shown}<small>${low} – ${high}</small>`;
}

function verdicts(evaluation: Evaluation, method: string): Html | null {
  if (!(method in evaluation.methods)) return null;
  const others = Object.keys(evaluation.methods).filter(m => m !== method);
  const lines = others.map(other => verdict(method, other, compareWith(evaluation, method, [other])));
  return lines.length > 0
    ? html`<ul class="verdicts">
        ${lines.map(l => html`<li>${l}</li>`)}
      </ul>`
    : null;
}

/** For instance "anomclr+ is ahead of ht in 9 of 12 figures, 7 of them clearly; behind in: hChToTauNu AUC (0.51 < 0.53)". */
function verdict(method: string, other: string, comparisons: Comparison[]): Html {
  if (comparisons.length === 0) return html`${method} and <b>${other}</b> share no figure.`;
  const wins = comparisons.filter(c => c.better);
  const losses = comparisons.filter(c => c.value < c.otherValue);
  const sure = wins.filter(c => c.clear).length;
  const surely = sure === 0 ? '' : sure === wins.length ? ', clearly in all of them' : `, clearly in ${sure}`;
  return html`${method} is ahead of <b>${other}</b> in ${wins.length} of ${comparisons.length}
    figures${surely}${losses.length > 0 ? html`; behind in ${losses.map((c, k) => html`${k > 0 ? ', ' : ''}${c.signal} ${symbols(c.figure)}${c.clear ? ' (clearly)' : ''}`)}` : ''}.`;
}

/** `ε_s at ε_b 1e-3` as it is printed. */
function symbols(figure: string): Html {
  const parts = figure.split(/_([sb])|1e-(\d)/);
  const printed = parts.map((text, k) => {
    if (text === undefined || k % 3 === 0) return text;
    return k % 3 === 1 ? html`<sub>${text}</sub>` : rate(text);
  });
  return html`<span class="nowrap">${printed}</span>`;
}
