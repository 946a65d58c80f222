import { type Content, html, Html, number, type Section } from '../src/report/html.js';
import { readableDate, writePage } from '../src/report/page.js';
import { ratioCharts, scalingCharts } from './page-charts.js';
import { figuresOf, isNative, isPure, medianOf, rate, spoken, times, type CaseFigures } from './page-figures.js';
import { caseTable, latencyTables, machineTable, summaryTable } from './page-tables.js';
import { ratesOf, type BenchReport } from './report-types.js';

/** What the pages of runs do not need. */
const more = `
.cards{display:flex;flex-wrap:wrap;gap:1rem;margin:1.25rem 0;padding:0;list-style:none}
.cards li{flex:1 1 12rem;max-width:20rem;padding:.75rem 1rem;border:1px solid var(--grid);border-radius:6px;background:var(--panel);font-size:.9rem}
.cards strong{display:block;font-size:2rem;line-height:1.2;color:var(--blue)}
.lead{font-size:1.15rem;max-width:60rem}
.bar{display:block;height:.4rem;margin-top:.2rem;border-radius:2px;background:var(--blue);print-color-adjust:exact}
.model{display:block;white-space:normal;max-width:17rem}
#summary thead th{white-space:normal;vertical-align:bottom;max-width:9rem}
.group th{padding-top:1rem;font-weight:700}
#cases tr:not(.group) th{white-space:nowrap}
#machine td{text-align:left;white-space:normal;overflow-wrap:anywhere}
@media print{.scroll{overflow:visible;border:0}table{font-size:.72rem}th,td{padding:.2rem .4rem}.charts{grid-template-columns:1fr 1fr}}
`;

/**
 * A benchmark report as one HTML page that needs nothing else, as the report of a run: inline SVG, no script, no outside
 * resource, light and dark by the reader's setting.
 *
 * @example
 * await writeAtomically('bench.html', writeBenchPage(report));
 */
export function writeBenchPage(report: BenchReport): string {
  const { machine, notes } = report;
  const figures = figuresOf(report.cases);
  const all: { id: string; title: string; body: Content }[] = [
    { id: 'summary', title: 'How much faster, and where', body: summary(report, figures) },
    { id: 'ratios', title: 'Every way to compute', body: ratioCharts(figures) },
    { id: 'scaling', title: 'Throughput over the batch', body: scalingCharts(figures) },
    { id: 'latency', title: 'Latency of one event', body: latencyTables(figures) },
    { id: 'cases', title: 'All measurements', body: figures.length > 0 && caseTable(figures) },
    {
      id: 'notes',
      title: 'Left out',
      body:
        notes.length > 0 &&
        html`<ul>
          ${notes.map(note => html`<li>${note}</li>`)}
        </ul>`,
    },
    { id: 'machine', title: 'Machine', body: machineTable(report) },
  ];
  return writePage({
    title: `anomalyclr ${machine.version}: benchmark`,
    heading: `Benchmark of anomalyclr ${machine.version}`,
    about: `${machine.cpu}, ${machine.cores} cores · ${readableDate(machine.date)}`,
    sections: all.filter((part): part is Section => part.body instanceof Html),
    style: more,
  });
}

function summary({ machine }: BenchReport, figures: readonly CaseFigures[]): Html {
  const found = cards(figures);
  const compared = summaryTable(figures);
  return html`<p class="lead">${lead(figures)} Measured on ${machine.cpu} on ${readableDate(machine.date)}.</p>
    ${
      found.length > 0 &&
      html`<ul class="cards">
        ${found.map(({ figure, words }) => html`<li><strong>${figure}</strong>${words}</li>`)}
      </ul>`
    }
    ${
      compared &&
      html`${compared}
        <p>
          Pure is TensorFlow.js as it comes, the best of its backends that work here; with native kernels it takes
          views, attention and losses from the addon. Ratios are of median throughputs at one batch,
          ${threadWords(figures)}.
        </p>`
    }`;
}

/** TensorFlow.js on wasm and cpu has one thread, whatever the others have. */
function threadWords(figures: readonly CaseFigures[]): string {
  const counts = new Set(figures.flatMap(({ all }) => all.map(({ threads }) => threads)));
  const [only] = counts;
  if (counts.size > 1) return 'on the threads that the table of all measurements tells';
  return `on ${only} thread${only === 1 ? '' : 's'}`;
}

/** The page in a sentence: native training over the best pure TensorFlow.js, or what keeps from saying that. */
function lead(figures: readonly CaseFigures[]): Html {
  const training = figures.filter(({ name }) => name === 'train-step');
  const shown = training.find(({ summary }) => summary?.nativeOverPure !== undefined);
  if (shown?.summary?.native && shown.summary.pure) {
    const { native, pure, nativeOverPure, batch, model } = shown.summary;
    const withNode = shown.compared.some(one => isPure(one) && one.backend.startsWith('node'));
    return html`<strong
        >Native f32 training is ${number(nativeOverPure, 2)} times as fast as the best pure TensorFlow.js backend here
        (${pure.backend}):</strong
      >
      ${rate(native)} against ${rate(pure)} events/s at batch ${number(batch)}
      (${model}).${!withNode && ' tfjs-node, which is far faster than the others, was not among them.'}`;
  }
  const native = training.flatMap(({ compared: at }) => at).find(isNative);
  if (native)
    return html`<strong>Native f32 training: ${rate(native)} events/s</strong> at batch ${number(native.batch)}
      (${native.model}). No pure TensorFlow.js backend was measured on it, so there is nothing to compare with.`;
  return html`The native engine was not measured in training, so this page does not say how much faster it is.`;
}

/** The figures to remember, each where it was measured. */
function cards(figures: readonly CaseFigures[]): { figure: string; words: string }[] {
  const of = (name: string) => figures.filter(f => f.name === name && f.summary !== undefined);
  const ratio = (name: string, what: 'nativeOverPure' | 'kernelsOverPure' | 'bf16OverF32', words: string) => {
    const line = of(name).find(({ summary: s }) => s?.[what] !== undefined)?.summary;
    if (!line) return [];
    const over = what === 'bf16OverF32' ? 'native f32' : line.pure ? spoken(line.pure) : '';
    return [{ figure: times(line[what]), words: `${words}, over ${over}, batch ${number(line.batch)}` }];
  };
  return [
    ...ratio('train-step', 'nativeOverPure', 'training, native f32'),
    ...ratio('score', 'nativeOverPure', 'scoring, native f32'),
    ...ratio('train-step', 'kernelsOverPure', 'training in TensorFlow.js with native kernels'),
    ...ratio('train-step', 'bf16OverF32', 'training, native bf16'),
    ...onnxCard(figures),
  ];
}

function onnxCard(figures: readonly CaseFigures[]): { figure: string; words: string }[] {
  const score = figures.find(({ name }) => name === 'score');
  const peers = score?.all.filter(({ engine }) => engine === 'onnxruntime') ?? [];
  const pairs = peers.flatMap(peer => {
    const native = score?.all.find(one => isNative(one) && one.batch === peer.batch);
    return native ? [{ peer, native }] : [];
  });
  // at the batch that suits ONNX Runtime best
  const [best] = pairs.toSorted((a, b) => medianOf(b.peer) - medianOf(a.peer));
  if (!best) return [];
  const figure = times(ratesOf(best.native).median / ratesOf(best.peer).median);
  return [{ figure, words: `scoring, native f32, over ONNX Runtime, batch ${number(best.peer.batch)}` }];
}
