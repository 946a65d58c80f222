import { copyFileSync, existsSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { evaluationSchema, type Evaluation } from '../../src/evaluate/evaluation.js';
import { auc } from '../../src/evaluate/auc.js';
import { roc } from '../../src/evaluate/roc.js';
import { readAll, writeEvents } from '../../src/read/index.js';
import { readScores } from '../../src/score/read-scores.js';
import { temporaryFolder } from '../read/craft.js';
import { cli, sample, smallTraining, start } from '../support/cli.js';
import { anomalyclr } from './in-process.js';

const at = temporaryFolder();
const names = ['Ato4l', 'leptoquark'];
const events = { background_test: 2000, Ato4l: 500, leptoquark: 400 };
const model = at('run');
const given = ['evaluate', '--model', model, '--background', at('background_test.h5'), '--quiet'];
const signals = names.flatMap(name => ['--signal', `${name}=${at(`${name}.h5`)}`]);
let figures: Evaluation;

beforeAll(async () => {
  for (const [name, maxEvents] of Object.entries(events)) {
    const { batch } = await readAll([sample(name)], { onBadEvent: 'fail', maxEvents });
    await writeEvents(at(`${name}.h5`), [batch]);
  }
  const trained = await cli(['train', ...smallTraining, '--seeds', '2', '--seed', '3', '--out', model]);
  expect([trained.code, trained.stderr]).toEqual([0, '']);
  const { code, stderr } = await cli([
    ...given,
    ...signals,
    '--json',
    at('evaluation.json'),
    '--report',
    at('report.html'),
  ]);
  expect([code, stderr]).toEqual([0, '']);
  figures = JSON.parse(readFileSync(at('evaluation.json'), 'utf8'));
});

test('the JSON has every method, seed, signal and figure of the contract', () => {
  expect(evaluationSchema.parse(figures)).toEqual(figures);
  expect(figures.background).toEqual({ events: 2000 });
  const cuts = ['leading-pt', 'ht', 'met', 'multiplicity'];
  expect(Object.keys(figures.methods).toSorted()).toEqual(
    ['anomclr', 'raw-autoencoder', 'raw-autoencoder-log', 'untrained-encoder', ...cuts].toSorted(),
  );
  for (const [method, { seeds, signals: of }] of Object.entries(figures.methods)) {
    expect([method, seeds]).toEqual([method, cuts.includes(method) ? [3] : [3, 4]]);
    expect(Object.keys(of)).toEqual(names);
    for (const name of names) {
      const { events: count, auc: area, ...rest } = of[name];
      expect(count).toBe(events[name as keyof typeof events]);
      expect(area!.low).toBeLessThan(area!.value);
      expect(area!.value).toBeLessThan(area!.high);
      expect(Object.keys(rest)).toEqual(['rejection_at_eff_0.3', 'efficiency_at_fpr', 'sic_at_fpr']);
      expect(Object.keys(rest.efficiency_at_fpr)).toEqual(['1e-2', '1e-3', '1e-4', '1e-5']);
      const at2 = rest.efficiency_at_fpr['1e-2']!;
      expect(rest.sic_at_fpr['1e-2']!.value).toBeCloseTo(at2.value * 10, 9);
      expect(rest.efficiency_at_fpr['1e-5']).toBeNull(); // 2,000 background events say nothing of it
    }
  }
});

test('the AUC of the run is the mean over its seeds of that of the scores that `score` gives', async () => {
  const areas: number[] = [];
  for (const run of [model, path.join(model, 'seed-4')]) {
    const scores: Float32Array[] = [];
    for (const name of ['background_test', 'Ato4l']) {
      const out = at(`${path.basename(run)}-${name}.h5`);
      const { code } = await cli(['score', '--model', run, '--data', at(`${name}.h5`), '--out', out, '--quiet']);
      expect(code).toBe(0);
      scores.push((await readScores(out)).score);
    }
    areas.push(auc(roc(scores[0], scores[1])));
  }
  expect(areas[0]).not.toBe(areas[1]);
  expect(figures.methods['anomclr'].signals['Ato4l'].auc!.value).toBeCloseTo((areas[0] + areas[1]) / 2, 6);
});

test('the report is one page that loads nothing, with every signal and method', () => {
  const html = readFileSync(at('report.html'), 'utf8');
  expect(html).toMatch(/^<!doctype html>[^]*<\/html>\s*$/i);
  for (const text of [...names, 'untrained', 'anomclr']) expect(html).toContain(text);
  expect(html).not.toMatch(/(?:src|href)="https?:/);
});

test('printed, the JSON is the same, also of a run that was moved and on one thread', async () => {
  renameSync(model, at('moved'));
  const printed = await anomalyclr(...given, ...signals, '--model', at('moved'), '--threads', '1', '--json');
  renameSync(at('moved'), model);
  expect([printed.code, printed.stderr]).toEqual([0, '']);
  expect(JSON.parse(printed.stdout)).toEqual(figures);
});

const shard = (of: string, ...more: string[]) => anomalyclr(...given, ...signals, '--shard', of, ...more);

test('shards of batch jobs, merged: the same JSON and the same report but for the clock', async () => {
  for (const i of [1, 2, 3]) {
    const got = await shard(`${i}/3`, '--out', at(`part-${i}`), '--threads', String(1 + (i % 2)));
    expect(got).toEqual({ code: 0, stdout: '', stderr: '' });
  }
  const merged = ['--json', at('merged.json'), '--report', at('merged.html'), '--quiet'];
  const got = await anomalyclr('merge', at('part-*'), ...merged);
  expect([got.code, got.stderr]).toEqual([0, '']);
  expect(readFileSync(at('merged.json'), 'utf8')).toBe(readFileSync(at('evaluation.json'), 'utf8'));
  const whole = await anomalyclr(...given, ...signals, '--report', at('whole.html'));
  expect(whole.stdout).toBe(got.stdout);
  const [a, b] = ['merged.html', 'whole.html'].map(file =>
    readFileSync(at(file), 'utf8').replace(/[\d\s]+events\/s/g, ''),
  );
  expect(a).toBe(b);
  for (const [args, code, message] of [
    [['merge', at('part-1'), at('part-3')], 1, /1 of 3 shards are missing: 2\/3/],
    [['merge', at('part-1'), at('evaluation.json')], 2, /part-1 is a folder and .*evaluation\.json is none/],
    [['merge', at('part-*'), '--out', at('x.h5')], 2, /--out: is of merged scores/],
  ] as const) {
    const refused = await anomalyclr(...args);
    expect([refused.code, refused.stdout]).toEqual([code, '']);
    expect(refused.stderr).toMatch(message);
  }
});

test('a shard that is killed leaves nothing under its name, and the next one removes what it left', async () => {
  const temporary = () => readdirSync(at('')).filter(name => name.startsWith('killed.'));
  const long = Array.from({ length: 12 }, (_, i) => at(`long-${i}.h5`));
  for (const copy of long) copyFileSync(sample('background_train'), copy);
  const args = ['--shard', '1/1', '--out', at('killed')];
  const { child, finished } = start([...given, ...signals, ...args, '--background', ...long]);
  const found = await waitFor(temporary);
  expect(found).toMatch(/^killed\.\d+-[0-9a-f]{12}\.tmp$/);
  child.kill('SIGKILL');
  expect((await finished).signal).toBe('SIGKILL');
  expect(existsSync(at('killed'))).toBe(false);
  expect(temporary()).toEqual([found]);
  // a job that batch systems do twice takes the place of the first
  for (let time = 0; time < 2; time++) expect((await shard('1/2', '--out', at('killed'))).code).toBe(0);
  expect(temporary()).toEqual([]);
  expect(existsSync(at('killed/manifest.json'))).toBe(true);
});

async function waitFor(names: () => string[]): Promise<string> {
  for (let tries = 0; tries < 600; tries++) {
    const [name] = names();
    if (name !== undefined && readdirSync(at(name)).some(file => file.startsWith('scores-'))) return name;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error('the shard was not begun');
}

test.each<[string[], RegExp]>([
  [['--out', '@x'], /--out: is the folder of a part; it goes with --shard/],
  [['--shard', '1/2'], /--shard needs --out/],
  [['--shard', '3/2', '--out', '@x'], /there is no shard 3 of 2/],
  [['--shard', 'auto', '--out', '@x'], /--shard auto: this is no job/],
  [['--shard', '1/2', '--out', '@x', '--json'], /--json: a shard has no figures; .* merge/],
  [['--shard', '1/2', '--out', '@x', '--report', '@r.html'], /--report: a shard has no figures; .* merge/],
])('%j is refused', async (args, message) => {
  const got = await anomalyclr(...given, ...signals, ...args.map(arg => arg.replace('@', `${at('')}/`)));
  expect({ code: got.code, stdout: got.stdout }).toEqual({ code: 2, stdout: '' });
  expect(got.stderr).toMatch(message);
});

test('a run without comparators is evaluated beside the cuts, and printed as a table', async () => {
  rmSync(path.join(model, 'comparators'), { recursive: true });
  rmSync(path.join(model, 'seed-4'), { recursive: true });
  const { code, stdout, stderr } = await anomalyclr(...given, ...signals);
  expect([code, stderr]).toEqual([0, '']);
  for (const text of [...names, 'anomclr', 'multiplicity', 'AUC']) expect(stdout).toContain(text);
  expect(stdout).not.toContain('raw-autoencoder');
});

test.each<[string, string[], number, RegExp]>([
  ['no such signal', ['--signal', 'x=@gone.h5'], 1, /gone\.h5: no such file/],
  ['a signal without a name', ['--signal', 'gone.h5'], 2, /--signal: got \["gone\.h5"\], allowed: NAME=FILE/],
  ['two signals of one name', ['--signal', 'x=a', 'x=b'], 2, /--signal: two files under one name/],
  [
    'a signal called background',
    ['--signal', 'background=@Ato4l.h5'],
    1,
    /background=\.\.\.: each signal needs a name/,
  ],
  ['no run', [...signals, '--model', '@gone'], 1, /gone: (not a run|no such)/],
  ['no folder for the report', [...signals, '--report', '@no/r.html'], 1, /no\/r\.html: its folder does not exist/],
  ['no signal', [], 2, /evaluate needs --signal/],
])('%s: one line and the right exit code', async (_, args, code, message) => {
  const got = await anomalyclr(...given, ...args.map(arg => arg.replace('@', `${at('')}/`)));
  expect({ code: got.code, stdout: got.stdout }).toEqual({ code, stdout: '' });
  expect(got.stderr).toMatch(/^anomalyclr: [^\n]*\n$/);
  expect(got.stderr).toMatch(message);
});
