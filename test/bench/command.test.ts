import { readFileSync, writeFileSync } from 'node:fs';
import { benchReportSchema, ratesOf, subjectWords } from '../../bench/report-types.js';
import { parseOptions } from '../../src/config/parse.js';
import { UsageError } from '../../src/errors.js';
import { anomalyclr } from '../cli/in-process.js';
import { temporaryFolder } from '../read/craft.js';

const at = temporaryFolder();
const adam = ['bench', '--filter', 'adam', '--seconds', '0.05', '--threads', '1'];

test('options have their defaults and ranges', () => {
  expect(parseOptions('bench', {})).toMatchObject({ full: false, seconds: 1, json: false, limit: 10, threads: 0 });
  expect(parseOptions('bench', { limit: '2.5', json: 'a.json' })).toMatchObject({ limit: 2.5, json: 'a.json' });
  for (const wrong of [{ seconds: '0' }, { limit: '101' }, { compare: '' }, { peer: 'x' }])
    expect(() => parseOptions('bench', wrong)).toThrow(UsageError);
});

test('cases are checked, timed, printed, written as JSON and as a page; an older report that was faster fails the run', async () => {
  const first = await anomalyclr(...adam, '--json', at('a.json'), '--html', at('a.html'));
  expect(first).toMatchObject({ code: 0 });
  expect(first.stdout).toMatch(/\nadam: 673,600 weights\n +batch +on +updates\/s .*\n +1 +native f32 +[\d,.]+ /);
  expect(first.stdout).toMatch(/\nsummary .*\nadam +tfjs\/\w+ +1 +[\d,.]+\/s +[\d,.]+\/s +[\d,.]+x\n$/);
  expect(readFileSync(at('a.html'), 'utf8')).toMatch(/^<!doctype html>[^]*<\/html>\s*$/i);

  const report = benchReportSchema.parse(JSON.parse(readFileSync(at('a.json'), 'utf8')));
  expect(report.cases.map(subjectWords)).toEqual(expect.arrayContaining(['native f32', 'tfjs/wasm pure']));
  expect(report.machine.node).toBe(process.versions.node);
  for (const one of report.cases) {
    expect(one).toMatchObject({ name: 'adam', batch: 1, precision: 'f32', threads: 1, checked: true });
    expect(one.events_per_s).toBeUndefined();
    expect(ratesOf(one).runs).toBeGreaterThanOrEqual(5);
    expect(one.peak_rss_mb).toBeGreaterThan(50);
  }

  for (const one of report.cases) one.ops_per_s!.call_us = [1, 1, 1];
  writeFileSync(at('fast.json'), JSON.stringify(report));
  const second = await anomalyclr(...adam, '--compare', at('fast.json'));
  expect(second.code).toBe(1);
  expect(second.stdout).toMatch(/\nagainst .*fast\.json +model +ratio .*\nadam-1 on native f32 .* regressed\n/);
  expect(second.stderr).toMatch(/\nanomalyclr: slower than in .*fast\.json by more than 10 %: \d of \d cases\n$/);
});

test('--json without a file prints nothing else', async () => {
  const { code, stdout } = await anomalyclr(...adam, '--filter', 'augment-1 native', '--json');
  expect(code).toBe(0);
  const { cases } = benchReportSchema.parse(JSON.parse(stdout));
  expect(cases.map(({ name, batch, engine }) => [name, batch, engine])).toEqual([
    ['augment', 1, 'native'],
    ['augment', 1, 'native'],
  ]);
});

test.each([
  [['--filter', 'nonesuch'], 2, /^anomalyclr: --filter nonesuch: no such case; there are train-step, score, /],
  [['--filter', 'adam', '--compare', 'none.json'], 1, /^anomalyclr: none\.json: no such file\n$/],
  [['--json', 'no/such/folder/a.json'], 1, /^anomalyclr: no\/such\/folder\/a\.json: its folder does not exist/],
])('%j: one line, before any work', async (args, code, message) => {
  const { stdout, stderr, ...rest } = await anomalyclr('bench', ...args);
  expect({ stdout, ...rest }).toEqual({ stdout: '', code });
  expect(stderr).toMatch(message);
  expect(stderr.trimEnd()).not.toContain('\n');
});
