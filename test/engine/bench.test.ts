import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { agree, time } from '../../bench/case.js';
import { cases } from '../../bench/cases.js';
import { packageRoot } from '../../src/addon.js';
import { AnomalyClrError } from '../../src/errors.js';
import { temporaryFolder } from '../read/craft.js';

const at = temporaryFolder();

function bench(...args: string[]) {
  const run = [path.join(packageRoot(), 'node_modules/tsx/dist/cli.mjs'), path.join(packageRoot(), 'bench/run.ts')];
  const env = { ...process.env, NODE_OPTIONS: '' };
  return spawnSync(process.execPath, [...run, ...args], { encoding: 'utf8', env });
}

test('the cases of the contract are there', () => {
  const sizes = (name: string) => cases().flatMap(one => (one.name === name ? [one.batch] : []));
  expect(sizes('train-step')).toEqual([128, 512, 2048, 4096, 128, 512, 2048, 512, 512]);
  expect(sizes('augment')).toHaveLength(2);
  for (const loss of ['clr', 'ntxent', 'anomclr+']) expect(sizes(`loss-${loss}`)).toEqual([512, 4096]);
  expect(sizes('loss-anomclr')).toEqual([512, 4096, 65_536]);
  expect([sizes('score'), sizes('score-one'), sizes('score-files')]).toEqual([[4096, 4096], [1], [32_768, 32_768]]);
});

test('a case is checked, timed, printed and written, with a peer beside it', () => {
  const peer = `"${process.execPath}" -p "[1,2].join()"`;
  const { status, stdout, stderr } = bench(
    '--filter',
    'augment',
    '--threads',
    '1',
    '--json',
    at('b.json'),
    '--peer',
    peer,
  );
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/\naugment +4096 +\d+ .*\nall checked; \w+, 1 threads\n/);
  expect(stdout.trimEnd().endsWith('\n1,2')).toBe(true);
  const { machine, cases: measured } = JSON.parse(readFileSync(at('b.json'), 'utf8'));
  expect(machine).toMatchObject({ cores: expect.any(Number), node: process.versions.node });
  expect(measured).toEqual(
    ['default', 'peer'].map(recipe => ({
      name: 'augment',
      model: expect.stringContaining(recipe),
      engine: 'native',
      backend: expect.stringMatching(/^\w+$/),
      precision: 'f32',
      batch: 4096,
      threads: 1,
      events_per_s: {
        median: expect.any(Number),
        min: expect.any(Number),
        max: expect.any(Number),
        runs: expect.any(Number),
      },
      peak_rss_mb: expect.any(Number),
      checked: true,
    })),
  );
  const { median, min, max, runs } = measured[0].events_per_s;
  expect(min).toBeLessThanOrEqual(median);
  expect(median).toBeLessThanOrEqual(max);
  expect(runs).toBeGreaterThanOrEqual(5);
});

test('a case of one event has its latency beside its rate', async () => {
  const { median, latency_us: us } = await time(() => Promise.resolve(), 1);
  expect(us!.p50).toBeCloseTo(1e6 / median, 6);
  expect(us!.p99).toBeGreaterThanOrEqual(us!.p50);
  expect((await time(() => Promise.resolve(), 2)).latency_us).toBeUndefined();
});

test('a check lets pass what is close, and nothing else', () => {
  agree('x', [1, 100.0005], [1, 100], 1e-5);
  agree('x', [1e-6], [0], 1e-5, 1);
  const refused: [number[], number[]][] = [
    [
      [1, 100.002],
      [1, 100],
    ],
    [[1], [1, 100]],
    [[NaN], [1]],
    [[1], [NaN]],
    [[Infinity], [1]],
    [[1e-6], [0]],
  ];
  for (const [got, want] of refused) expect(() => agree('x', got, want, 1e-5)).toThrow(AnomalyClrError);
});

test.each([
  [['--filter', 'nonesuch'], 2, /--filter nonesuch: no such case; there are train-step, augment, /],
  [['--jason', 'x'], 2, /Unknown option '--jason'/],
])('%j: one line', (args, code, message) => {
  const { status, stdout, stderr } = bench(...args);
  expect({ status, stdout }).toEqual({ status: code, stdout: '' });
  expect(stderr).toMatch(/^bench: [^\n]*\n$/);
  expect(stderr).toMatch(message);
});
