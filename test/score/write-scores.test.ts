import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { AnomalyClrError, UsageError } from '../../src/errors.js';
import { readScores, type Scores } from '../../src/score/read-scores.js';
import { openScoreWriter } from '../../src/score/write-scores.js';

const folder = mkdtempSync(path.join(tmpdir(), 'anomalyclr-scores-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => path.join(folder, name);

const anyScores: fc.Arbitrary<Scores> = fc
  .tuple(
    fc.array(fc.tuple(fc.float(), fc.nat(1), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), { maxLength: 50 }),
    fc.boolean(),
  )
  .map(([rows, withIds]) => ({
    score: Float32Array.from(rows, row => (Object.is(row[0], -0) ? 0 : row[0])), // CSV has no -0
    inDomain: Uint8Array.from(rows, row => row[1]),
    ...(withIds ? { eventIds: BigInt64Array.from(rows, row => row[2]) } : {}),
  }));

/** Writes in pieces of `step`. */
async function write(file: string, { score, inDomain, eventIds }: Scores, step = 7): Promise<void> {
  const writer = await openScoreWriter(file, { hasEventIds: eventIds !== undefined });
  for (let i = 0; i < score.length; i += step)
    await writer.write(score.subarray(i, i + step), inDomain.subarray(i, i + step), eventIds?.subarray(i, i + step));
  await writer.close();
}

/** What an independent reader makes of it. */
async function readParquet(file: string): Promise<Scores> {
  const buffer = await asyncBufferFromFile(file);
  const rows = await parquetReadObjects({ file: buffer });
  const names = (await parquetMetadataAsync(buffer)).schema.slice(1).map(({ name }) => name);
  return {
    score: Float32Array.from(rows, row => row.score),
    inDomain: Uint8Array.from(rows, row => row.in_domain),
    ...(names.includes('EvtId') ? { eventIds: BigInt64Array.from(rows, row => row.EvtId) } : {}),
  };
}

test.each(['.h5', '.hdf5', '.csv', '.CSV', '.parquet'])('%s: what is written is read back', async suffix => {
  const read = suffix === '.parquet' ? readParquet : readScores;
  await fc.assert(
    fc.asyncProperty(anyScores, fc.integer({ min: 1, max: 60 }), async (scores, step) => {
      const file = at(`scores${suffix}`);
      await write(file, scores, step);
      expect(await read(file)).toEqual(scores);
      if (suffix === '.parquet') expect(await readScores(file)).toEqual(scores);
    }),
    { numRuns: 20, seed: 7 },
  );
});

test.each(['.h5', '.csv', '.parquet'])('%s: many more events than are held at once', async suffix => {
  const events = 150_000;
  const scores = {
    score: Float32Array.from({ length: events }, (_, i) => Math.sin(i) * 100),
    inDomain: Uint8Array.from({ length: events }, (_, i) => i % 2),
    eventIds: BigInt64Array.from({ length: events }, (_, i) => BigInt(i) << 20n),
  };
  const file = at(`large${suffix}`);
  await write(file, scores, 8192);
  const got = suffix === '.parquet' ? await readParquet(file) : await readScores(file);
  for (const column of ['score', 'inDomain', 'eventIds'] as const)
    expect(Buffer.from(got[column]!.buffer).equals(Buffer.from(scores[column].buffer))).toBe(true);
  if (suffix === '.parquet') {
    const { row_groups, schema } = await parquetMetadataAsync(await asyncBufferFromFile(file));
    expect(row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([65536, 65536, 18928]);
    expect(schema.slice(1).map(({ name, type, converted_type }) => [name, type, converted_type])).toEqual([
      ['score', 'FLOAT', undefined],
      ['in_domain', 'INT32', 'UINT_8'],
      ['EvtId', 'INT64', undefined],
    ]);
  }
});

test('CSV has a head, nine digits and no more', async () => {
  const file = at('text.csv');
  await write(file, { score: Float32Array.of(0.1, 12345.678, 1e-20), inDomain: Uint8Array.of(1, 0, 1) });
  expect(readFileSync(file, 'utf8')).toBe('score,in_domain\n0.100000001,1\n12345.6777,0\n9.99999968e-21,1\n');
});

test.each(['.h5', '.csv', '.parquet'])(
  '%s: nothing is in place before close, nothing is left after abort',
  async suffix => {
    const sub = mkdtempSync(at('abort-'));
    const file = path.join(sub, `scores${suffix}`);
    writeFileSync(file, 'earlier');
    const writer = await openScoreWriter(file, { hasEventIds: false });
    await writer.write(Float32Array.of(1), Uint8Array.of(1));
    expect(readFileSync(file, 'utf8')).toBe('earlier');
    expect(readdirSync(sub)).toHaveLength(2);
    await writer.abort();
    expect(readdirSync(sub)).toEqual([path.basename(file)]);
    expect(readFileSync(file, 'utf8')).toBe('earlier');
  },
);

test('wrong use is told', async () => {
  await expect(openScoreWriter(at('scores.txt'), { hasEventIds: false })).rejects.toThrow(UsageError);
  await expect(openScoreWriter(at('scores'), { hasEventIds: false })).rejects.toThrow(/use .h5, .hdf5, .csv, .parquet/);
  for (const suffix of ['.h5', '.csv', '.parquet'])
    await expect(openScoreWriter(at(`no/where${suffix}`), { hasEventIds: false })).rejects.toThrow(AnomalyClrError);
  const writer = await openScoreWriter(at('uneven.csv'), { hasEventIds: true });
  await expect(writer.write(Float32Array.of(1, 2), Uint8Array.of(1, 0), BigInt64Array.of(1n))).rejects.toThrow(
    /2 scores, 2 in-domain flags, 1 event ids/,
  );
  await writer.abort();
});

describe('readScores refuses', () => {
  test.each([
    ['', /is empty/],
    ['a,b\n1,2\n', /first line is "a,b", expected score,in_domain/],
    ['score,in_domain\n0.5,2\n', /row 1 is "0.5,2"/],
    ['score,in_domain\n0.5,1\n,1\n', /row 2 is ",1"/],
    ['score,in_domain,EvtId\n0.5,1\n', /row 1 is "0.5,1"/],
    ['score,in_domain\n0.5,1,7\n', /row 1 is "0.5,1,7"/],
  ])('CSV %j', async (text, message) => {
    writeFileSync(at('bad.csv'), text);
    await expect(readScores(at('bad.csv'))).rejects.toThrow(message);
    await expect(readScores(at('bad.csv'))).rejects.toThrow(AnomalyClrError);
  });

  test('other files', async () => {
    await expect(readScores(at('none.h5'))).rejects.toThrow(/no such file/);
    await expect(readScores(at('none.csv'))).rejects.toThrow(/no such file/);
    await expect(readScores(at('scores.txt'))).rejects.toThrow(UsageError);
    writeFileSync(at('text.parquet'), 'text');
    await expect(readScores(at('text.parquet'))).rejects.toThrow(/text\.parquet: cannot be opened \(/);
    writeFileSync(at('text.h5'), 'text');
    await expect(readScores(at('text.h5'))).rejects.toThrow(AnomalyClrError);
    const sample = path.join(process.cwd(), 'sample/Ato4l.h5');
    await expect(readScores(sample)).rejects.toThrow(/no dataset score/);
  });
});
