import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { readScores, type Scores } from '../../src/score/read-scores.js';
import { paddedEvents, particles, temporaryFolder, writeRaw } from '../read/craft.js';
import { cli, sample, smallTraining, start } from '../support/cli.js';
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

describe('a file of more than one part', () => {
  const copies = ['a.h5', 'b.h5', 'c.h5', 'd.h5', 'e.h5'];
  const events = 300_000;
  const args = (out: string) => ['score', '--model', at('run'), '--data', at('many'), '--out', at(out)];
  const part = (out: string) => at(`${out}.partial/part-000000.bin`);
  let whole: Scores;
  beforeAll(async () => {
    mkdirSync(at('many'));
    for (const name of copies) copyFileSync(sample('background_train'), at(`many/${name}`));
    const { code, stderr } = await run(...toFiles(args('whole.h5')));
    expect({ code, files: readdirSync(at('')).filter(name => name.startsWith('whole')) }).toEqual({
      code: 0,
      files: ['whole.h5'],
    });
    expect(stderr).toMatch(/whole\.h5: 300000 events, \d+ outside/);
    whole = await readScores(at('whole.h5'));
  });
  const toFiles = (argv: string[]) => argv.map(arg => (arg === at('many') ? at('many/*.h5') : arg));

  /** Starts it, and sends the signal once the first part is whole. */
  async function stopped(out: string, signal: NodeJS.Signals): Promise<Awaited<ReturnType<typeof start>['finished']>> {
    const { child, finished } = start(toFiles(args(out)));
    let over = false;
    void finished.then(() => (over = true));
    while (!existsSync(part(out)) && !over) await new Promise(resolve => setTimeout(resolve, 2));
    child.kill(signal);
    return finished;
  }

  test('killed with one part whole, it goes on from there to the same file', async () => {
    expect((await stopped('killed.h5', 'SIGKILL')).signal).toBe('SIGKILL');
    expect(existsSync(at('killed.h5'))).toBe(false);
    const { code, stderr } = await cli(toFiles(args('killed.h5')));
    expect(code).toBe(0);
    expect(stderr).toMatch(/killed\.h5: 262144 of 300000 events were scored before; going on\n/);
    expect(await readScores(at('killed.h5'))).toEqual(whole);
    expect(readdirSync(at('')).filter(name => name.startsWith('killed'))).toEqual(['killed.h5']);
  });

  test('SIGTERM keeps what is whole and says how to go on; other options are told, --restart begins anew', async () => {
    const { code, stderr } = await stopped('asked.h5', 'SIGTERM');
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /anomalyclr: stopped: 262144 of 300000 events are kept in .*asked\.h5\.partial; the same command /,
    );
    const bf16 = toFiles([...args('asked.h5'), '--precision', 'bf16']);
    const refused = await run(...bf16);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /^anomalyclr: .*asked\.h5\.partial: holds scores of precision "auto", not "bf16"; give .* --restart\n$/,
    );
    rmSync(at('many/e.h5'));
    const fewer = await run(...toFiles(args('asked.h5')));
    copyFileSync(sample('background_train'), at('many/e.h5'));
    expect(fewer.stderr).toMatch(/holds scores of 5 data files, not 4; /);
    expect(existsSync(part('asked.h5'))).toBe(true);
    expect((await run(...bf16, '--restart', '--quiet')).code).toBe(0);
    const { score } = await readScores(at('asked.h5'));
    expect([score.length, score.every((s, i) => s === whole.score[i])]).toEqual([events, false]);
  });
});

describe('--shard and merge', () => {
  const score = (out: string, ...more: string[]) =>
    run(
      ...'score --model @run --data @bad.h5 @events.h5 --on-bad-event skip --quiet'.split(' '),
      '--out',
      out,
      ...more,
    );

  test('shards make the whole', async () => {
    expect((await score('@all.parquet')).code).toBe(0);
    for (const [i, name] of ['shard-1.h5', 'shard-2.h5', 'shard-3.parquet'].entries())
      expect((await score(`@${name}`, '--shard', `${i + 1}/3`)).code).toBe(0);
    const { code, stdout } = await run('merge', '@shard-*', '--out', '@merged.csv', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      file: at('merged.csv'),
      events: 12,
      shards: 3,
      outsideDomain: expect.any(Number),
    });
    expect(await readScores(at('merged.csv'))).toEqual(await readScores(at('all.parquet')));
    expect((await run('merge', '@shard-*', '--out', '@merged.h5', '--json', '@merged.json')).stdout).toBe('');
    expect(await readScores(at('merged.h5'))).toEqual(await readScores(at('all.parquet')));
    rmSync(at('shard-2.h5'));
    const lacking = await run('merge', '@shard-*', '--out', '@lacking.h5');
    expect(lacking).toMatchObject({ code: 1, stderr: expect.stringMatching(/^anomalyclr: shard 2 of 3 is missing; /) });
    expect(existsSync(at('lacking.h5'))).toBe(false);
  });

  test('the place in an array of jobs', async () => {
    process.env['ANOMALYCLR_SHARD'] = '2/2';
    try {
      expect((await score('@auto.h5', '--shard', 'auto')).code).toBe(0);
    } finally {
      delete process.env['ANOMALYCLR_SHARD'];
    }
    expect((await readScores(at('auto.h5'))).score).toHaveLength(6);
  });

  test.each<[string, string[], number, RegExp]>([
    [
      'a shard that is none',
      ['@x.h5', '--shard', '0/3'],
      2,
      /--shard: there is no shard 0 of 3; they count from 1 to 3/,
    ],
    ['a shard as CSV', ['@x.csv', '--shard', '1/3'], 2, /x\.csv: CSV cannot say which shard it is/],
    ['auto without a job', ['@x.h5', '--shard', 'auto'], 2, /--shard auto: this is no job of a Slurm array/],
  ])('%s', async (_, [out, ...more], code, message) => {
    const got = await score(out, ...more);
    expect(got.code).toBe(code);
    expect(got.stderr).toMatch(/^anomalyclr: [^\n]*\n$/);
    expect(got.stderr).toMatch(message);
  });

  test('merge without --out, with --report, or of nothing', async () => {
    expect(await run('merge', '@events.h5')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/merge needs --out/),
    });
    const report = await run('merge', '@events.h5', '--out', '@x.h5', '--report', '@x.html');
    expect(report).toMatchObject({ code: 2, stderr: expect.stringMatching(/--report: is of a merged evaluation/) });
    const none = await run('merge', '@none-*.h5', '--out', '@x.h5');
    expect(none).toMatchObject({ code: 2, stderr: expect.stringMatching(/no file matches/) });
  });
});
