import { type Evaluation, type Figure, figures } from './evaluation.js';
import type { Interval } from './intervals.js';

/**
 * A figure's numbers, rounded alike, to two digits of half the interval.
 *
 * @example
 * formatFigure({ value: 0.94217, low: 0.9401, high: 0.9443 }); // { value: '0.9422', low: '0.9401', high: '0.9443', half: '0.0021' }
 */
export function formatFigure(i: Interval): { value: string; low: string; high: string; half: string } {
  const half = (i.high - i.low) / 2;
  const decimals = half > 0 ? Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(half)))) : 4;
  const f = (x: number) => x.toFixed(decimals);
  return { value: f(i.value), low: f(i.low), high: f(i.high), half: f(half) };
}

/**
 * A readable table per signal: a line per method, `value ± half the 95 % interval`; "-" where there are too few events.
 *
 * @param shown the figures, AUC, efficiencies at 1e-2 and 1e-3 and rejection by default
 */
export function formatEvaluation(
  evaluation: Evaluation,
  shown: readonly Figure[] = figures.filter(f => !/1e-[45]/.test(f.name)),
): string {
  const methods = Object.entries(evaluation.methods);
  const signals = [...new Set(methods.flatMap(([, m]) => Object.keys(m.signals)))];
  const blocks = signals.map(signal => {
    const here = methods.filter(([, m]) => signal in m.signals);
    const rows = here.map(([name, m]) => [
      m.seeds.length > 1 ? `${name} (${m.seeds.length} seeds)` : name,
      ...shown.map(figure => cell(figure.of(m.signals[signal]))),
    ]);
    const events = here[0][1].signals[signal].events;
    return `${signal} (${events} events)\n${columns([['', ...shown.map(f => f.name)], ...rows])}`;
  });
  const head = `background ${evaluation.background.events} events; ± half the 95 % interval; - too few events`;
  return `${[head, ...blocks].join('\n\n')}\n`;
}

function cell(i: Interval | null): string {
  if (!i) return '-';
  const { value, half } = formatFigure(i);
  return `${value} ± ${half}`;
}

/** Rows of text as aligned columns, the first of them to the left. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, c) => Math.max(...rows.map(r => r[c].length)));
  return rows
    .map(r => `  ${r.map((text, c) => (c === 0 ? text.padEnd(widths[c]) : text.padStart(widths[c]))).join('   ')}`)
    .join('\n');
}
