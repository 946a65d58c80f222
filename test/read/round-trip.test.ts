import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import h5wasm, { type Dataset } from 'h5wasm/node';
import { AnomalyClrError, UsageError } from '../../src/errors.js';
import { EventBatchBuilder, take } from '../../src/events/event-batch.js';
import { countEvents, readAll, readEvents, writeEvents } from '../../src/read/index.js';
import {
  anyBatch,
  collect,
  expectSame,
  leadingJetPt,
  paddedEvents,
  particles,
  temporaryFolder,
  writeRaw,
} from './craft.js';

const at = temporaryFolder();

test('what is written is read back bit for bit', async () => {
  await fc.assert(
    fc.asyncProperty(anyBatch(20), fc.constantFrom(0, 1, 9), async (batch, gzip) => {
      const file = at('any.h5');
      expect(await writeEvents(file, [batch], { gzip })).toBe(batch.count);
      expect(await countEvents(file)).toBe(batch.count);
      const { all } = await collect(file);
      expectSame(all, batch);
    }),
    { numRuns: 25, seed: 1 },
  );
});

test('the file has the ADC2021 datasets, gzip after shuffle, and grows over many batches', async () => {
  const file = at('layout.h5');
  const whole = (await collect(await padded('source.h5', 20000))).all;
  const parts = [0, 1, 9000, 20000].map((from, i, all) =>
    take(
      whole,
      Array.from({ length: (all[i + 1] ?? 20000) - from }, (_, k) => from + k),
    ),
  );
  await writeEvents(file, parts, { gzip: 3 });
  expectSame((await collect(file)).all, whole);
  const raw = new h5wasm.File(file, 'r');
  const dataset = raw.get('Particles') as Dataset;
  expect(dataset.shape).toEqual([20000, 19, 4]);
  expect(dataset.dtype).toBe('<f');
  expect(dataset.filters.map(({ id, cd_values }) => [id, ...cd_values])).toEqual([
    [2, 4],
    [1, 3],
  ]);
  expect((raw.get('Particles_Names') as Dataset).value).toEqual(['Pt', 'Eta', 'Phi', 'Class']);
  expect((raw.get('Particles_Classes') as Dataset).value).toEqual([
    'MET_class_1',
    'Four_Ele_class_2',
    'Four_Mu_class_3',
    'Ten_Jet_class_4',
  ]);
  expect(raw.keys()).not.toContain('EvtId');
  raw.close();
});

test.each([
  ['float64 in one piece', { type: Float64Array }],
  ['float32 in one piece', { type: Float32Array }],
  ['float64 in chunks across events and slots', { type: Float64Array, chunks: [7, 5, 3] }],
  ['float32 in chunks, gzip', { type: Float32Array, chunks: [64, 19, 4], gzip: 6 }],
  ['chunks larger than a batch, gzip', { type: Float64Array, chunks: [18000, 19, 4], gzip: 1 }],
])('%s is read the same', async (_, { type, ...storage }) => {
  const events = 18000;
  const values = paddedEvents(events);
  const file = at('storage.h5');
  await writeRaw(file, { Particles: { ...particles(type.from(values)), ...storage } });
  const { all } = await collect(file);
  expect(all.count).toBe(events);
  expect(all.rows[events - 1]).toBe(events - 1);
  expect(Array.from(all.kind.subarray(0, 4))).toEqual([1, 2, 4, 4]);
  expect(all.pt.findIndex((pt, o) => o % 4 === 2 && pt !== leadingJetPt((o - 2) / 4))).toBe(-1);
});

test('start, end and batch choose rows and bound the batches', async () => {
  const file = at('rows.h5');
  await writeRaw(file, { Particles: { ...particles(paddedEvents(10000)), chunks: [999, 19, 4] } });
  const whole = (await collect(file)).all;
  await fc.assert(
    fc.asyncProperty(fc.nat(10000), fc.nat(11000), fc.integer({ min: 100, max: 12000 }), async (a, b, batch) => {
      const [start, end] = [Math.min(a, b), Math.max(a, b)];
      const { all, sizes } = await collect(file, { start, end, batch });
      expect(Math.max(0, ...sizes)).toBeLessThanOrEqual(batch);
      const last = Math.min(end, 10000);
      expectSame(
        all,
        take(
          whole,
          Array.from({ length: last - start }, (_, i) => start + i),
        ),
      );
    }),
    { numRuns: 15, seed: 2 },
  );
  await expect(collect(file, { start: 10001 })).rejects.toThrow(UsageError);
  await expect(collect(file, { batch: 0 })).rejects.toThrow('batch is 0');
});

test('EvtId comes along, also from 32-bit integers', async () => {
  const data = BigInt64Array.of(7n, -1n, 2n ** 62n);
  const file = at('ids.h5');
  await writeRaw(file, { Particles: particles(paddedEvents(3)), EvtId: { data } });
  expect((await collect(file)).all.eventIds).toEqual(data);
  await writeRaw(file, { Particles: particles(paddedEvents(3)), EvtId: { data: Int32Array.of(3, -2, 1) } });
  expect((await collect(file)).all.eventIds).toEqual(BigInt64Array.of(3n, -2n, 1n));
});

test('a consumer may stop early', async () => {
  const file = await padded('early.h5', 30000);
  for await (const batch of readEvents(file, { onBadEvent: 'fail', batch: 10 })) {
    expect(batch.count).toBe(10);
    break;
  }
  expect(await countEvents(file)).toBe(30000);
});

describe('readAll', () => {
  test('joins files, up to maxEvents, and fingerprints them', async () => {
    const [a, b] = [await padded('a.h5', 100), await padded('b.h5', 50)];
    const all = await readAll([a, b], { onBadEvent: 'fail' });
    expect(all.batch.count).toBe(150);
    expect(all.skipped).toBe(0);
    expect(all.files.map(({ events }) => events)).toEqual([100, 50]);
    const some = await readAll([a, b], { onBadEvent: 'fail', maxEvents: 120 });
    expectSame(
      some.batch,
      take(
        all.batch,
        Array.from({ length: 120 }, (_, i) => i),
      ),
    );
    expect(some.files.map(({ events }) => events)).toEqual([100, 20]);
    expect(some.files[0].sha256).toMatch(/^[0-9a-f]{64}$/);
    const copy = at('copy.h5');
    writeFileSync(copy, readFileSync(a));
    const [other] = (await readAll([copy], { onBadEvent: 'fail' })).files;
    expect(other.sha256).toBe(all.files[0].sha256);
    expect(other.sha256).not.toBe(all.files[1].sha256);
  });

  test('keeps EvtId only where all files have it', async () => {
    const [a, b] = [at('with.h5'), await padded('without.h5', 2)];
    await writeRaw(a, { Particles: particles(paddedEvents(2)), EvtId: { data: BigInt64Array.of(5n, 6n) } });
    expect((await readAll([a, a], { onBadEvent: 'fail' })).batch.eventIds).toEqual(BigInt64Array.of(5n, 6n, 5n, 6n));
    expect((await readAll([a, b], { onBadEvent: 'fail' })).batch.eventIds).toBeUndefined();
    expect((await readAll([b, a], { onBadEvent: 'fail' })).batch.eventIds).toBeUndefined();
  });
});

describe('writeEvents refuses', () => {
  const oneEvent = (...objects: [number, number, number, number][]) => {
    const builder = new EventBatchBuilder();
    for (const object of objects) builder.addObject(...object);
    builder.endEvent(0);
    return builder.build();
  };

  test.each([
    [
      'more objects than slots',
      oneEvent(...Array.from({ length: 5 }, () => [9, 0, 0, 2] as [number, number, number, number])),
      /more than 4 objects of kind electron/,
    ],
    ['an unknown class', oneEvent([9, 0, 0, 5]), /unknown class 5/],
    ['rising pT', oneEvent([20, 0, 0, 4], [30, 0, 0, 4]), /slot 10 \(jet\): pT is 30 GeV, above the 20 GeV/],
    ['NaN', oneEvent([20, NaN, 0, 4]), /eta is NaN/],
  ])('%s, and leaves an earlier file as it was', async (_, batch, message) => {
    const file = at('kept/out.h5');
    const folder = path.dirname(file);
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, 'earlier');
    const good = oneEvent([20, 0, 0, 4]);
    await expect(writeEvents(file, [good, batch])).rejects.toThrow(message);
    await expect(writeEvents(file, [good, batch])).rejects.toThrow(AnomalyClrError);
    expect(readFileSync(file, 'utf8')).toBe('earlier');
    expect(readdirSync(folder)).toEqual(['out.h5']);
  });

  test('a mix of batches with and without EvtId, a missing folder, a bad level', async () => {
    const plain = oneEvent([20, 0, 0, 4]);
    const withId = { ...plain, eventIds: BigInt64Array.of(1n) };
    await expect(writeEvents(at('mixed.h5'), [plain, withId])).rejects.toThrow(/some batches have EvtId/);
    await expect(writeEvents(at('no/where.h5'), [plain])).rejects.toThrow(AnomalyClrError);
    await expect(writeEvents(at('x.h5'), [plain], { gzip: 10 })).rejects.toThrow(UsageError);
  });
});

async function padded(name: string, events: number): Promise<string> {
  const file = at(name);
  await writeRaw(file, { Particles: particles(paddedEvents(events)) });
  return file;
}
