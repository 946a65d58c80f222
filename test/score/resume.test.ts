import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AnomalyClrError, UsageError } from '../../src/errors.js';
import { readScores } from '../../src/score/read-scores.js';
import { scoreFiles, type ScoreRequest, type ScoreSummary } from '../../src/score/score-files.js';
import { temporaryFolder } from '../read/craft.js';
import { summing, writeEventFile } from './scoring.js';

const at = temporaryFolder();
const data = ['a.h5', 'none.h5', 'b.h5', 'c.h5'].map(at);
const total = 700 + 0 + 37 + 512;
const edge = 1200;
/** Pieces of work: 13 parts, which lie across the ends of files. */
const partRows = 100;

beforeAll(async () => {
  await writeEventFile(data[0], 700, { firstId: 1000, bad: [0, 99, 100, 101, 350, 699] });
  await writeEventFile(data[1], 0, { firstId: 0 });
  await writeEventFile(data[2], 37, { firstId: 9000, bad: Array.from({ length: 37 }, (_, e) => e), shift: 1 });
  await writeEventFile(data[3], 512, { firstId: 5000, bad: [511], shift: 2 });
});
afterEach(() => {
  for (const name of readdirSync(at('')))
    if (name.startsWith('out')) rmSync(at(name), { recursive: true, force: true });
});

type Changes = Partial<ScoreRequest> & { readonly scorer?: Parameters<typeof summing>[0] };

function score(out: string, { scorer, ...changes }: Changes = {}): Promise<ScoreSummary> {
  const request = { data, out: at(out), batch: 32, onBadEvent: 'skip', partRows } as const;
  return scoreFiles({ ...request, ...changes }, summing({ edge, ...scorer }));
}

/** Stops by a signal once that many rows were told as scored. */
function stopAt(rows: number): Pick<ScoreRequest, 'signal' | 'progress'> {
  const controller = new AbortController();
  const update = (done: number) => done >= rows && controller.abort();
  return { signal: controller.signal, progress: () => ({ update, stop() {} }) };
}

/** All that is in a score file; HDF5 notes when it was written. */
const content = async (out: string) => (out.endsWith('.h5') ? readScores(at(out)) : readFileSync(at(out), 'latin1'));
const files = () =>
  readdirSync(at(''))
    .filter(name => name.startsWith('out'))
    .toSorted();
const parts = (out: string) => readdirSync(at(`${out}.partial`)).filter(name => name.startsWith('part-'));

describe.each(['.h5', '.csv', '.parquet'])('scores as %s', suffix => {
  const out = `out${suffix}`;

  test('in parts or at once: the same file, and no folder is left', async () => {
    const summary = await score(out);
    expect(summary).toMatchObject({ events: total, skipped: 6 + 37 + 1, cut: 0, resumed: 0 });
    expect(files()).toEqual([out]);
    const inParts = await content(out);
    expect(await score(out, { partRows: 1e6 })).toMatchObject({ ...summary, seconds: expect.any(Number) });
    expect(await content(out)).toEqual(inParts);
  });

  test('stopped again and again at any row, it goes on, scores nothing twice but what was not whole, same bytes', async () => {
    const { events, skipped, outsideDomain } = await score(out);
    const want = await content(out);
    rmSync(at(out));
    let random = 12345;
    const next = (n: number) => (random = (random * 1103515245 + 12345) % 2147483648) % n;
    for (let round = 0; round < 4; round++) {
      let [judged, stops, summary] = [0, 0, undefined as ScoreSummary | undefined];
      const onJudge = async (count: number) => void (judged += count);
      while (!summary) {
        const kept = existsSync(at(`${out}.partial`)) ? parts(out).length * partRows : 0;
        const stop = stopAt(kept + 1 + next(400));
        summary = await score(out, { ...stop, scorer: { onJudge } }).catch((error: unknown) => {
          expect(error).toBeInstanceOf(AnomalyClrError);
          expect((error as Error).message).toMatch(
            /^stopped: \d+ of 1249 events are kept in .*\.partial; the same command goes on from there$/,
          );
          expect((error as Error).message).toContain(`stopped: ${parts(out).length * partRows} of`);
          expect(files()).toEqual([`${out}.partial`]);
          stops += 1;
          return undefined;
        });
      }
      expect(summary).toMatchObject({ events, skipped, outsideDomain });
      expect(files()).toEqual([out]);
      expect(await content(out)).toEqual(want);
      // what was under way at a stop: a part that was filling, one batch read ahead
      expect(judged).toBeLessThanOrEqual(events - skipped + stops * (partRows + 2 * 32));
      rmSync(at(out));
    }
  });
});

test('what fails part of the way keeps what is whole and says how to go on', async () => {
  await score('out.h5');
  const want = await readScores(at('out.h5'));
  rmSync(at('out.h5'));
  let calls = 0;
  const lines: string[] = [];
  const failing = async () => {
    if (++calls === 20) throw new AnomalyClrError('worn out');
  };
  const notice = (line: string) => void lines.push(line);
  await expect(score('out.h5', { scorer: { onJudge: failing }, notice })).rejects.toThrow('worn out');
  const kept = parts('out.h5').length * partRows;
  expect(kept).toBeGreaterThan(100);
  const { resumed } = await score('out.h5', { notice });
  expect(resumed).toBe(kept);
  expect(lines).toEqual([
    `${kept} of 1249 events are kept in ${at('out.h5.partial')}; the same command goes on from there`,
    `${at('out.h5')}: ${kept} of 1249 events were scored before; going on`,
  ]);
  expect(await readScores(at('out.h5'))).toEqual(want);
});

describe('another request is told from the one that was begun', () => {
  beforeEach(() => expect(score('out.h5', stopAt(500))).rejects.toThrow(/^stopped: /));

  test.each<[string, Changes, RegExp]>([
    ['another model', { scorer: { print: 'two' } }, /holds scores of another model; give the options .* --restart$/],
    ['fewer files', { data: data.slice(0, 1) }, /holds scores of 4 data files, not 1; /],
    ['other files', { data: [data[3], data[0], data[1], data[2]] }, /holds scores of other data; /],
    ['more rows', { data: [data[0], data[0], data[1], data[3]] }, /holds scores of 1249 events, not 1912; /],
    ['another setting', { settings: { precision: 'bf16' } }, /holds scores of precision nothing, not "bf16"; /],
    ['another version', { version: '9.9' }, /holds scores of anomalyclr , not 9\.9; /],
    ['a shard', { shard: { index: 2, of: 3 } }, /holds scores of the whole, not shard 2\/3; /],
    ['few rows', { data: [data[1], data[2]], partRows: 1e6 }, /holds scores of 4 data files, not 2; /],
  ])('%s', async (_, changes, message) => {
    const before = parts('out.h5');
    const other = score('out.h5', changes);
    await expect(other).rejects.toThrow(UsageError);
    await expect(other).rejects.toThrow(message);
    await expect(other).rejects.not.toThrow(/\n/);
    expect(parts('out.h5')).toEqual(before);
    expect((await score('out.h5')).resumed).toBe(before.length * partRows);
    await expect(score('out.h5', stopAt(500))).rejects.toThrow(/^stopped: /);
    expect((await score('out.h5', { ...changes, restart: true })).resumed).toBe(0);
    expect(files()).toEqual(['out.h5']);
  });

  test('where the files lie, the batch and threads change nothing', async () => {
    const moved = data.map((file, i) => {
      const to = at(`moved-${i}.h5`);
      writeFileSync(to, readFileSync(file));
      return to;
    });
    const { resumed } = await score('out.h5', { data: moved, batch: 7 });
    expect(resumed).toBe(500);
  });
});

test('a file that changed is told, whatever its date says', async () => {
  const file = at('changing.h5');
  await writeEventFile(file, 300);
  await expect(score('out.h5', { data: [file], ...stopAt(200) })).rejects.toThrow(/^stopped: /);
  await writeEventFile(file, 300, { shift: 1 });
  await expect(score('out.h5', { data: [file] })).rejects.toThrow(/holds scores of other data; /);
});

test('parts that are damaged, cut short or only half there are scored again', async () => {
  await score('out.h5');
  const want = await content('out.h5');
  await expect(score('out.h5', stopAt(900))).rejects.toThrow(/^stopped: /);
  const folder = at('out.h5.partial');
  const part = (index: number) => path.join(folder, `part-00000${index}.bin`);
  const bytes = readFileSync(part(1));
  bytes[700] ^= 4;
  writeFileSync(part(1), bytes);
  truncateSync(part(3), 1000);
  truncateSync(part(5), 0);
  writeFileSync(part(6), readFileSync(part(7)).subarray(0, 24));
  writeFileSync(path.join(folder, 'part-000008.bin.999999999-0123abcd.tmp'), 'half');
  writeFileSync(at('out.h5.999999999-0123abcd.tmp'), 'half');
  expect((await score('out.h5')).resumed).toBe(900 - 400);
  expect(await content('out.h5')).toEqual(want);
  expect(files()).toEqual(['out.h5']);
});

test('a manifest that is damaged is told; restart does without it', async () => {
  await expect(score('out.h5', stopAt(300))).rejects.toThrow(/^stopped: /);
  writeFileSync(at('out.h5.partial/manifest.json'), '{"format": "anomalyclr.partial.9"}');
  await expect(score('out.h5')).rejects.toThrow(/out\.h5\.partial\/manifest\.json: format: /);
  expect(await score('out.h5', { restart: true })).toMatchObject({ resumed: 0, events: total });
});

test("a folder that is somebody else's stays as it is", async () => {
  mkdirSync(at('out.h5.partial'));
  writeFileSync(at('out.h5.partial/thesis.tex'), 'years');
  for (const restart of [false, true])
    await expect(score('out.h5', { restart })).rejects.toThrow(
      /out\.h5\.partial: is no folder of an interrupted score; move it away or name another --out/,
    );
  expect(readdirSync(at('out.h5.partial'))).toEqual(['thesis.tex']);
  rmSync(at('out.h5.partial'), { recursive: true });
  // nor is a file of theirs among ours lost
  await expect(score('out.h5', stopAt(300))).rejects.toThrow(/^stopped: /);
  writeFileSync(at('out.h5.partial/thesis.tex'), 'years');
  await score('out.h5');
  expect(readdirSync(at('out.h5.partial'))).toEqual(['thesis.tex']);
});

test.each(['out.h5', 'out.h5.partial'])('%s in the way is told in one line before anything is scored', async name => {
  if (name === 'out.h5') mkdirSync(at(name));
  else writeFileSync(at(name), '');
  const onJudge = () => Promise.reject(new Error('scored'));
  const call = score('out.h5', { scorer: { onJudge } });
  await expect(call).rejects.toThrow(AnomalyClrError);
  await expect(call).rejects.toThrow(new RegExp(`${name.replaceAll('.', '\\.')}: `));
  await expect(call).rejects.not.toThrow(/\n/);
});

describe('what stopped at an event goes on with another way to take it', () => {
  test('a bad event: fail, then skip; and back', async () => {
    await expect(score('out.h5', { data: [data[3]], onBadEvent: 'fail' })).rejects.toThrow(/c\.h5: event 511, /);
    expect(await score('out.h5', { data: [data[3]] })).toMatchObject({ resumed: 500, skipped: 1 });
    await expect(score('out.h5', { data: [data[3], data[0]], ...stopAt(1000) })).rejects.toThrow(/^stopped: /);
    await expect(score('out.h5', { data: [data[3], data[0]], onBadEvent: 'fail' })).rejects.toThrow(/event 511, /);
  });

  test('an event outside the domain: refuse, then nan; flag, then refuse', async () => {
    const onlyC = { data: [data[3]] };
    const flagged = await score('out.csv', { ...onlyC, scorer: { edge: 900 } });
    const { inDomain } = await readScores(at('out.csv'));
    const outside = inDomain.indexOf(0);
    expect(outside).toBeGreaterThan(partRows);
    const refuse = { ...onlyC, scorer: { edge: 900 }, outOfDomain: 'refuse' } as const;
    await expect(score('out.h5', refuse)).rejects.toThrow(new RegExp(`c\\.h5: event ${outside} is outside`));
    const nan = await score('out.h5', { ...refuse, outOfDomain: 'nan' });
    expect(nan).toMatchObject({ outsideDomain: flagged.outsideDomain, resumed: Math.floor(outside / 100) * 100 });
    const scores = await readScores(at('out.h5'));
    expect(Array.from(scores.score, Number.isNaN)).toEqual(Array.from(inDomain, flag => flag === 0));
    await expect(score('out.h5', { ...refuse, outOfDomain: 'flag', ...stopAt(400) })).rejects.toThrow(/^stopped: /);
    await expect(score('out.h5', refuse)).rejects.toThrow(new RegExp(`c\\.h5: event ${outside} is outside`));
  });
});

test('a scorer without a fingerprint scores at once, whatever the size', async () => {
  const scorer = summing({ edge });
  delete scorer.fingerprint;
  const request = { data, out: at('out.h5'), batch: 32, onBadEvent: 'skip', partRows } as const;
  await expect(scoreFiles({ ...request, ...stopAt(500) }, scorer)).rejects.toThrow(/stopped after \d+ events; .* not/);
  expect(files()).toEqual([]);
  expect(await scoreFiles(request, scorer)).toMatchObject({ events: total, resumed: 0 });
  await expect(scoreFiles({ ...request, shard: { index: 1, of: 2 } }, scorer)).rejects.toThrow(UsageError);
});
