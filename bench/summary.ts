import { groupBy } from './group.js';
import { ratesOf, type BenchCase } from './report-types.js';

/** How the ways to compute one case compare, at one batch. Ratios of medians, undefined where a side was not measured. */
export interface SummaryLine {
  readonly name: string;
  readonly model: string;
  readonly batch: number;
  readonly native?: BenchCase | undefined;
  /** The fastest TensorFlow.js backend with pure kernels. */
  readonly pure?: BenchCase | undefined;
  readonly nativeOverPure?: number | undefined;
  /** Native kernels in TensorFlow.js over pure ones, on the backend of `pure`. */
  readonly kernelsOverPure?: number | undefined;
  readonly bf16OverF32?: number | undefined;
}

/** Where a case has several batches, it is judged at the one nearest to this that most can be compared at. */
const reference = 512;

/** A line for each case of which at least two ways to compute were measured, in their order. */
export function summarise(cases: readonly BenchCase[]): SummaryLine[] {
  return groupBy(cases, ({ name, model }) => JSON.stringify([name, model])).flatMap(group => {
    const lines = groupBy(group, ({ batch }) => batch).map(lineOf);
    const known = (line: SummaryLine): number =>
      [line.nativeOverPure, line.kernelsOverPure, line.bf16OverF32].filter(ratio => ratio !== undefined).length;
    const far = ({ batch }: SummaryLine): number => Math.abs(Math.log(batch / reference));
    const [best] = lines.toSorted((a, b) => known(b) - known(a) || far(a) - far(b));
    return known(best) > 0 ? [best] : [];
  });
}

function lineOf(cases: readonly BenchCase[]): SummaryLine {
  const { name, model, batch } = cases[0];
  const rate = (c: BenchCase | undefined): number | undefined => c && ratesOf(c).median;
  const over = (a: BenchCase | undefined, b: BenchCase | undefined): number | undefined =>
    a && b && ratesOf(a).median / ratesOf(b).median;
  const inNative = (precision: string) => cases.find(c => c.engine === 'native' && c.precision === precision);
  const inTfjs = (kernels: string) => cases.filter(c => c.engine === 'tfjs' && c.kernels === kernels);
  const native = inNative('f32');
  const pure = inTfjs('pure').toSorted((a, b) => rate(b)! - rate(a)!)[0] as BenchCase | undefined;
  return {
    name,
    model,
    batch,
    native,
    pure,
    nativeOverPure: over(native, pure),
    kernelsOverPure: over(
      inTfjs('native').find(c => c.backend === pure?.backend),
      pure,
    ),
    bf16OverF32: over(inNative('bf16'), native),
  };
}
