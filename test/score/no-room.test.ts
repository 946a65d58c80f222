import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../../src/addon.js';
import { readScores } from '../../src/score/read-scores.js';
import { temporaryFolder } from '../read/craft.js';
import { writeEventFile } from './scoring.js';

const at = temporaryFolder();
const events = 30_000;
const data = [at('a.h5'), at('b.h5')];

/** Scores in a process of its own, in parts of 1,000 rows, by the sum of pT. */
const program = (library: string): string => `
import { scoreFiles } from '${library}/score/score-files.js';
const judge = async ({ count, offsets, pt }) => {
  const sum = e => pt.subarray(offsets[e], offsets[e + 1]).reduce((a, b) => a + b, 0);
  const score = Float32Array.from({ length: count }, (_, e) => sum(e));
  return { score, inDomain: Uint8Array.from(score, s => Number(s < 4000)) };
};
const scorer = { domain: {}, judge, fingerprint: async () => 'sum' };
const request = { data: ${JSON.stringify(data)}, batch: 100, onBadEvent: 'skip', partRows: 1000 };
try {
  const { seconds, ...summary } = await scoreFiles({ ...request, out: process.argv[2] }, scorer);
  console.log(JSON.stringify(summary));
} catch (error) {
  console.log(error.name + ': ' + error.message);
  process.exitCode = 1;
}
`;

beforeAll(async () => {
  await writeEventFile(data[0], 17_003, { firstId: 0, bad: [5, 16_999, 17_002] });
  await writeEventFile(data[1], events - 17_003, { firstId: 20_000, bad: [0] });
  writeFileSync(at('score.mjs'), program(pathToFileURL(path.join(packageRoot(), 'dist', 'src')).href));
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
