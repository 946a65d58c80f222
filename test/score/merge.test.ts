import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { AnomalyClrError, UsageError } from '../../src/errors.js';
import { mergeScores, spans } from '../../src/score/merge.js';
import { openScores, readScores, type ScoreSource } from '../../src/score/read-scores.js';
import { scoreFiles, type ScoreRequest } from '../../src/score/score-files.js';
import { temporaryFolder } from '../read/craft.js';
import { summing, writeEventFile } from './scoring.js';

const at = temporaryFolder();
const data = ['a.h5', 'b.h5', 'c.h5'].map(at);
const total = 150 + 1 + 86;
const edge = 300;

beforeAll(async () => {
  await writeEventFile(data[0], 150, { firstId: 1000, bad: [0, 47, 48, 149] });
  await writeEventFile(data[1], 1, { firstId: 9000, bad: [0] });
  await writeEventFile(data[2], 86, { firstId: 5000, bad: [85], shift: 2 });
  await writeEventFile(at('plain.h5'), 40);
  for (const suffix of ['.h5', '.csv', '.parquet']) await score(`whole${suffix}`);
});
afterEach(() => {
  for (const name of readdirSync(at(''))) if (/^(part|out)/.test(name)) rmSync(at(name), { recursive: true });
});

type Changes = Partial<ScoreRequest> & { readonly print?: string };

async function score(out: string, { print = 'one', ...changes }: Changes = {}): Promise<string> {
  const request = { data, out: at(out), batch: 16, onBadEvent: 'skip', partRows: 70 } as const;
  await scoreFiles({ ...request, ...changes }, summing({ edge, print }));
  return at(out);
}
async function look(file: string): Promise<ScoreSource> {
  const source = await openScores(file);
  await source.close();
  return source;
}
/** Left out, the suffixes take turns. */
async function shards(of: number, suffix?: string, changes: Changes = {}): Promise<string[]> {
  const files: string[] = [];
  for (let index = 1; index <= of; index++)
    files.push(
      await score(`part-${index}${suffix ?? ['.h5', '.parquet'][index % 2]}`, { ...changes, shard: { index, of } }),
    );
  return files;
}

test.each([1, 2, 3, 4, 5, 6, 7])('%i shards in any order make the whole, in every format', async of => {
  const parts = await shards(of);
  const rows = [];
  for (const file of parts) {
    rows.push((await look(file)).events);
  }
  expect(Math.max(...rows) - Math.min(...rows)).toBeLessThanOrEqual(1);
  parts.reverse().splice(1, 0, ...parts.splice(of - 1));
  const whole = await readScores(at('whole.h5'));
  expect([whole.score.length, new Set(whole.eventIds).size]).toEqual([total, total]);
  expect(whole.score.filter(Number.isNaN)).toHaveLength(6);
  for (const out of ['.h5', '.csv', '.parquet']) {
    const outsideDomain = whole.inDomain.filter(flag => flag === 0).length;
    const summary = await mergeScores({ parts, out: at(`out${out}`) });
    expect(summary).toEqual({ events: total, shards: of, outsideDomain });
    expect(await readScores(at(`out${out}`))).toEqual(whole);
    // nothing tells a merged file from one that was scored at once
    if (out !== '.h5') expect(readFileSync(at(`out${out}`)).equals(readFileSync(at(`whole${out}`)))).toBe(true);
    else expect((await look(at('out.h5'))).origin).toBe(undefined);
  }
});

test('where their data lie, in what batches and how they took bad events may differ', async () => {
  const copies = data.map((file, i) => {
    writeFileSync(at(`copy-${i}.h5`), readFileSync(file));
    return at(`copy-${i}.h5`);
  });
  const parts = [
    await score('part-1.h5', { shard: { index: 1, of: 3 } }),
    await score('part-2.parquet', { shard: { index: 2, of: 3 }, data: copies, batch: 3 }),
    await score('part-3.hdf5', { shard: { index: 3, of: 3 }, outOfDomain: 'flag' }),
  ];
  await mergeScores({ parts, out: at('out.h5') });
  expect(await readScores(at('out.h5'))).toEqual(await readScores(at('whole.h5')));
  const clean = { data: [at('plain.h5')] };
  const plain = [
    await score('part-4.h5', { ...clean, shard: { index: 1, of: 2 }, onBadEvent: 'fail' }),
    await score('part-5.h5', { ...clean, shard: { index: 2, of: 2 }, onBadEvent: 'skip' }),
  ];
  await mergeScores({ parts: plain, out: at('out.h5') });
  const scores = await readScores(at('out.h5'));
  expect(scores.score).toHaveLength(40);
  expect(scores).not.toHaveProperty('eventIds');
});

test('more shards than rows: some are empty, and still all are needed', async () => {
  const parts = await shards(9, '.h5', { data: [data[1]] });
  expect(await mergeScores({ parts, out: at('out.csv') })).toEqual({ events: 1, shards: 9, outsideDomain: 1 });
  expect(readFileSync(at('out.csv'), 'latin1')).toBe('score,in_domain,EvtId\nNaN,0,9000\n');
});

test('a shard that was interrupted goes on as such', async () => {
  const shard = { index: 2, of: 2 };
  const controller = new AbortController();
  const update = (done: number) => done >= 90 && controller.abort();
  const stopping = { shard, signal: controller.signal, progress: () => ({ update, stop() {} }) };
  await expect(score('part-2.h5', stopping)).rejects.toThrow(/^stopped: 70 of 119 events are kept/);
  await expect(score('part-2.h5', { shard: { index: 1, of: 2 } })).rejects.toThrow(
    /part-2\.h5\.partial: holds scores of shard 2\/2, not shard 1\/2; /,
  );
  const parts = [await score('part-1.h5', { shard: { index: 1, of: 2 } }), await score('part-2.h5', { shard })];
  await mergeScores({ parts, out: at('out.h5') });
  expect(await readScores(at('out.h5'))).toEqual(await readScores(at('whole.h5')));
});

describe('what does not belong together is told in one line, and no file is written', () => {
  const refused = async (parts: readonly string[], message: RegExp, out = 'out.h5') => {
    const call = mergeScores({ parts, out: at(out) });
    await expect(call).rejects.toThrow(AnomalyClrError);
    await expect(call).rejects.toThrow(message);
    await expect(call).rejects.not.toThrow(/\n/);
    expect(readdirSync(at('')).filter(name => name.startsWith('out'))).toEqual([]);
  };

  test('shards that are missing, by their numbers', async () => {
    const parts = await shards(7, '.h5');
    await refused(parts.slice(1), /^shard 1 of 7 is missing; score them and give their files too$/);
    await refused([parts[2], parts[6]], /^shards 1-2, 4-6 of 7 are missing; /);
  });

  test('a shard that is there twice', async () => {
    const parts = await shards(3, '.h5');
    const again = await score('part-again.parquet', { shard: { index: 2, of: 3 } });
    await refused([...parts, again], /part-again\.parquet: is shard 2\/3, as .*part-2\.h5 is; leave one out/);
    await refused([parts[0], parts[0]], /part-1\.h5: is shard 1\/3, as .*part-1\.h5 is/);
  });

  test.each<[string, Changes, RegExp]>([
    [
      'another model',
      { print: 'two' },
      /foreign\.h5: does not belong with .*part-1\.h5: it is of another model; merge/,
    ],
    ['another count of shards', { shard: { index: 2, of: 5 } }, /it is of 5 shards, not 2; /],
    ['other data', { data: [data[2], data[0], data[1]] }, /it is of other data; /],
    ['other rows', { data: [data[0], data[0], data[1]] }, /it is of 301 events, not 237; /],
    ['another setting', { settings: { precision: 'bf16' } }, /it is of precision "bf16", not "auto"; /],
    ['another version', { version: '9.9' }, /it is of anomalyclr 9\.9, not 1\.0; /],
    ['NaN outside', { outOfDomain: 'nan' }, /it is of events outside the domain with score NaN; /],
  ])('%s', async (_, changes, message) => {
    const usual = { settings: { precision: 'auto' }, version: '1.0' };
    const [first] = await shards(2, '.h5', usual);
    const foreign = await score('part-foreign.h5', { ...usual, shard: { index: 2, of: 2 }, ...changes });
    await refused([first, foreign], message);
  });

  test('files that are of no shard, damaged, or no scores at all', async () => {
    const parts = await shards(2, '.parquet');
    await refused([parts[0], at('whole.h5')], /whole\.h5: is not of a shard; merge takes what score --shard wrote/);
    await refused([at('whole.parquet')], /whole\.parquet: is not of a shard/);
    await refused([at('whole.csv')], /whole\.csv: parts of a score file can be read from \.h5, \.hdf5 and \.parquet/);
    await refused([data[0]], /a\.h5: no dataset score of float32/);
    await refused([at('gone.h5')], /gone\.h5: no such file/);
    truncateSync(parts[1], 300);
    await refused(parts, /part-2\.parquet: (cannot be opened|rows from 0 on cannot be read)/);
  });

  test('an output that is one of the parts, or of an unknown format', async () => {
    const parts = await shards(2, '.h5');
    const before = readFileSync(parts[1]);
    await expect(mergeScores({ parts, out: parts[1] })).rejects.toThrow(
      /part-2\.h5: is one of the parts; name another/,
    );
    expect(readFileSync(parts[1]).equals(before)).toBe(true);
    await refused(parts, /out\.txt: unknown suffix for scores/, 'out.txt');
  });

  test('a signal to stop', async () => {
    const parts = await shards(2, '.h5');
    const call = mergeScores({ parts, out: at('out.h5'), signal: AbortSignal.abort() });
    await expect(call).rejects.toThrow(/stopped after 0 events; .*out\.h5 was not written/);
    expect(readdirSync(at('')).filter(name => name.startsWith('out'))).toEqual([]);
  });
});

test('a shard as CSV is refused before anything is scored', async () => {
  const call = score('part.csv', { shard: { index: 1, of: 2 } });
  await expect(call).rejects.toThrow(UsageError);
  await expect(call).rejects.toThrow(/part\.csv: CSV cannot say which shard it is; use \.h5, \.hdf5 or \.parquet, and/);
});

test('numbers in words', () => {
  expect(spans([1, 2, 3, 7, 9, 10])).toBe('1-3, 7, 9-10');
  expect(spans(Array.from({ length: 21 }, (_, i) => 2 * i))).toMatch(/^0, 2, .*, 38 and more$/);
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 19 }), numbers => {
      const sorted = numbers.toSorted((a, b) => a - b);
      const back = spans(sorted)
        .split(', ')
        .flatMap(one => {
          const [a, b = a] = one.split('-').map(Number);
          return Array.from({ length: b - a + 1 }, (_, i) => a + i);
        });
      expect(back).toEqual(sorted);
    }),
    { seed: 5 },
  );
});
