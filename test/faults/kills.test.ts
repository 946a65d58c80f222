import process from 'node:process';
import { temporaryFolder } from '../read/craft.js';
import { needsRuntime, runtimeInstalled } from '../support/bundle.js';
import { commandKinds } from './kill-commands.js';
import { makeInputs } from './kill-data.js';
import { studyKinds } from './kill-studies.js';
import { trainingKinds } from './kill-trainings.js';
import { generator, killing, table, type Kind } from './kills.js';

// Other moments each time; ANOMALYCLR_KILLS_SEED repeats one, and `npm run test:kills` does it more often.
const seed = Number(process.env['ANOMALYCLR_KILLS_SEED'] ?? Date.now() % 2 ** 31);
const share = Number(process.env['ANOMALYCLR_KILLS'] ?? 100) / 100;
const at = temporaryFolder();
const minutes = 60_000;
let kinds: ReturnType<typeof trainingKinds> & ReturnType<typeof studyKinds> & Awaited<ReturnType<typeof commandKinds>>;

beforeAll(async () => {
  const inputs = await makeInputs(at(''));
  kinds = { ...trainingKinds(inputs), ...studyKinds(inputs), ...(await commandKinds(inputs, runtimeInstalled)) };
}, 5 * minutes);

async function survive(kind: Kind, kills: number): Promise<void> {
  const tally = await killing(kind, { kills: Math.ceil(kills * share), seed, folder: at('') });
  process.stdout.write(`${[table([tally]).split('\n')[2], ...tally.lost].join('\n')}\n`);
  expect(tally.lost).toEqual([]);
  expect(tally.kills).toBeGreaterThanOrEqual(Math.ceil(kills * share));
}

test('a training: weights, log and checkpoints to the bit', () => survive(kinds.train, 25), 10 * minutes);
test('one rank of two: the same', () => survive(kinds.ranks, 4), 10 * minutes);
test('a study of three trainings: equal trials and figures', () => survive(kinds.scan, 6), 10 * minutes);
test('a score: equal scores', () => survive(kinds.score, 20), 10 * minutes);
needsRuntime('an export: an equal bundle', () => survive(kinds.export, 21), 10 * minutes);
test('packed copies: equal events', () => survive(kinds.cache, 14), 10 * minutes);
test('evaluate and merge: equal figures', () => survive(kinds.evaluate, 10), 10 * minutes);

test('numbers of the generator are uniform and follow from the seed', () => {
  const uniform = generator(1);
  const numbers = Array.from({ length: 10_000 }, uniform);
  expect(numbers.slice(0, 3)).toEqual(Array.from({ length: 3 }, generator(1)));
  expect(generator(2)()).not.toBe(numbers[0]);
  for (let tenth = 0; tenth < 10; tenth++) {
    const found = numbers.filter(n => Math.floor(10 * n) === tenth).length;
    expect(Math.abs(found - 1000)).toBeLessThan(150); // five standard deviations
  }
});
