import { axis, chart, line } from '../chart.js';
import type { ReportData } from '../data.js';
import { html, type Html, type Section } from '../html.js';
import type { Spectrum } from '../histogram.js';
import { ink, legend, signalStyle } from '../palette.js';

/** Score histograms of background and signals, one chart per method. */
export function spectra({ spectra = [] }: ReportData): Section | null {
  if (spectra.length === 0) return null;
  const labels = [...new Set(spectra.flatMap(s => s.series.map(x => x.label)))];
  const body = html`<p>
      Share of events per bin of the score, logarithmic; the outermost bins hold what lies beyond. A good detector moves
      signals to the right, where little background is left.
    </p>
    ${legend(labels.map(label => ({ label, style: signalStyle(label, labels) })))}
    <div class="charts">${spectra.map((s, k) => draw(`score-${k}`, s, labels))}</div>`;
  return { id: 'scores', title: 'Score spectra', body };
}

function draw(id: string, { method, log, edges, series }: Spectrum, labels: string[]): Html {
  const smallest = Math.min(...series.flatMap(s => s.fraction.filter(f => f > 0)));
  const floor = 10 ** Math.floor(Math.log10(Math.min(0.1, smallest)));
  return chart({
    id,
    title: method,
    label: `Score spectra of ${method}. Half of the events score above: ${series.map(s => `${s.label} ${median(s.fraction, edges)}`).join('; ')}.`,
    option: {
      xAxis: axis('score', 'x', { log, min: edges[0], max: edges[edges.length - 1] }),
      yAxis: axis('share of events per bin', 'y', { log: true, min: floor, gap: 42 }),
      series: series.map(({ label, fraction }) => {
        // An empty bin has no logarithm: draw it on the floor. The last edge closes the last step.
        const heights = [...fraction, fraction[fraction.length - 1]].map(f => Math.max(f, floor));
        const points = heights.map((h, i) => [edges[i], h] as const);
        return line(label, points, signalStyle(label, labels), {
          step: 'end',
          ...(label === 'background'
            ? { areaStyle: { color: ink('background'), opacity: 0.25, origin: 'start' } }
            : {}),
        });
      }),
    },
  });
}

function median(fraction: readonly number[], edges: readonly number[]): string {
  let sum = 0;
  const bin = fraction.findIndex(f => (sum += f) >= 0.5);
  return String(Number(edges[Math.max(0, bin)].toPrecision(3)));
}
