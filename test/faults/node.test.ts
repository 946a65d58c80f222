import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { spawn } from 'node:child_process';
import process from 'node:process';
import { packageRoot } from '../../src/addon.js';
import { readScores } from '../../src/score/read-scores.js';
import { temporaryFolder } from '../read/craft.js';
import { ending, sample, type Finished } from '../support/cli.js';
import { must, tinyTraining } from './kill-data.js';

// What a batch node does to a program: streams that are closed or full, no home, few open files, little memory.

const at = temporaryFolder();
const signal = sample('hChToTauNu');

beforeAll(async () => {
  await must(['train', '--background', sample('background_train'), ...tinyTraining, '--out', at('model')]);
  await must(['score', '--model', at('model'), '--data', signal, '--out', at('whole.csv')]);
});

/** Runs the command line as part of a shell's line, where it is `$CLI`. */
function shell(line: string, env: NodeJS.ProcessEnv = process.env): Promise<Finished> {
  const cli = `"${process.execPath}" bin/anomalyclr.mjs`;
  return ending(
    spawn('/bin/sh', ['-c', line.replaceAll('$CLI', cli)], {
      cwd: packageRoot(),
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
}

const score = (out: string): string => `$CLI score --model "${at('model')}" --data "${signal}" --out "${at(out)}"`;
const same = async (out: string): Promise<void> =>
  expect(await readScores(at(out))).toEqual(await readScores(at('whole.csv')));

test.each([
  ['no standard input', '<&-'],
  ['standard error on a full disk', '2>/dev/full'],
  ['no standard error', '2>&-'],
  ['no streams at all', '<&- >&- 2>&-'],
])('%s: the scores are the same', async (name, redirections) => {
  expect(await shell(`${score(`${name}.csv`)} ${redirections}`)).toMatchObject({ code: 0 });
  await same(`${name}.csv`);
});

test('standard output on a full disk: one line, exit code 1', async () => {
  expect(await shell(`$CLI inspect "${signal}" >/dev/full`)).toMatchObject({
    code: 1,
    stderr: 'anomalyclr: standard output: no space left on the disk; make room and start again\n',
  });
});

test('a reader of standard output that goes early is no failure', async () => {
  const { stdout, stderr } = await shell(`{ $CLI inspect "${signal}"; echo "code $?" >&2; } | true`);
  expect([stdout, stderr]).toEqual(['', 'code 0\n']);
});

test('nothing in the environment: neither home, nor language, nor a place for temporary files', async () => {
  expect(await shell(score('bare.csv'), {})).toMatchObject({ code: 0 });
  await same('bare.csv');
  const env = { HOME: '/nonexistent', LANG: 'C', LC_ALL: 'C', TMPDIR: '/nonexistent', XDG_CACHE_HOME: '/nonexistent' };
  expect(await shell(score('odd.csv'), env)).toMatchObject({ code: 0 });
  await same('odd.csv');
  const evaluate = `$CLI evaluate --model "${at('model')}" --background "${signal}" --signal "s=${signal}"`;
  expect(await shell(evaluate, env)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^anomalyclr: \/nonexistent\/anomalyclr-evaluate: its folder does not exist; create it first\n$/,
    ),
  });
});

test('umask 077: others may read nothing of what is written', async () => {
  expect(await shell(`umask 077; ${score('mine.csv')}`)).toMatchObject({ code: 0 });
  expect(statSync(at('mine.csv')).mode & 0o077).toBe(0);
});

test.each([20, 40, 128])('%i open files: the scores, or one line', async files => {
  const { code, stderr } = await shell(`ulimit -n ${files}; ${score(`files-${files}.csv`)}`);
  if (code === 0) return same(`files-${files}.csv`);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^anomalyclr: [^\n]*too many open files[^\n]*\n$/)]);
  expect(existsSync(at(`files-${files}.csv`))).toBe(false);
});

test.each([4, 12])('%i GB of address space: the scores, or one line that does not blame the file', async size => {
  mkdirSync(at(`space-${size}`));
  const { code, stderr } = await shell(`ulimit -v ${size * 1e6}; ${score(`space-${size}/s.csv`)}`);
  if (code === 0) return same(`space-${size}/s.csv`);
  expect(stderr).not.toMatch(/damaged/);
  expect(stderr).toMatch(/memory/i);
  expect(readdirSync(at(`space-${size}`))).toEqual([]);
});
