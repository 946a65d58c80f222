import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { printable } from '../../../src/errors.js';
import { cacheSummary } from '../../../src/read/cache/folder.js';
import type { EventSchema } from '../../../src/read/schema/schema.js';
import { countEvents, hashOf, openEvents, readAll, readEvents, sha256 } from '../../../src/read/index.js';
import { paddedEvents, expectSame, particles, temporaryFolder, writeRaw } from '../craft.js';
import { cacheIn, damage, decodeRows, forge, onlyCopy, openRows, packFile, readThrough, type Row } from './support.js';

const at = temporaryFolder();
const sample = path.resolve('sample/Ato4l.h5');

test('a copy of the sample gives what the sample gives, in any stretches', async () => {
  const use = cacheIn(at('sample'));
  const source = await openEvents(sample);
  expectSame(
    (await readThrough(await openEvents(sample, { cache: use }), 3000)).batch,
    (await readAll([sample], { onBadEvent: 'fail' })).batch,
  );
  const copy = await openEvents(sample, { cache: { ...use, write: false } });
  expect([copy.events, copy.dataKind, copy.hasEventIds, copy.stride]).toEqual([
    source.events,
    source.dataKind,
    source.hasEventIds,
    source.stride,
  ]);
  expect(onlyCopy(use.folder)).toMatch(/Ato4l\.h5\.[0-9a-f]{16}\.packed\.arrow$/);
  await fc.assert(
    fc.asyncProperty(fc.nat(source.events), fc.nat(source.events), async (a, b) => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      expectSame((await copy.read(from, to)).batch, (await source.read(from, to)).batch);
    }),
    { numRuns: 10, seed: 3 },
  );
  await copy.close();
  await source.close();
  expect(use.warnings).toEqual([]);
});

test('a reader that stops early, while it is read ahead, leaves the copy as it is', async () => {
  const use = cacheIn(at('early'));
  const large = path.resolve('sample/background_train.h5');
  for await (const _ of readEvents(large, { onBadEvent: 'fail', cache: use })); // makes it
  const copy = onlyCopy(use.folder);
  for (let time = 0; time < 20; time++)
    for await (const { count } of readEvents(large, { onBadEvent: 'fail', cache: { ...use, write: false } })) {
      expect(count).toBeGreaterThan(0);
      break;
    }
  expect(use.warnings).toEqual([]);
  expect(existsSync(copy)).toBe(true);
});

test('bad events, float64, EvtId and events without objects come back as they were', async () => {
  const file = at('crafted.h5');
  const values = paddedEvents(20_000);
  for (let e = 0; e < 20_000; e += 7) values[e * 76 + 9 * 4] = e % 2 === 0 ? NaN : 1e6;
  for (let e = 3; e < 20_000; e += 11) values.fill(0, e * 76, (e + 1) * 76);
  const ids = BigInt64Array.from({ length: 20_000 }, (_, e) => BigInt(e) * 10n ** 14n - 7n);
  await writeRaw(file, { Particles: { ...particles(values), chunks: [999, 19, 4], gzip: 1 }, EvtId: { data: ids } });
  await packFile(file, at('crafted'));
  const source = await openEvents(file);
  const use = cacheIn(at('crafted'), { write: false });
  const copy = await openEvents(file, { cache: use });
  expect(copy.constructor.name).toBe('CachedEvents');
  expect([copy.stride, copy.hasEventIds]).toEqual([999, true]);
  for (const [from, to] of [
    [0, 20_000],
    [0, 8192],
    [8192, 16_384],
    [5, 6],
    [7, 8],
    [8000, 8400],
    [16_384, 20_000],
    [20_000, 20_000],
  ]) {
    const [got, expected] = [await copy.read(from, to), await source.read(from, to)];
    expectSame(got.batch, expected.batch);
    expect(got.problems).toEqual(expected.problems);
  }
  await copy.close();
  await source.close();
});

const object = fc.tuple(
  fc.float({ min: 0, max: 13_999, noNaN: true }),
  fc.float({ min: -10, max: 10, noNaN: true }),
  fc.float({ min: Math.fround(-3.14), max: Math.fround(3.14), noNaN: true }),
  fc.integer({ min: 1, max: 5 }),
);
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
/** As an error of ours has them. */
const message = fc.string({ unit: 'binary', maxLength: 30 }).map(printable);
const anyRow = (withId: boolean): fc.Arbitrary<Row> => {
  const id = withId ? int64 : fc.constant(undefined);
  const rows = fc.oneof(
    { weight: 6, arbitrary: fc.array(object, { maxLength: 40 }).map(objects => ({ objects })) },
    { weight: 1, arbitrary: message.map(problem => ({ problem })) },
  );
  return fc.oneof(
    {
      weight: 7,
      arbitrary: fc
        .tuple(rows, id)
        .map(([row, given]): Row => ({ ...row, ...(given === undefined ? {} : { id: given }) })),
    },
    { weight: 1, arbitrary: fc.constant<Row>('cut') },
  );
};

test('any rows, good, bad and cut, are the same from a copy', async () => {
  let round = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.boolean().chain(withId => fc.array(anyRow(withId), { maxLength: 60 })),
      fc.integer({ min: 1, max: 70 }),
      fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 4 }),
      async (rows, step, stretches) => {
        const use = cacheIn(at(`rows${round++}`));
        const name = `${use.folder}.source`;
        await readThrough(await openRows(name, rows, use), step);
        if (rows.length === 0) return expect(existsSync(use.folder)).toBe(false);
        const copy = await openRows(name, [], use);
        for (const [a, b] of [[0, rows.length], ...stretches]) {
          const [from, to] = [a % (rows.length + 1), b % (rows.length + 1)].toSorted((x, y) => x - y);
          const [got, expected] = [await copy.read(from, to), decodeRows(rows, from, to)];
          const { eventIds, ...batch } = expected.batch;
          expectSame(got.batch, copy.hasEventIds ? { ...batch, eventIds: eventIds ?? new BigInt64Array(0) } : batch);
          expect(got.problems).toEqual(expected.problems);
        }
        await copy.close();
        expect(use.warnings).toEqual([]);
      },
    ),
    { numRuns: 40, seed: 11 },
  );
});

test('whole batches without bad rows are views of the file, and what is written into them stays away from it', async () => {
  const copy = await packFile(await padded('views.h5', 10_000), at('views'));
  const before = readFileSync(copy);
  const use = cacheIn(at('views'));
  const file = await openEvents(at('views.h5'), { cache: use });
  const { batch } = await file.read(0, 8192);
  expect(new Set([batch.pt, batch.eta, batch.phi, batch.kind, batch.offsets].map(({ buffer }) => buffer)).size).toBe(1);
  const pt = batch.pt.slice();
  batch.pt.fill(-1);
  const again = await file.read(0, 8192);
  expect(
    Buffer.from(again.batch.pt.buffer, again.batch.pt.byteOffset, again.batch.pt.byteLength).equals(
      Buffer.from(pt.buffer),
    ),
  ).toBe(true);
  await file.close();
  expect(again.batch.pt[5]).toBe(pt[5]);
  expect(readFileSync(copy).equals(before)).toBe(true);
});

describe('when a copy is made and when it is used', () => {
  test('only of files that are large, read in order and to their end, under write', async () => {
    const file = await padded('when.h5', 20_000);
    const none = async (name: string, changes: object, read: (use: ReturnType<typeof cacheIn>) => Promise<unknown>) => {
      const use = cacheIn(at(name), changes);
      await read(use);
      expect([existsSync(use.folder) ? readdirSync(use.folder) : [], use.warnings]).toEqual([[], []]);
    };
    const all = async (use: ReturnType<typeof cacheIn>) => readThrough(await openEvents(file, { cache: use }), 8192);
    await none('small', { least: undefined }, all);
    await none('small2', { least: statSync(file).size + 1 }, all);
    await none('read-only', { write: false }, all);
    await none('counted', {}, use => countEvents(file, { cache: use }));
    await none('part', {}, async use => {
      for await (const batch of readEvents(file, { onBadEvent: 'fail', cache: use, end: 19_999 }))
        expect(batch.count).toBeGreaterThan(0);
    });
    await none('late', {}, async use => {
      for await (const batch of readEvents(file, { onBadEvent: 'fail', cache: use, start: 1 }))
        expect(batch.count).toBeGreaterThan(0);
    });
    await none('stopped', {}, async use => {
      for await (const batch of readEvents(file, { onBadEvent: 'fail', cache: use })) if (batch.count > 0) break;
    });
    await none('jumping', {}, async use => {
      const source = await openEvents(file, { cache: use });
      for (const from of [0, 10_000, 5000, 15_000]) await source.read(from, from + 5000);
      await source.close();
    });
    const use = cacheIn(at('least'), { least: statSync(file).size });
    await all(use);
    onlyCopy(use.folder);
  });

  test('a file whose content or time changes is read itself, and gets another copy', async () => {
    const file = await padded('changed.h5', 9000);
    const use = cacheIn(at('changed'));
    const events = async () => (await readThrough(await openEvents(file, { cache: use }), 8192)).batch;
    const isCopy = async () => {
      const opened = await openEvents(file, { cache: { ...use, write: false } });
      await opened.close();
      return opened.constructor.name === 'CachedEvents';
    };
    const first = await events();
    expect(await isCopy()).toBe(true);
    const copy = readFileSync(onlyCopy(use.folder));
    const { mtimeMs } = statSync(file);
    const bytes = readFileSync(file);
    const place = bytes.indexOf(Buffer.from(Float64Array.of(first.pt[0]).buffer));
    bytes.writeDoubleLE(first.pt[0] + 1, place); // in the first of the sampled blocks
    writeFileSync(file, bytes);
    utimesSync(file, mtimeMs / 1000, mtimeMs / 1000);
    expect(await isCopy()).toBe(false);
    expect((await events()).pt[0]).toBe(first.pt[0] + 1);
    expect(await isCopy()).toBe(true);
    expect(readFileSync(onlyCopy(use.folder)).equals(copy)).toBe(false);
    utimesSync(file, 1e9, 1e9);
    expect(await isCopy()).toBe(false);
    await events();
    expect(await isCopy()).toBe(true);
    expect(use.warnings).toEqual([]);
  });

  test('a file that changes while it is read is refused, and gets none', async () => {
    const file = await padded('under.h5', 9000);
    const use = cacheIn(at('under'));
    const source = await openEvents(file, { cache: use });
    await source.read(0, 5000);
    appendFileSync(file, 'x');
    await expect(source.read(5000, 9000)).rejects.toThrow(/under\.h5: has changed while it was in use; leave it/);
    await source.close();
    expect(readdirSync(use.folder)).toEqual([]);
  });

  test('each schema has a copy of its own, and that of another version of the program is not used', async () => {
    const use = cacheIn(at('versions'));
    const name = at('versions.source');
    const schema: EventSchema = { name: 'one', data: 'event', unit: 'GeV', phi: 'wrap', cuts: [], objects: [] };
    const [plain, cut]: Row[][] = [[{ objects: [[20, 0, 1, 1]] }], ['cut']];
    const events = async (rows: Row[], by?: EventSchema) =>
      (await readThrough(await openRows(name, rows, use, by), 10)).batch.count;
    expect([await events(plain), await events(cut, schema), await events(plain, { ...schema, name: 'two' })]).toEqual([
      1, 0, 1,
    ]);
    expect(readdirSync(use.folder)).toHaveLength(3);
    expect([await events(cut), await events(plain, schema)]).toEqual([1, 0]);

    const other = cacheIn(at('version'));
    await readThrough(await openRows(name, plain, other), 10);
    const copy = onlyCopy(other.folder);
    damage(copy, copy, bytes =>
      forge(bytes, (_, header) => (header['version'] = String(header['version']).replace(/\d/g, '9'))),
    );
    expect((await readThrough(await openRows(name, cut, other), 10)).batch.count).toBe(0);
    expect(other.warnings).toEqual([]);
  });

  test('its SHA-256 is that of the source', async () => {
    const file = await padded('hashed.h5', 9000);
    await packFile(file, at('hashed'));
    const use = cacheIn(at('hashed'));
    const expected = await sha256(file);
    expect(await hashOf(file, { cache: use })).toBe(expected);
    expect((await readAll([file], { onBadEvent: 'fail', cache: use })).files[0].sha256).toBe(expected);
    appendFileSync(file, 'x');
    expect(await hashOf(file, { cache: use })).toBe(await sha256(file));
    expect(await hashOf(file)).not.toBe(expected);
  });

  test('the copies used longest ago make room', async () => {
    const folder = at('room');
    mkdirSync(folder);
    const files = await Promise.all(['a', 'b', 'c'].map(name => padded(`room-${name}.h5`, 1000)));
    const pack = async (file: string, most: number) =>
      readThrough(await openEvents(file, { cache: cacheIn(folder, { most }) }), 8192);
    writeFileSync(path.join(folder, 'mine.arrow'), "not one of the program's");
    await pack(files[0], Infinity);
    await pack(files[1], Infinity);
    const { copies, bytes } = await cacheSummary(folder);
    expect([copies, bytes > 0]).toEqual([2, true]);
    const copyOf = (name: string) => readdirSync(folder).find(one => one.startsWith(`room-${name}`)) ?? '';
    utimesSync(path.join(folder, copyOf('a')), 2e9, 1e9);
    utimesSync(path.join(folder, copyOf('b')), 1e9, 1e9);
    await pack(files[2], bytes); // the size of two
    expect(['a', 'b', 'c'].map(copyOf).map(Boolean)).toEqual([true, false, true]);
    await pack(files[1], 1);
    expect(['a', 'b', 'c'].map(copyOf).map(Boolean)).toEqual([false, true, false]);
    expect(readdirSync(folder)).toContain('mine.arrow');
  });
});

async function padded(name: string, events: number): Promise<string> {
  await writeRaw(at(name), { Particles: particles(paddedEvents(events)) });
  return at(name);
}
