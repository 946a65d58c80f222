import type { Quantities } from './augment-quantities.js';

/** chi-square at which a hypothesis is left with probability 1e-4, by degrees of freedom from 1. */
const critical = [15.137, 18.421, 21.108, 23.513, 25.745, 27.856, 29.878, 31.828, 33.72, 35.564, 37.367];

/**
 * Quantities of `sample` that do not pass against the `right` of a golden distribution file, by the tests of the golden
 * folder's README, and how many were compared.
 */
export function compare(sample: Quantities, golden: any): { failed: string[]; compared: number } {
  const failed: string[] = [];
  let compared = 0;
  const check = (name: string, fault: string | undefined) => {
    compared++;
    if (fault !== undefined) failed.push(`${name}: ${fault}`);
  };
  const { continuous, discrete } = golden.right;
  for (const [name, want] of Object.entries<any>(continuous)) {
    const values = sample.continuous.get(name) ?? [];
    check(name, againstQuantiles(values, want, golden.quantile_probabilities, golden.tolerance_factor));
  }
  for (const [name, want] of Object.entries<any>(discrete)) {
    // objects of an event that turn together are no independent draws
    if (golden.tolerance_factor > 1 && name.includes('delta_phi')) continue;
    check(name, againstCounts(sample.discrete.get(name) ?? [], Array.isArray(want[0]) ? want : [want]));
  }
  return { failed, compared };
}

/** Kolmogorov's distance at the tabulated quantiles, each given the width of rounding; or a constant. */
function againstQuantiles(values: number[], want: any, probabilities: number[], factor: number): string | undefined {
  const n = values.length;
  if (n === 0) return 'no values';
  if (want.constant !== undefined) {
    const e = rounding(want.constant);
    const elsewhere = values.filter(x => !(Math.abs(x - want.constant) <= e)).length;
    return elsewhere <= 1e-3 * n ? undefined : `${elsewhere} of ${n} are not ${want.constant}`;
  }
  const sorted = Float64Array.from(values).sort();
  const tolerance = factor * 1.95 * Math.sqrt(1 / n + 1 / want.n);
  for (const [i, p] of probabilities.entries()) {
    const q = want.quantiles[i];
    const e = rounding(q);
    const upTo = lowerBound(sorted, q + e, true) / n;
    const below = lowerBound(sorted, q - e, false) / n;
    if (!(upTo >= p - tolerance && below <= p + tolerance))
      return `F(${q}) is ${below.toFixed(4)}..${upTo.toFixed(4)} of ${n}, not ${p} within ${tolerance.toFixed(4)}`;
  }
  return undefined;
}

function rounding(q: number): number {
  return 1e-5 * Math.max(1, Math.abs(q));
}

/** How many of `sorted` lie below x, or up to and including it. */
function lowerBound(sorted: Float64Array, x: number, inclusive: boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < x || (inclusive && sorted[middle] === x)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Two-sample chi-square, row by row, cells with an expectation below 5 merged. */
function againstCounts(got: number[][], want: number[][]): string | undefined {
  if (got.length !== want.length) return `${got.length} rows, ${want.length} wanted`;
  for (const [r, row] of want.entries()) {
    const [a, b] = [got[r], row].map(counts => counts.reduce((x, y) => x + y, 0));
    if ((a === 0) !== (b === 0)) return `row ${r} has ${a} draws, in the golden file ${b}`;
    if (a === 0) continue;
    const cells = merged(
      got[r].map((count, i): [number, number] => [count, row[i]]),
      a / (a + b),
    );
    const chi2 = cells.reduce((sum, [x, y]) => sum + (x * Math.sqrt(b / a) - y * Math.sqrt(a / b)) ** 2 / (x + y), 0);
    if (cells.length > 1 && !(chi2 < critical[cells.length - 2]))
      return `row ${r}: chi-square ${chi2.toFixed(1)} with ${cells.length - 1} degrees of freedom (${got[r].join()} and ${row.join()})`;
  }
  return undefined;
}

/** Pairs of counts, the rarest pooled until each expects 5 or more draws of ours, which are the `share` of all. */
function merged(cells: [number, number][], share: number): [number, number][] {
  const rest = cells.filter(([x, y]) => x + y > 0).sort((p, q) => p[0] + p[1] - q[0] - q[1]);
  while (rest.length > 1 && share * (rest[0][0] + rest[0][1]) < 5) {
    const [rarest, next] = rest.splice(0, 2);
    rest.push([rarest[0] + next[0], rarest[1] + next[1]]);
    rest.sort((p, q) => p[0] + p[1] - q[0] - q[1]);
  }
  return rest;
}
