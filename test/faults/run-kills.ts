import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { commandKinds } from './kill-commands.js';
import { makeInputs } from './kill-data.js';
import { studyKinds } from './kill-studies.js';
import { trainingKinds } from './kill-trainings.js';
import { killing, table, type Tally } from './kills.js';

// npm run test:kills -- [--kills 100] [--seed S] [--only KIND,..]: kills of each kind, and a table of what became of them.
const { values } = parseArgs({
  options: { kills: { type: 'string', default: '100' }, seed: { type: 'string' }, only: { type: 'string' } },
});
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const kills = Number(values.kills);
if (!Number.isInteger(seed) || !Number.isInteger(kills)) throw new Error('--kills and --seed are whole numbers');
process.env['ANOMALYCLR_CUDA_LIBRARY'] ??= 'skip';
const folder = mkdtempSync(path.join(os.tmpdir(), 'aclr-kills-'));
const inputs = await makeInputs(folder);
const kinds = { ...trainingKinds(inputs), ...studyKinds(inputs), ...(await commandKinds(inputs)) };
const wanted = values.only?.split(',') ?? Object.keys(kinds);
const tallies: Tally[] = [];
console.log(`seed ${seed}, ${kills} kills of each: ${wanted.join(', ')}`);
for (const [key, kind] of Object.entries(kinds)) {
  if (!wanted.includes(key)) continue;
  const tally = await killing(kind, { kills, seed, folder, say: line => process.stderr.write(`${line}\n`) });
  tallies.push(tally);
  console.log(table([tally]));
  for (const line of tally.lost) console.log(`lost: ${line}`);
}
console.log(`\nseed ${seed}\n${table(tallies)}`);
const lost = tallies.flatMap(tally => tally.lost);
if (lost.length === 0) rmSync(folder, { recursive: true, force: true });
process.exitCode = lost.length === 0 ? 0 : 1;
