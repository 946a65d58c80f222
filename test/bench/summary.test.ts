import { summarise } from '../../bench/summary.js';
import { formatReport, formatSummary } from '../../bench/table.js';
import { caseOf, reportOf, tfjs } from './report.js';

const at = (us: number, given = {}) => caseOf([us, us, us], given);
const cases = [
  at(100),
  at(50, { precision: 'bf16' }),
  at(800, tfjs('node', 'native')),
  at(1600, tfjs('node', 'pure')),
  at(2000, tfjs('wasm', 'native')),
  at(6400, tfjs('wasm', 'pure')),
];

test('native over the fastest pure TensorFlow.js, native kernels on that backend, bfloat16', () => {
  const [line, ...more] = summarise(cases);
  expect(more).toEqual([]);
  expect(line).toMatchObject({ name: 'score', batch: 512, native: cases[0], pure: cases[3] });
  expect([line.nativeOverPure, line.kernelsOverPure, line.bf16OverF32].map(Math.round as any)).toEqual([16, 2, 2]);
});

test('a case is judged at the batch nearest to 512 of those where most was measured', () => {
  const sizes = [16, 2048, 4096].flatMap(batch => cases.map(one => at(1, { ...one, events_per_s: undefined, batch })));
  const rated = sizes.map(one =>
    at(
      one.batch,
      one.engine === 'native'
        ? { ...one, events_per_s: at(1).events_per_s }
        : { ...one, events_per_s: at(2).events_per_s },
    ),
  );
  expect(summarise([...rated, at(5)])[0].batch).toBe(2048);
  expect(summarise([at(1), at(1, { batch: 16 })])).toEqual([]);
});

test('what was not measured stays empty', () => {
  const [line] = summarise(cases.slice(0, 2));
  expect(line).toMatchObject({ pure: undefined, nativeOverPure: undefined, kernelsOverPure: undefined });
  expect(formatSummary(cases.slice(0, 1))).toBe('');
  expect(formatSummary(cases)).toMatch(/\nscore +tfjs\/node +512 +5,120,000\/s +320,000\/s +16x +2\.0x +2\.0x$/);
});

test('the table has a case under its heading, batch by batch, and says what was not checked or left out', () => {
  const report = reportOf(at(400, { batch: 2048 }), ...cases, at(3, { name: 'adam', batch: 1, checked: false }));
  const text = formatReport({ ...report, notes: ['left out tfjs/node-gpu pure: is not installed'] });
  expect(text).toMatch(
    /^a processor, 2 cores, 16 GiB, linux x64\nanomalyclr 0\.1\.0, Node\.js 20\.19\.0, TensorFlow\.js /,
  );
  expect(text).toMatch(/\n\nscore: width 160\n +batch +on +events\/s +slowest .*\n +512 +native f32 +5,120,000 /);
  expect(text.indexOf('2048')).toBeGreaterThan(text.indexOf('tfjs/wasm pure'));
  expect(text).toMatch(/tfjs\/node pure +320,000 .* 0\.063\n/);
  expect(text).toMatch(/\n +1 +native f32 \(not checked\) /);
  expect(text.endsWith('\n\nleft out tfjs/node-gpu pure: is not installed')).toBe(true);
});
