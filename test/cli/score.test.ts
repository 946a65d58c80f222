import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { readScores } from '../../src/score/read-scores.js';
import { paddedEvents, particles, temporaryFolder, writeRaw } from '../read/craft.js';
import { cli, sample, smallTraining } from '../support/cli.js';
import { anomalyclr } from './in-process.js';

const at = temporaryFolder();

/** The command line in this process; `@name` is a file of the temporary folder. */
const run = (...argv: string[]) => anomalyclr(...argv.map(arg => (arg.startsWith('@') ? at(arg.slice(1)) : arg)));

beforeAll(async () => {
  const short = ['--epochs', '1', '--detector-epochs', '1', '--no-comparators'];
  expect((await run('train', ...smallTraining, ...short, '--out', '@run')).code).toBe(0);
  const values = paddedEvents(6);
  const EvtId = { data: BigInt64Array.of(11n, 12n, 13n, 14n, 15n, 16n) };
  await writeRaw(at('events.h5'), { Particles: particles(values), EvtId });
  values[2 * 76 + 36] = Infinity;
  await writeRaw(at('bad.h5'), { Particles: particles(values), EvtId });
});

test('scores of several files in a row, told on standard error, the same from one event at a time', async () => {
  const files = [at('events.h5'), sample('hToTauTau')];
  const args = ['score', '--model', at('run'), '--data', ...files, '--out'];
  const { code, stdout, stderr } = await cli([...args, at('scores.h5'), '--threads', '1']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  expect(stderr).toMatch(/^.*scores\.h5: 5006 events, \d+ outside the training domain, \d+ events\/s\n$/);
  const scores = await readScores(at('scores.h5'));
  expect([scores.score.length, scores.inDomain.length, scores.eventIds]).toEqual([5006, 5006, undefined]);
  expect((await run(...args, '@pieces.csv', '--batch', '999', '--quiet')).stderr).toBe('');
  expect(await readScores(at('pieces.csv'))).toEqual(scores);
});

test('--on-bad-event skip warns, and the rows stay aligned', async () => {
  const { code, stderr } = await run(
    ...'score --model @run --data @bad.h5 --out @bad.csv --on-bad-event skip --quiet'.split(' '),
  );
  expect(code).toBe(0);
  expect(stderr).toMatch(/^anomalyclr: warning: 1 bad events have score NaN .*\n$/);
  const { score, inDomain, eventIds } = await readScores(at('bad.csv'));
  expect(Array.from(score, Number.isNaN)).toEqual([false, false, true, false, false, false]);
  expect(inDomain[2]).toBe(0);
  expect(Array.from(eventIds ?? [])).toEqual([11n, 12n, 13n, 14n, 15n, 16n]);
});

describe('what goes wrong is one line with the right exit code, and leaves no file', () => {
  beforeAll(() => {
    writeFileSync(at('wrong.yaml'), 'modle: x\n');
    writeFileSync(at('text.h5'), 'text');
    mkdirSync(at('half'));
    writeFileSync(at('half/config.json'), '{}');
    mkdirSync(at('folder.csv'));
  });
  test.each<[string, Record<string, string>, number, RegExp]>([
    ['no such model', { model: '@gone' }, 1, /gone: not a run; name the folder that train made/],
    ['a model that is no run', { model: '@' }, 1, /: not a run/],
    ['an incomplete run', { model: '@half' }, 1, /half: its training is not complete; finish it with train --resume/],
    ['no such data', { data: '@gone.h5' }, 1, /gone\.h5: no such file/],
    ['data of another kind', { data: '@text.h5' }, 1, /text\.h5: is not HDF5/],
    ['a bad event', { data: '@bad.h5' }, 1, /bad\.h5: event 2, .*use --on-bad-event skip/],
    ['an unknown suffix', { out: '@scores.txt' }, 2, /scores\.txt: unknown suffix for scores; use \.h5, .*\.parquet/],
    ['no suffix', { out: '@scores' }, 2, /unknown suffix/],
    ['no such folder', { out: '@no/scores.csv' }, 1, /no\/scores\.csv: its folder does not exist/],
    ['a folder in the way', { out: '@folder.csv' }, 1, /folder\.csv: is a folder, not a file/],
    ['a folder below a file', { out: '@events.h5/scores.h5' }, 1, /events\.h5\/scores\.h5: .*not a folder/],
    ['batch 0', { batch: '0' }, 2, /--batch: got 0, allowed: a whole number, 1 to 1000000/],
    [
      'unknown key',
      { config: '@wrong.yaml' },
      2,
      /wrong\.yaml: unknown key "modle"; the nearest valid name is "model"/,
    ],
  ])('%s', async (_, changes, code, message) => {
    const before = readdirSync(at('')).toSorted();
    const options = { model: '@run', data: '@events.h5', out: '@none.csv', ...changes };
    const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    const got = await run('score', ...flags);
    expect({ code: got.code, stdout: got.stdout }).toEqual({ code, stdout: '' });
    expect(got.stderr).toMatch(/^anomalyclr: [^\n]*\n$/);
    expect(got.stderr).toMatch(message);
    expect(readdirSync(at('')).toSorted()).toEqual(before);
  });

  test('a model is required, and the line of a child process is as clean', async () => {
    const { code, stdout, stderr } = await cli(['score', '--data', at('events.h5'), '--out', at('none.csv')]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe('anomalyclr: score needs --model: folder of a trained run, or the ONNX file of a bundle\n');
    expect(existsSync(at('none.csv'))).toBe(false);
  });
});
