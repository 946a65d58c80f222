import type { ComparedReports } from './compare.js';
import { groupBy } from './group.js';
import { ratesOf, subjectWords, type BenchCase, type BenchReport } from './report-types.js';
import { summarise } from './summary.js';

/** Rows under their headings; columns are as wide as they need, the first ones left, the others right. */
function columns(rows: readonly (readonly string[])[], left: number): string[] {
  const widths = rows[0].map((_, c) => Math.max(...rows.map(row => row[c].length)));
  return rows.map(row =>
    row
      .map((cell, c) => (c < left ? cell.padEnd(widths[c]) : cell.padStart(widths[c])))
      .join('  ')
      .trimEnd(),
  );
}

const rate = (value: number): string => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3));

/** A time in the unit that suits it. */
function duration(us: number): string {
  const [value, unit] = us < 1000 ? [us, 'us'] : us < 1e6 ? [us / 1000, 'ms'] : [us / 1e6, 's'];
  return `${value >= 100 ? Math.round(value) : value.toPrecision(3)} ${unit}`;
}

const times = (ratio: number | undefined): string =>
  ratio === undefined ? '' : `${ratio >= 10 ? Math.round(ratio).toLocaleString('en') : ratio.toPrecision(2)}x`;

/** Every case: what was measured on what, and what was not. */
export function formatReport({ machine, cases, notes }: BenchReport): string {
  const { cpu, cores, memory, node, platform, version, tfjs, tensorflow, onnxruntime, gpu, torch } = machine;
  const programs = [
    `anomalyclr ${version}`,
    `Node.js ${node}`,
    `TensorFlow.js ${tfjs}`,
    ...(tensorflow === undefined ? [] : [`TensorFlow ${tensorflow}`]),
    ...(onnxruntime === undefined ? [] : [`ONNX Runtime ${onnxruntime}`]),
    ...(torch === undefined ? [] : [`PyTorch ${torch}`]),
  ].join(', ');
  const lines = [
    `${cpu}, ${cores} cores, ${Math.round(memory / 2 ** 30)} GiB, ${platform}`,
    ...(gpu === undefined ? [] : [gpu]),
    programs,
  ];
  for (const group of groupBy(cases, ({ name, model }) => JSON.stringify([name, model]))) {
    const { name, model } = group[0];
    lines.push('', `${name}: ${model}`, ...tableOf(group).map(line => `  ${line}`));
  }
  return [...lines, ...(notes.length > 0 ? [''] : []), ...notes].join('\n');
}

function tableOf(group: readonly BenchCase[]): string[] {
  const counts = group[0].events_per_s ? 'events/s' : 'updates/s';
  const heading = ['batch', 'on', counts, 'slowest', 'fastest', 'calls', 'p50', 'p99', 'MB', 'peak', 'of native'];
  const ordered = groupBy(group, ({ batch }) => batch)
    .toSorted((a, b) => a[0].batch - b[0].batch)
    .flat();
  const rows = ordered.map(one => {
    const { median, min, max, runs, latency_us: us } = ratesOf(one);
    const native = group.find(c => c.batch === one.batch && c.engine === 'native' && c.precision === 'f32');
    const share = one.share_of_peak;
    return [
      String(one.batch),
      `${subjectWords(one)}${one.checked ? '' : ' (not checked)'}`,
      rate(median),
      rate(min),
      rate(max),
      String(runs),
      duration(us.p50),
      duration(us.p99),
      String(one.device_mb ?? one.peak_rss_mb),
      share === undefined ? '' : `${(100 * share).toPrecision(2)}%`,
      native && native !== one ? `${Number((median / ratesOf(native).median).toPrecision(2))}` : '',
    ];
  });
  return columns([heading, ...rows], 2);
}

/** How much faster which way is, a line a case; nothing where no two ways were measured. */
export function formatSummary(cases: readonly BenchCase[]): string {
  const lines = summarise(cases);
  if (lines.length === 0) return '';
  const heading = [
    'summary',
    'best pure tfjs',
    'batch',
    'native f32',
    'pure tfjs',
    'native / pure',
    'native kernels in tfjs / pure',
    'bf16 / f32',
  ];
  const rows = lines.map(({ name, model, batch, native, pure, ...ratios }) => [
    lines.filter(line => line.name === name).length > 1 ? `${name} (${model})` : name,
    pure ? `tfjs/${pure.backend}` : '',
    String(batch),
    native ? `${rate(ratesOf(native).median)}/s` : '',
    pure ? `${rate(ratesOf(pure).median)}/s` : '',
    times(ratios.nativeOverPure),
    times(ratios.kernelsOverPure),
    times(ratios.bf16OverF32),
  ]);
  return columns([heading, ...rows], 2).join('\n');
}

const mostTold = 8;

/** A line for each case that both reports have, and those that one of them lacks. */
export function formatComparison({ comparisons, onlyThen, onlyNow }: ComparedReports, file: string): string {
  const name = (one: BenchCase): string => `${one.name}-${one.batch} on ${subjectWords(one)}`;
  const told = (cases: readonly BenchCase[], where: string): string[] => {
    if (cases.length === 0) return [];
    const more = cases.length > mostTold ? ` and ${cases.length - mostTold} more` : '';
    return [`only in ${where}: ${cases.slice(0, mostTold).map(name).join(', ')}${more}`];
  };
  const rows = comparisons.map(({ now, ratio, low, high, verdict }) => [
    name(now),
    now.model,
    ratio.toFixed(3),
    `[${low.toFixed(3)}, ${high.toFixed(3)}]`,
    verdict,
  ]);
  const table = rows.length > 0 ? columns([[`against ${file}`, 'model', 'ratio', '95 %', ''], ...rows], 2) : [];
  return [...table, ...told(onlyThen, file), ...told(onlyNow, 'this run')].join('\n');
}
