import type { Style } from '../src/report/palette.js';
import { number } from '../src/report/html.js';
import { groupBy } from './group.js';
import { ratesOf, subjectWords, type BenchCase } from './report-types.js';
import { summarise, type SummaryLine } from './summary.js';

/** All measurements of one case: of one name on one model. */
export interface CaseFigures {
  readonly name: string;
  readonly model: string;
  /** What its throughput counts. */
  readonly unit: 'events/s' | 'updates/s';
  readonly all: readonly BenchCase[];
  /** The batch at which ways to compute are compared, and what was measured there. */
  readonly batch: number;
  readonly compared: readonly BenchCase[];
  /** What they are compared with: the best pure TensorFlow.js, else the native engine, else the first. */
  readonly base: BenchCase;
  /** Where it was measured on two ways that the summary tells of. */
  readonly summary: SummaryLine | undefined;
}

/** The cases of a report in their order, each at the batch that the printed summary takes. */
export function figuresOf(cases: readonly BenchCase[]): CaseFigures[] {
  const lines = summarise(cases);
  return groupBy(cases, ({ name, model }) => JSON.stringify([name, model])).map(all => {
    const { name, model, events_per_s } = all[0];
    const summary = lines.find(line => line.name === name && line.model === model);
    const widest = groupBy(all, ({ batch }) => batch).toSorted((a, b) => b.length - a.length)[0];
    const batch = summary?.batch ?? widest[0].batch;
    const compared = all.filter(one => one.batch === batch);
    const native = compared.find(isNative);
    const base = summary?.pure ?? native ?? compared[0];
    return { name, model, unit: events_per_s ? 'events/s' : 'updates/s', all, batch, compared, base, summary };
  });
}

export const isNative = ({ engine, precision }: BenchCase): boolean => engine === 'native' && precision === 'f32';
export const isPure = ({ engine, kernels }: BenchCase): boolean => engine === 'tfjs' && kernels === 'pure';
export const medianOf = (one: BenchCase): number => ratesOf(one).median;

/** Throughput over that of the fastest pure TensorFlow.js backend on the same case and batch; undefined without one. */
export function overPure(one: BenchCase, all: readonly BenchCase[]): number | undefined {
  const rates = all.filter(other => isPure(other) && other.batch === one.batch).map(medianOf);
  return rates.length > 0 ? medianOf(one) / Math.max(...rates) : undefined;
}

/** Colour says who computes, the dash which backend carries it; the same wherever a subject appears. */
export function subjectStyle(one: BenchCase): Style {
  if (one.engine === 'native')
    return {
      colour: one.precision === 'f32' ? 'blue' : 'indigo',
      dash: one.precision === 'f32' ? [] : [7, 3],
      width: 2.75,
    };
  if (one.engine === 'onnxruntime') return { colour: 'purple', dash: [4, 3], width: 1.75 };
  if (one.engine === 'cuda') return { colour: 'green', dash: one.precision === 'f32' ? [] : [7, 3], width: 2.75 };
  if (one.engine === 'torch') return { colour: 'orange', dash: one.backend === 'eager' ? [2, 2] : [], width: 1.75 };
  const dash = { 'node-gpu': [12, 4], node: [], wasm: [7, 3] }[one.backend] ?? [2, 2];
  return { colour: one.kernels === 'native' ? 'green' : 'orange', dash, width: 1.75 };
}

/** 37×, in two digits, or three from 100 on. */
export const times = (ratio: number | undefined): string =>
  ratio === undefined ? '–' : `${number(ratio, ratio < 100 ? 2 : 3)}\u00d7`;

/** A throughput in three digits. */
export const rate = (one: BenchCase): string => number(Number(medianOf(one).toPrecision(3)));

/** A time in the unit that suits it. */
export function duration(us: number): string {
  const [value, unit] = us < 1000 ? [us, 'µs'] : us < 1e6 ? [us / 1000, 'ms'] : [us / 1e6, 's'];
  return `${number(value)}\u00a0${unit}`;
}

/** `tfjs/wasm pure` as a reader who has not seen the command says it. */
export function spoken(one: BenchCase): string {
  if (one.engine === 'native') return `native ${one.precision}`;
  if (one.engine === 'onnxruntime') return 'ONNX Runtime';
  if (one.engine === 'cuda') return `native ${one.precision} on the GPU`;
  if (one.engine === 'torch') return `PyTorch ${one.backend} ${one.precision} on the GPU`;
  const backend = `TensorFlow.js ${one.backend}`;
  return one.kernels === 'native' ? `${backend} with native kernels` : `pure ${backend}`;
}

/** Each subject once, in the order of the cases, with its style: the items of a legend. */
export const subjectsIn = (cases: readonly BenchCase[]): { label: string; style: Style }[] =>
  groupBy(cases, subjectWords).map(([one]) => ({ label: subjectWords(one), style: subjectStyle(one) }));
