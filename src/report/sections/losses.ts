import { axis, chart, line } from '../chart.js';
import type { LossHistory, ReportData } from '../data.js';
import { type Content, html, number, type Section } from '../html.js';
import { thin } from '../histogram.js';
import { ink, type Style } from '../palette.js';

const style: Style = { colour: 'blue', dash: [], width: 1.75 };

/** Training loss per step and validation loss per epoch of every training. */
export function losses({ losses = [] }: ReportData): Section | null {
  const charts = losses.flatMap((history, k) => draw(`loss-${k}`, history));
  if (charts.length === 0) return null;
  return {
    id: 'losses',
    title: 'Training',
    body: html`<p>
        Loss on the training events per step (neighbouring steps averaged where there are many) and on events held back
        for validation per epoch.
      </p>
      <div class="charts">${charts}</div>`,
  };
}

function draw(id: string, { label, steps, epochs }: LossHistory): Content[] {
  const series = [
    { part: 'training', x: 'step', points: steps.map(s => [s.step, s.loss] as const) },
    { part: 'validation', x: 'epoch', points: epochs.map(e => [e.epoch, e.validation] as const) },
  ];
  return series
    .map(({ part, x, points }) => {
      const finite = points.filter(p => Number.isFinite(p[1]));
      if (finite.length === 0) return null;
      const [first, last] = [finite[0], finite[finite.length - 1]];
      return chart({
        id: `${id}-${part}`,
        title: `${label}, ${part}`,
        label: `${part} loss of ${label}: from ${number(first[1])} at ${x} ${first[0]} to ${number(last[1])} at ${x} ${last[0]}.`,
        height: 260,
        option: {
          xAxis: axis(x, 'x'),
          yAxis: axis('loss', 'y', { gap: 46 }),
          series: [
            line(part, thin(finite), style, {
              showSymbol: finite.length <= 40,
              symbolSize: 5,
              symbol: 'circle',
              itemStyle: { color: ink(style.colour) },
            }),
          ],
        },
      });
    })
    .filter(c => c !== null);
}
