import { type Content, html, type Html, number, table } from '../src/report/html.js';
import { duration, isNative, overPure, rate, times, type CaseFigures } from './page-figures.js';
import { ratesOf, subjectWords, type BenchCase, type BenchReport } from './report-types.js';

/** Of each case, native and the best pure TensorFlow.js beside each other: where the native engine is how much faster. */
export function summaryTable(figures: readonly CaseFigures[]): Html | null {
  const lines = figures.flatMap(({ summary, unit }) => (summary ? [{ ...summary, unit }] : []));
  if (lines.length === 0) return null;
  const most = Math.max(10, ...lines.map(({ nativeOverPure = 1 }) => nativeOverPure));
  return table(
    'How much faster the native engine is, case by case',
    [
      'case',
      'native over pure',
      'batch',
      'native f32',
      'best pure TensorFlow.js',
      'native kernels in TensorFlow.js over pure',
      'bf16 over f32',
    ],
    lines.map(({ name, model, batch, unit, native, pure, nativeOverPure, kernelsOverPure, bf16OverF32 }) => [
      html`${name} <small class="model">${model}</small>`,
      nativeOverPure === undefined ? '–' : ratioBar(nativeOverPure, most),
      number(batch),
      native ? html`${rate(native)} <small>${unit}</small>` : '–',
      pure ? html`${rate(pure)} <small>${subjectWords(pure)}</small>` : '–',
      times(kernelsOverPure),
      times(bf16OverF32),
    ]),
  );
}

/** The ratio, over a bar of its logarithm. */
function ratioBar(ratio: number, most: number): Html {
  const share = Math.max(0, Math.log(ratio) / Math.log(most));
  return html`<strong>${times(ratio)}</strong><span class="bar" style="width:${(100 * share).toFixed(1)}%"></span>`;
}

/** How long a call of one event takes. */
export function latencyTables(figures: readonly CaseFigures[]): Html | null {
  const shown = figures.filter(({ name }) => name === 'score-one');
  if (shown.length === 0) return null;
  return html`${shown.map(({ model, all }) => {
    const native = all.find(isNative);
    const p50 = (one: BenchCase): number => ratesOf(one).latency_us.p50;
    return html`<p>${model}</p>
      ${table(
        'Latency of scoring one event',
        ['on', 'p50', 'p99', 'events/s', ...(native ? ['p50 over native f32'] : [])],
        all
          .toSorted((a, b) => p50(a) - p50(b))
          .map(one => [
            subjectWords(one),
            duration(p50(one)),
            duration(ratesOf(one).latency_us.p99),
            rate(one),
            ...(native ? [times(p50(one) / p50(native))] : []),
          ]),
      )}`;
  })}`;
}

const heads = [
  'on',
  'batch',
  'threads',
  'per second',
  'slowest … fastest',
  'p50',
  'p99',
  'MiB',
  'of peak',
  'over best pure',
];

/** Every measurement, case after case. */
export function caseTable(figures: readonly CaseFigures[]): Html {
  return html`<div class="scroll" role="region" aria-label="All measurements" tabindex="0">
    <table>
      <thead>
        <tr>
          ${heads.map(head => html`<th scope="col">${head}</th>`)}
        </tr>
      </thead>
      ${figures.map(
        ({ name, model, unit, all }) =>
          html`<tbody>
            <tr class="group">
              <th scope="rowgroup" colspan="${heads.length}">${name} <small>${model}; ${unit}</small></th>
            </tr>
            ${all.toSorted((a, b) => a.batch - b.batch).map(one => row(one, all))}
          </tbody>`,
      )}
    </table>
  </div>`;
}

function row(one: BenchCase, all: readonly BenchCase[]): Html {
  const { min, max, latency_us: us } = ratesOf(one);
  const share = one.share_of_peak;
  const cells: Content[] = [
    number(one.batch),
    one.threads,
    rate(one),
    `${number(min)} … ${number(max)}`,
    duration(us.p50),
    duration(us.p99),
    number(one.peak_rss_mb),
    share === undefined ? '–' : `${number(100 * share, 2)}\u00a0%`,
    times(overPure(one, all)),
  ];
  return html`<tr>
    <th scope="row">${subjectWords(one)}${one.checked ? '' : html` <small>not checked</small>`}</th>
    ${cells.map(cell => html`<td>${cell}</td>`)}
  </tr>`;
}

/** What it was measured on. */
export function machineTable({ machine, cases }: BenchReport): Html {
  const { cpu, cores, memory, platform, features, node, version, tfjs, tensorflow, onnxruntime, date } = machine;
  const distinct = (of: (one: BenchCase) => string | number): string => [...new Set(cases.map(of))].join(', ');
  const lines: [string, string | undefined][] = [
    ['processor', `${cpu}, ${cores} cores`],
    ['instructions', features],
    ['memory', `${number(Math.round(memory / 2 ** 30))} GiB`],
    ['platform', platform],
    ['threads', distinct(({ threads }) => threads)],
    ['anomalyclr', version],
    ['Node.js', node],
    ['TensorFlow.js', tfjs],
    ['TensorFlow', tensorflow ?? 'not measured'],
    ['ONNX Runtime', onnxruntime ?? 'not measured'],
    ['date', date],
  ];
  return table(
    'Machine',
    [],
    lines.filter(([, value]) => value !== undefined && value !== ''),
  );
}
