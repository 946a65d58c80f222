import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { Draws } from '../../../src/events/philox.js';
import { readPacked } from '../../../src/read/cache/packed-events.js';
import { DamagedCopy, PackedFile } from '../../../src/read/cache/packed-file.js';
import type { DecodedEvents } from '../../../src/read/event-file.js';
import { expectSame, temporaryFolder } from '../craft.js';
import { blocksOf, cacheIn, damage, decodeRows, forge, onlyCopy, openRows, readThrough, type Row } from './support.js';

const at = temporaryFolder();
const name = at('source');
const folder = at('copies');

/** 9,000 rows, two batches, with bad and cut ones. */
const rows: Row[] = Array.from({ length: 9000 }, (_, row): Row => {
  if (row % 50 === 3) return { problem: `event ${row}, slot 4 (electron): pT is NaN`, id: BigInt(row) };
  if (row % 50 === 4) return 'cut';
  const objects = Array.from(
    { length: row % 4 },
    (_, o) => [50 - 9 * o + (row % 97), o / 8, 0.5 - o / 4, 1 + o] as const,
  );
  return { objects, id: BigInt(row) * 12_345_678_901n };
});
const expected = decodeRows(rows, 0, rows.length);
let place: string;
let good: string;

beforeAll(async () => {
  await readThrough(await openRows(name, rows, cacheIn(folder)), 5000);
  place = onlyCopy(folder);
  good = at('good.arrow');
  copyFileSync(place, good);
});

function expectEvents(got: DecodedEvents): void {
  expectSame(got.batch, expected.batch);
  expect(got.problems).toEqual(expected.problems);
}

/** Numbers of a seed below `most`. */
function numbers(seed: number, most: number, count: number): number[] {
  const draws = new Draws(seed, 0, 0, 1);
  return Array.from({ length: count }, () => Math.floor(draws.uniform() * most));
}

test('a copy with a changed byte, or cut, gives the same events, from itself or from its source, with a warning then', async () => {
  const { length } = readFileSync(good);
  const header = readFileSync(good).lastIndexOf('{"format":');
  const flips = [...numbers(1, length, 140), ...numbers(2, length - header + 4000, 60).map(from => length - 1 - from)];
  const ends = [0, 1, 7, 8, 9, ...numbers(3, length, 25), length - 1];
  const changes = [
    ...flips.map((byte, i) => (bytes: Buffer) => {
      bytes[byte] ^= 1 << (i % 8);
      return bytes;
    }),
    ...ends.map(end => (bytes: Buffer) => bytes.subarray(0, end)),
    (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('more')]),
    (bytes: Buffer) => Buffer.concat([bytes, bytes]),
    (bytes: Buffer) => bytes.fill(255),
    (bytes: Buffer) => bytes.fill(0),
  ];
  let refused = 0;
  for (const change of changes) {
    damage(good, place, change);
    const told: string[] = [];
    const use = cacheIn(folder, { write: false, warn: line => void told.push(line) });
    expectEvents(await readThrough(await openRows(name, rows, use), 4096));
    if (!existsSync(place)) refused++;
  }
  expect(refused).toBeGreaterThan(changes.length * 0.8); // the rest met padding and what nobody reads
});

test('a damaged copy is told of once, removed and made again', async () => {
  const use = cacheIn(folder);
  const flip = (bytes: Buffer) => {
    bytes[blocksOf(bytes)[1].end - 100] ^= 1;
    return bytes;
  };
  damage(good, place, flip);
  const opened = await openRows(name, rows, use);
  await opened.read(0, 10); // of the other batch
  expect(use.warnings).toEqual([]);
  expectEvents(await readThrough(opened, 2000));
  expect(use.warnings).toEqual([
    `${place}: this packed copy is not used (batch 1 is not as it was written) and removed; ${name} itself is read`,
  ]);
  expectEvents(await readThrough(await openRows(name, rows, use), 2000));
  expect(readFileSync(onlyCopy(folder)).equals(readFileSync(good))).toBe(true);
  expectEvents(await readThrough(await openRows(name, [], use), 2000));
  expect(use.warnings).toHaveLength(1);
});

test.each([
  ['cut', (file: string) => truncateSync(file, 4096), /not used \(it ends too early\)/],
  ['emptied', (file: string) => truncateSync(file, 0), /not used \(it ends too early\)/],
  [
    'written to, where it was read before, at a time that does not show',
    (file: string) => {
      const { atime, mtime } = statSync(file);
      const bytes = readFileSync(file);
      bytes[2000] ^= 1;
      writeFileSync(file, bytes);
      utimesSync(file, atime, mtime);
    },
    /not used \(batch 0 is not as it was written\)/,
  ],
])('a copy that is %s while it is read: the same events, from its source', async (_, change, warning) => {
  copyFileSync(good, place);
  const use = cacheIn(folder, { write: false });
  const opened = await openRows(name, rows, use);
  await opened.read(0, 10);
  change(place);
  expectEvents(await readThrough(opened, 9000));
  expect(use.warnings).toEqual([expect.stringMatching(warning)]);
  expect(existsSync(place)).toBe(false);
});

test.each(['removed', 'replaced'])('a copy that is %s while it is read stays as it was for its reader', async how => {
  copyFileSync(good, place);
  const use = cacheIn(folder, { write: false });
  const opened = await openRows(name, rows, use);
  rmSync(place);
  if (how === 'replaced') writeFileSync(place, 'another');
  expectEvents(await readThrough(opened, 9000));
  expect(use.warnings).toEqual([]);
});

test('a folder in its place, or a file of another kind', async () => {
  for (const make of [
    () => mkdirSync(place),
    () => writeFileSync(place, '{"format":"anomalyclr.packed.1"}ARROW1'),
    () => copyFileSync(path.resolve('sample/Ato4l.h5'), place),
  ]) {
    rmSync(place, { recursive: true, force: true });
    make();
    const use = cacheIn(folder);
    expectEvents(await readThrough(await openRows(name, rows, use), 9000));
    expect(use.warnings).toEqual([
      expect.stringMatching(/not used \(.*\) and removed|is kept there \(is a folder, not a file\)/),
    ]);
  }
});

describe('what someone put into a copy on purpose, its checksums made to fit', () => {
  /** The first reading of the forged copy: its events, or why it is refused. Nothing else may come of it. */
  async function met(
    change: (blocks: Buffer, header: Record<string, unknown>) => void,
  ): Promise<DecodedEvents | string> {
    const forged = at('forged.arrow');
    damage(good, forged, bytes => forge(bytes, change));
    try {
      const file = await PackedFile.open(forged);
      try {
        return await readPacked(file, 0, file.header.rows);
      } finally {
        await file.close();
      }
    } catch (error) {
      expect(error).toBeInstanceOf(DamagedCopy);
      return (error as Error).message;
    }
  }

  function expectValid({ batch, problems }: DecodedEvents): void {
    const { count, offsets, pt, eta, phi, kind } = batch;
    expect([offsets.length, offsets[0], offsets[count], batch.rows.length]).toEqual([count + 1, 0, pt.length, count]);
    expect([eta.length, phi.length, kind.length]).toEqual([pt.length, pt.length, pt.length]);
    expect(offsets.every((offset, e) => e === 0 || offset >= offsets[e - 1])).toBe(true);
    expect(kind.every(one => one >= 1 && one <= 5)).toBe(true);
    expect(pt.every(one => one >= 0 && one < Infinity)).toBe(true);
    expect([eta, phi].every(column => column.every(Number.isFinite))).toBe(true);
    expect(problems.every(({ message }) => typeof message === 'string')).toBe(true);
  }

  test('any bytes of its batches', async () => {
    const end = blocksOf(readFileSync(good)).at(-1)?.end ?? 0;
    const [first] = blocksOf(readFileSync(good));
    const places = [
      ...numbers(4, end - 8, 80).map(byte => byte + 8),
      ...numbers(5, 700, 120).map(byte => first.at + byte), // the message before the columns
    ];
    let refused = 0;
    for (const [i, byte] of places.entries()) {
      const value = [0, 255, 127, 128, 1 << (i % 8)][i % 5];
      const got = await met(blocks => (blocks[byte] = i % 5 === 4 ? blocks[byte] ^ value : value));
      if (typeof got === 'string') refused++;
      else expectValid(got);
    }
    expect(refused).toBeGreaterThan(30);
    expect(refused).toBeLessThan(places.length);
  });

  const columnAt = (bytes: Buffer, column: Float32Array | Uint8Array | Int32Array): number => {
    const found = bytes.indexOf(Buffer.from(column.buffer, column.byteOffset, column.byteLength));
    expect(found).toBeGreaterThan(0);
    return found;
  };
  const some = (column: Float32Array) => column.slice(0, 500);
  test.each<[string, (blocks: Buffer) => void]>([
    ['a pT that is NaN', blocks => blocks.writeFloatLE(NaN, columnAt(blocks, some(expected.batch.pt)) + 80)],
    ['a pT below 0', blocks => blocks.writeFloatLE(-1, columnAt(blocks, some(expected.batch.pt)) + 80)],
    ['an infinite eta', blocks => blocks.writeFloatLE(-Infinity, columnAt(blocks, some(expected.batch.eta)) + 80)],
    ['a phi that is NaN', blocks => blocks.writeFloatLE(NaN, columnAt(blocks, some(expected.batch.phi)) + 80)],
    ['a kind 0', blocks => (blocks[columnAt(blocks, expected.batch.kind.slice(0, 500)) + 80] = 0)],
    ['a kind 6', blocks => (blocks[columnAt(blocks, expected.batch.kind.slice(0, 500)) + 80] = 6)],
    [
      'offsets that fall',
      blocks => blocks.writeInt32LE(2 ** 30, columnAt(blocks, Int32Array.of(0, 0, 1, 3, 3, 3)) + 8),
    ],
    ['offsets below 0', blocks => blocks.writeInt32LE(-1, columnAt(blocks, Int32Array.of(0, 0, 1, 3, 3, 3)))],
  ])('%s', async (_, change) => {
    expect(await met(change)).toBe('a batch holds what no event can be');
  });

  test.each<[string, (header: Record<string, unknown>) => void]>([
    ['more rows', header => (header['rows'] = 9001)],
    ['fewer rows', header => (header['rows'] = 8000)],
    [
      'no EvtId',
      header =>
        header['hasEventIds'] &&
        Object.assign(header, { hasEventIds: false, version: `${String(header['version']).slice(1)}` }),
    ],
    ['a sum that is none', header => (header['sha256'] = 'g'.repeat(64))],
    ['other batches', header => (header['batchRows'] = 4096)],
    ['a batch of no rows', header => (header['batchRows'] = -192)],
    ['another kind of data', header => (header['data'] = 'evnet')],
    ['an empty key', header => (header['stride'] = 0)],
  ])('a header with %s', async (_, change) => {
    const got = await met((_blocks, header) => change(header));
    if (typeof got !== 'string') expectValid(got);
    else expect(got).toMatch(/^(its|a) /);
  });
});
