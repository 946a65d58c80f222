import { cutNames } from '../../evaluate/cuts.js';
import type { CurvePoints } from '../../evaluate/curve.js';
import { MINIMUM_BACKGROUND } from '../../evaluate/intervals.js';
import { axis, chart, line, rule } from '../chart.js';
import type { ReportData } from '../data.js';
import { html, type Html, type Section } from '../html.js';
import { legend, methodStyle, type Style } from '../palette.js';

/** Background rejection against signal efficiency, as in Fig. 1 of the AnomalyCLR paper: one chart per signal. */
export function curves({ curves, method, evaluation }: ReportData): Section | null {
  const signals = Object.entries(curves ?? {});
  if (signals.length === 0) return null;
  const methods = [...new Set(signals.flatMap(([, byMethod]) => Object.keys(byMethod)))];
  const style = (name: string) => methodStyle(name, method, methods);
  const isCut = (name: string) => cutNames.includes(name);
  const shown = methods.filter(m => !isCut(m)).sort((a, b) => Number(b === method) - Number(a === method));
  const cut = methods.find(isCut);
  const body = html`<p>
      Background rejection 1/ε<sub>b</sub> against signal efficiency ε<sub>s</sub>, logarithmic. Higher is better. To
      the left of and above the rule at ${MINIMUM_BACKGROUND} background events, single events draw the curve. Of the
      simple cuts each chart shows the one with the largest AUC on that signal, a choice that only one who knows the
      signal can make.
    </p>
    ${legend([
      ...shown.map(label => ({ label, style: style(label) })),
      ...(cut === undefined ? [] : [{ label: 'best cut', style: style(cut) }]),
      { label: 'chance', style: chance },
    ])}
    <div class="charts">
      ${signals.map(([signal, byMethod], k) => {
        const best = bestCut(
          Object.keys(byMethod).filter(isCut),
          name => evaluation?.methods[name]?.signals[signal]?.auc?.value ?? 0,
        );
        const drawn = [...shown.filter(m => m in byMethod), ...(best === undefined ? [] : [best])];
        return draw(
          `roc-${k}`,
          signal,
          drawn.map(name => ({ name, points: byMethod[name], style: style(name) })),
          best,
          evaluation?.background.events,
        );
      })}
    </div>`;
  return { id: 'roc', title: 'Background rejection', body };
}

const chance: Style = { colour: 'muted', dash: [1, 3], width: 1 };

function bestCut(names: string[], auc: (name: string) => number): string | undefined {
  return names.toSorted((a, b) => auc(b) - auc(a))[0];
}

function draw(
  id: string,
  signal: string,
  drawn: { name: string; points: CurvePoints; style: Style }[],
  cut: string | undefined,
  background: number | undefined,
): Html {
  const highest = Math.max(10, ...drawn.map(d => d.points.rejection[0] ?? 1));
  const series = drawn.map(({ name, points, style }) =>
    line(
      name,
      points.efficiency.map((e, i) => [e, points.rejection[i]] as const),
      style,
    ),
  );
  const random = Array.from({ length: 61 }, (_, i) => 10 ** (-i / 15)).map(e => [e, 1 / e] as const);
  const guess = line(
    'chance',
    random.filter(p => p[1] <= highest),
    chance,
  );
  if (background !== undefined && background / MINIMUM_BACKGROUND > 1)
    guess.markLine = rule({ yAxis: background / MINIMUM_BACKGROUND }, `${MINIMUM_BACKGROUND} background events`);
  return chart({
    id,
    title: signal,
    label: `Background rejection against signal efficiency for ${signal}. ${drawn.map(d => `${d.name}: ${rejectionAt(d.points, 0.3)} at efficiency 0.3`).join('; ')}.`,
    caption: cut === undefined ? null : html`Best cut here: ${cut}.`,
    option: {
      xAxis: axis('signal efficiency', 'x', { min: 0, max: 1 }),
      yAxis: axis('background rejection', 'y', { log: true, min: 1, max: 10 ** Math.ceil(Math.log10(highest)) }),
      // Ours last, on top.
      series: [guess, ...series.toReversed()],
    },
  });
}

function rejectionAt({ efficiency, rejection }: CurvePoints, wanted: number): string {
  const i = efficiency.findIndex(e => e >= wanted);
  return i < 0 ? 'none' : String(Number(rejection[i].toPrecision(3)));
}
