import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { studyFileSchema } from '../../src/scan/study-file.js';
import { temporaryFolder } from '../read/craft.js';
import { cli, sample, smallTraining, start } from '../support/cli.js';
import { anomalyclr } from './in-process.js';

const at = temporaryFolder();
const files = ['--test', sample('hToTauTau'), '--signal', `leptoquark=${sample('leptoquark')}`];
const training = [...smallTraining.filter(one => one !== '--quiet'), '--epochs', '12', '--no-cache'];
const comparison = [
  'scan',
  'comparison',
  '--detector',
  'autoencoder',
  ...training,
  ...files,
  '--seeds',
  '1',
  '--jobs',
  '1',
];

/** The run of a loss, once it can be gone on with. */
async function checkpointOf(out: string, loss: string): Promise<string> {
  for (;;) {
    const runs = existsSync(path.join(out, 'runs')) ? readdirSync(path.join(out, 'runs')) : [];
    const run = runs.find(name => name.startsWith(`${loss}-s1-`) && !name.endsWith('.tmp'));
    const folder = path.join(out, 'runs', run ?? 'none', 'checkpoint');
    if (existsSync(folder) && readdirSync(folder).some(name => !name.endsWith('.tmp'))) return folder;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

/** The process that holds a run of a loss. */
function processAt(out: string, loss: string): number {
  const held = readdirSync(path.join(out, 'runs')).map(name =>
    new RegExp(String.raw`^${loss}-s1-\w+\.(\d+)-\w+\.tmp$`).exec(name),
  );
  return Number(held.find(match => match !== null)?.[1]);
}

/** All scores of a study, by the trial's name and the file's. */
function scoresIn(out: string): Record<string, string> {
  const folder = path.join(out, 'trials');
  const of = (trial: string) => readdirSync(path.join(folder, trial)).filter(name => name.endsWith('.f32'));
  const hex = (...names: string[]) => readFileSync(path.join(folder, ...names)).toString('base64');
  return Object.fromEntries(
    readdirSync(folder).flatMap(trial => of(trial).map(name => [`${trial}/${name}`, hex(trial, name)])),
  );
}

test('a study that was stopped, and one of whose trials was killed, ends as if nothing had been', async () => {
  const out = at('interrupted');
  const first = start([...comparison, '--out', out]);
  const begun = path.dirname(await checkpointOf(out, 'clr'));
  const since = statSync(path.join(begun, 'config.json')).mtimeMs;
  first.child.kill('SIGTERM');
  const stopped = await first.finished;
  expect([stopped.code, stopped.stderr]).toEqual([
    0,
    expect.stringContaining('stopped with 3 trials to go; the same command goes on'),
  ]);
  expect(existsSync(path.join(out, 'comparison.json'))).toBe(false);

  const second = start([...comparison, '--out', out]);
  await checkpointOf(out, 'anomclr');
  process.kill(processAt(out, 'anomclr'), 'SIGKILL');
  const killed = await second.finished;
  expect(killed.code).toBe(1);
  expect(killed.stderr).toContain('anomclr, seed 1: its process was ended by SIGKILL\n');
  expect(killed.stderr).toMatch(
    /1 trials? failed: anomclr \(seed 1\); its process was ended by SIGKILL; the same command tries again/,
  );
  expect(killed.stdout).toContain('**Missing:** anomclr, seed 1: its process was ended by SIGKILL');
  const partly = studyFileSchema.parse(JSON.parse(readFileSync(path.join(out, 'comparison.json'), 'utf8')));
  expect(partly.trials.map(({ variant }) => variant)).toEqual(['clr', 'anomclr+']);

  const [third, whole] = [await cli([...comparison, '--out', out]), await cli([...comparison, '--out', at('whole')])];
  expect([third.code, third.stderr]).toEqual([
    0,
    expect.stringContaining('comparison: 3 trials, 2 of them there already'),
  ]);
  expect(third.stdout).toBe(whole.stdout);
  expect(scoresIn(out)).toEqual(scoresIn(at('whole')));
  expect(Object.keys(scoresIn(out)).length).toBeGreaterThan(20);
  expect(readdirSync(path.join(out, 'runs')).filter(name => name.endsWith('.tmp'))).toEqual([]);

  // gone on with, not begun anew
  expect(statSync(path.join(begun, 'config.json')).mtimeMs).toBe(since);

  const again = await cli([...comparison, '--out', out, '--json', '--quiet']);
  expect([again.code, again.stderr]).toEqual([0, '']);
  const json = studyFileSchema.parse(JSON.parse(again.stdout));
  expect(json.trials.map(({ variant }) => variant)).toEqual(['clr', 'anomclr', 'anomclr+']);
  expect(json.settings).toMatchObject({ epochs: 12, width: 16 });
  for (const { name } of json['figures'] as { name: string }[]) expect(third.stdout).toContain(`| ${name} `);
}, 300_000);

test.each([
  [['scan'], /^anomalyclr: scan needs study: comparison: .*\n$/],
  [
    ['scan', 'comparisn', '--out', 'x'],
    /^anomalyclr: study: got \["comparisn"\], allowed: comparison \| augmentations \| .*\n$/,
  ],
  [
    ['scan', 'comparison', 'dimension', '--out', 'x'],
    /^anomalyclr: study: got \["comparison","dimension"\], allowed: .*\n$/,
  ],
  [['scan', 'comparison'], /^anomalyclr: scan needs --out: .*\n$/],
  [
    ['scan', 'comparison', '--out', 'x', '--signal', 'a=b.h5'],
    /^anomalyclr: --background and --test: give files, or leave out .*\n$/,
  ],
  [['scan', 'comparison', '--out', 'x', '--resume'], /^anomalyclr: unknown option '--resume'.*\n$/],
])('%j is refused', async (argv, message) => {
  const { code, stderr, stdout } = await anomalyclr(...argv);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(message);
});
