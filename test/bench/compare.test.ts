import { compareReports } from '../../bench/compare.js';
import { benchReportSchema } from '../../bench/report-types.js';
import { formatComparison } from '../../bench/table.js';
import { Draws } from '../../src/events/philox.js';
import { caseOf, reportOf, tfjs } from './report.js';

const settings = { limit: 0.1, seed: 1 };
const draws = new Draws(7, 0, 0, 0);
/** Call times about `middle`, a tenth up and down. */
const calls = (middle: number, count = 100): number[] =>
  Array.from({ length: count }, () => middle * (0.9 + 0.2 * draws.uniform()));

/** The one comparison of calls then with calls now. */
const compare = (then: number[], now: number[], given = settings) =>
  compareReports(reportOf(caseOf(then)), reportOf(caseOf(now)), given).comparisons[0];

test.each([
  [1000, 1000, 'unchanged'],
  [1000, 1050, 'slower'],
  [1000, 1500, 'regressed'],
  [1000, 700, 'faster'],
])('calls of %d us, then of %d us: %s', (then, now, verdict) => {
  const found = compare(calls(then), calls(now));
  expect(found.verdict).toBe(verdict);
  expect(found.low).toBeLessThanOrEqual(found.ratio);
  expect(found.ratio).toBeLessThanOrEqual(found.high);
  expect(found.ratio).toBeCloseTo(then / now, 1);
});

test('a case is held to have regressed only where its whole interval lies past the limit', () => {
  const scattered = Array.from({ length: 9 }, (_, i) => 500 + 250 * i); // median 1,500
  const found = compare(Array<number>(9).fill(1000), scattered);
  expect(found.ratio).toBeLessThan(0.9);
  expect(found.high).toBeGreaterThan(0.9);
  expect(found.verdict).not.toBe('regressed');
  expect(compare(calls(1000), calls(1500), { limit: 0.5, seed: 1 }).verdict).toBe('slower');
});

test('the interval is that of the seed, and wider where neighbours are slow together', () => {
  const [then, now] = [calls(1000), calls(1000)];
  expect(compare(then, now)).toEqual(compare(then, now));
  const halves = [...calls(900, 50), ...calls(1100, 50)];
  const mixed = halves.map((_, i) => halves[(i * 37) % 100]);
  const width = (values: number[]): number => {
    const { low, high } = compare(values, calls(1000, 400));
    return high - low;
  };
  expect(width(halves)).toBeGreaterThan(width(mixed));
});

test('equal reports are unchanged, ratio 1', () => {
  const report = reportOf(caseOf(calls(1000)), caseOf([2e6, 2.1e6]));
  for (const { ratio, verdict } of compareReports(report, report, settings).comparisons)
    expect({ ratio, verdict }).toEqual({ ratio: 1, verdict: 'unchanged' });
});

test('a report without call times is compared by its median, slowest and fastest', () => {
  const old = caseOf([900, 1000, 1100]);
  delete (old.events_per_s as { call_us?: number[] }).call_us;
  const [found] = compareReports(reportOf(old), reportOf(caseOf(calls(2000))), settings).comparisons;
  expect(found.verdict).toBe('regressed');
  expect(found.high).toBeLessThan(0.7);
});

test('a case without figures, or with both kinds, is refused', () => {
  const good = caseOf([1000]);
  expect(benchReportSchema.safeParse(reportOf(good)).success).toBe(true);
  for (const given of [{ events_per_s: undefined }, { ops_per_s: good.events_per_s }]) {
    const { error } = benchReportSchema.safeParse(reportOf({ ...good, ...given }));
    expect(error?.issues[0].message).toBe('expected one of events_per_s and ops_per_s');
  }
});

test('cases are matched by all that makes them, and the rest is told', () => {
  const one = caseOf([1000]);
  const others = [
    caseOf([1000], { batch: 16 }),
    caseOf([1000], { threads: 1 }),
    caseOf([1000], { precision: 'bf16' }),
    caseOf([1000], { backend: 'avx2' }),
    caseOf([1000], { model: 'width 64' }),
    caseOf([1000], tfjs('wasm', 'pure')),
    caseOf([1000], tfjs('wasm', 'native')),
  ];
  const compared = compareReports(reportOf(one, ...others), reportOf(one, caseOf([1], { name: 'adam' })), settings);
  expect(compared.comparisons.map(({ now }) => now)).toEqual([one]);
  expect(compared.onlyThen).toEqual(others);
  const text = formatComparison(compared, 'old.json');
  expect(text).toMatch(/score-512 on native f32 .* 1\.000 .* unchanged\nonly in old\.json: score-16 on native f32, /);
  expect(text).toMatch(/score-512 on tfjs\/wasm native\nonly in this run: adam-512 on native f32$/);
});

test('of many cases that one report lacks the first few are named', () => {
  const many = Array.from({ length: 30 }, (_, i) => caseOf([1], { batch: i + 1 }));
  const text = formatComparison(compareReports(reportOf(...many), reportOf(), settings), 'old.json');
  expect(text).toMatch(/^only in old\.json: score-1 on native f32, .*score-8 on native f32 and 22 more$/);
});

test('the reports of these tests are what the schema takes', () => {
  expect(benchReportSchema.parse(reportOf(caseOf([1], tfjs('node', 'pure'))))).toBeDefined();
});
