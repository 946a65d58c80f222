import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { packageRoot } from '../../src/addon.js';
import { commands } from '../../src/cli/commands.js';
import { addOptions, givenFlags } from '../../src/cli/options.js';
import { parseOptions } from '../../src/config/parse.js';
import { commandSchemas, type CommandName } from '../../src/config/schema.js';
import { readAll, writeEvents } from '../../src/read/index.js';
import { range } from '../../src/events/event-batch.js';
import { readScores } from '../../src/score/read-scores.js';
import { filesBelow, read } from '../house/tree.js';
import { temporaryFolder } from '../read/craft.js';
import { sample, smallTraining } from '../support/cli.js';
import { anomalyclr } from './in-process.js';

const at = temporaryFolder();
const examples = filesBelow('examples/batch');

/** Command lines of this program in a text, their variables filled in as for the first of two jobs. */
function commandLines(text: string): string[][] {
  const joined = text.replaceAll('\\\n', ' ');
  const filled = joined
    .replaceAll(/\$\{?(?:SLURM_ARRAY_TASK_ID|i)\b\}?|\{\}/g, '1')
    .replaceAll('$(Process)', '0')
    .replaceAll('$SLURM_CPUS_PER_TASK', '4')
    .replaceAll('$shards', '2');
  const names = Object.keys(commands).join('|');
  return [...filled.matchAll(new RegExp(`\\banomalyclr ((?:${names}) [^|;\\n]*)`, 'g'))]
    .map(([, line]) => line.replace(/`.*$/, ''))
    .filter(line => !line.includes('..'))
    .map(line => [...line.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']+)/g)].map(([, a, b, c]) => a ?? b ?? c));
}

function parse([name, ...argv]: string[]): unknown {
  const known = name as CommandName;
  expect(Object.keys(commandSchemas)).toContain(name);
  const command = new Command(name).exitOverride().configureOutput({ outputError: () => undefined });
  addOptions(command, known);
  return parseOptions(known, givenFlags(command.parse(argv, { from: 'user' }), known));
}

test.each([...examples, 'docs/batch.md'])('%s: every command line is one that the program takes', file => {
  const lines = commandLines(read(file));
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(parse(line)).toBeTruthy();
});

test('the docs name every example, and no other', () => {
  const named = [...read('docs/batch.md').matchAll(/examples\/batch\/([\w.]+)/g)].map(([, name]) => name);
  expect([...new Set(named)].toSorted()).toEqual(examples.map(file => path.basename(file)).toSorted());
});

describe('the examples run', () => {
  const events = 400;
  const exec = promisify(execFile);
  /** As on a machine where the program is installed. */
  const environment = (env: Record<string, string> = {}) => ({
    ...process.env,
    NODE_OPTIONS: '',
    PATH: `${at('bin')}:${process.env['PATH']}`,
    SHARDS: '2',
    ...env,
  });
  const bash = (script: string, env: Record<string, string> = {}) =>
    exec('bash', [path.join(packageRoot(), 'examples', 'batch', script)], { cwd: at(''), env: environment(env) });

  beforeAll(async () => {
    const short = ['--epochs', '1', '--detector-epochs', '1', '--no-comparators', '--max-events', '600'];
    expect((await anomalyclr('train', ...smallTraining, ...short, '--out', at('runs/a'))).code).toBe(0);
    const { batch } = await readAll([sample('background_test')], { onBadEvent: 'fail', maxEvents: events });
    mkdirSync(at('events'));
    await writeEvents(at('events/1.h5'), [range(batch, 0, 301)]);
    await writeEvents(at('events/2.h5'), [range(batch, 301, events)]);
    copyFileSync(sample('Ato4l'), at('signal.h5'));
    mkdirSync(at('bin'));
    const bin = path.join(packageRoot(), 'bin', 'anomalyclr.mjs');
    writeFileSync(at('bin/anomalyclr'), `#!/bin/sh\nexec "${process.execPath}" "${bin}" "$@"\n`);
    chmodSync(at('bin/anomalyclr'), 0o755);
    const args = ['--data', at('events/1.h5'), at('events/2.h5'), '--out', at('whole.h5'), '--quiet'];
    expect((await anomalyclr('score', '--model', at('runs/a'), ...args)).code).toBe(0);
  });
  beforeEach(() => {
    rmSync(at('scores'), { recursive: true, force: true });
    rmSync(at('scores.h5'), { force: true });
  });
  const task = (id: number) => ({ SLURM_ARRAY_TASK_ID: `${id}`, SLURM_CPUS_PER_TASK: '1' });
  const merged = async () => expect(await readScores(at('scores.h5'))).toEqual(await readScores(at('whole.h5')));

  test('local.sh, and again after a shard was lost', async () => {
    await bash('local.sh');
    await merged();
    rmSync(at('scores/2.h5'));
    rmSync(at('scores.h5'));
    await bash('local.sh');
    await merged();
  });

  test('score.sbatch and merge.sbatch', async () => {
    await bash('score.sbatch', task(2));
    await expect(bash('merge.sbatch')).rejects.toThrow(/shard 1 of 2 is missing/);
    await bash('score.sbatch', task(1));
    await bash('merge.sbatch');
    await merged();
  });

  test('evaluate.sbatch, merged, gives the figures of one evaluation', async () => {
    for (const id of [1, 2]) await bash('evaluate.sbatch', task(id));
    expect((await anomalyclr('merge', at('parts/*'), '--json', at('merged.json'), '--quiet')).code).toBe(0);
    const args = ['--background', at('events/*.h5'), '--signal', `Ato4l=${at('signal.h5')}`, '--json', at('one.json')];
    expect((await anomalyclr('evaluate', '--model', at('runs/a'), ...args, '--quiet')).code).toBe(0);
    const [one, other] = ['one.json', 'merged.json'].map(name => JSON.parse(readFileSync(at(name), 'utf8')) as unknown);
    expect(other).toEqual(one);
  });

  test('score.sub, by the ads that HTCondor writes', async () => {
    mkdirSync(at('scores'));
    const [, line] = /^arguments = "(.*)"$/m.exec(read('examples/batch/score.sub')) ?? [];
    for (const process of [0, 1]) {
      writeFileSync(at('job.ad'), `ClusterId = 7\nProcId = ${process}\nTotalSubmitProcs = 2\n`);
      const argv = [...line.replaceAll('$(Process)', `${process}`).matchAll(/'([^']*)'|(\S+)/g)].map(
        ([, a, b]) => a ?? b,
      );
      await exec('/usr/bin/env', argv, { cwd: at(''), env: environment({ _CONDOR_JOB_AD: at('job.ad') }) });
    }
    expect(existsSync(at('scores/1.h5'))).toBe(true);
    await bash('merge.sbatch');
    await merged();
  });
});
