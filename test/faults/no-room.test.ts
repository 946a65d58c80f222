import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { readScores } from '../../src/score/read-scores.js';
import { temporaryFolder } from '../read/craft.js';
import { scoredRows as events, scoringProgram, writeScored } from './scoring-program.js';

const at = temporaryFolder();
const data: [string, string] = [at('a.h5'), at('b.h5')];

beforeAll(async () => {
  await writeScored(data);
  scoringProgram(at('score.mjs'), data);
});

function run(
  out: string,
  { shell = '', who = {} }: { shell?: string; who?: { uid?: number; gid?: number } } = {},
): Promise<{ text: string }> {
  const command = `${shell} exec "${process.execPath}" "${at('score.mjs')}" "${at(out)}"`;
  const child = spawn('/bin/sh', ['-c', command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...who,
  });
  let text = '';
  child.stdout.on('data', (some: Buffer) => (text += some.toString()));
  return new Promise(resolve => child.on('close', () => resolve({ text })));
}

const left = (out: string) => readdirSync(at('')).filter(name => name.startsWith(out));
const parts = (out: string) => {
  const folder = at(`${out}.partial`);
  return existsSync(folder) ? readdirSync(folder).filter(name => /^part-\d+\.bin$/.test(name)).length : 0;
};

beforeAll(async () => {
  expect(JSON.parse((await run('whole.h5')).text)).toMatchObject({ events, skipped: 4, resumed: 0 });
});

test.each([
  ['the score file', 100, 30],
  ['a part', 2, 0],
])('where the disk has no room for %s, parts stay, nothing stands under the name, and it goes on', async (...row) => {
  const [, blocks, kept] = row; // a limit on the size of files, in blocks of 512 bytes: a part takes 13 kB
  const limited = await run('full.csv', { shell: `ulimit -f ${blocks};` });
  expect(limited.text).toMatch(/^AnomalyClrError: \S*full\.csv\S*: [^\n]*\n$/);
  expect(left('full')).toEqual(['full.csv.partial']);
  expect(parts('full.csv')).toBe(kept);
  expect(readdirSync(at('full.csv.partial')).filter(name => name.endsWith('.tmp'))).toEqual([]);
  expect(JSON.parse((await run('full.csv')).text)).toMatchObject({ resumed: kept * 1000 });
  expect(await readScores(at('full.csv'))).toEqual(await readScores(at('whole.h5')));
  expect(readFileSync(at('full.csv'), 'latin1').split('\n')).toHaveLength(events + 2);
  rmSync(at('full.csv'));
});

test('a folder that may not be written to is told in one line, and what is there stays', async () => {
  // the superuser may write anywhere, and anybody else is nobody
  const who = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  chmodSync(at(''), 0o755);
  mkdirSync(at('locked'), { mode: 0o555 });
  const refused = await run('locked/scores.h5', { who });
  expect(refused.text).toMatch(/^AnomalyClrError: \S*locked\/scores\.h5: no permission to write it\n$/);
  expect(readdirSync(at('locked'))).toEqual([]);
  mkdirSync(at('shared'));
  chmodSync(at('shared'), 0o777);
  await run('shared/scores.csv', { shell: 'ulimit -f 100;', who });
  const kept = parts('shared/scores.csv');
  expect(kept).toBe(30);
  rmSync(at('shared/scores.csv.partial/part-000007.bin'));
  chmodSync(at('shared/scores.csv.partial'), 0o555);
  const locked = await run('shared/scores.csv', { who });
  expect(locked.text).toMatch(/^AnomalyClrError: \S*part-000007\.bin: no permission to write it\n$/);
  expect(parts('shared/scores.csv')).toBe(29);
  expect(readdirSync(at('shared'))).toEqual(['scores.csv.partial']);
  chmodSync(at('shared/scores.csv.partial'), 0o777);
  expect(JSON.parse((await run('shared/scores.csv')).text)).toMatchObject({ resumed: 29_000 });
  expect(await readScores(at('shared/scores.csv'))).toEqual(await readScores(at('whole.h5')));
});
