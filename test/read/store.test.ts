import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { EventBatchBuilder, range, type EventBatch } from '../../src/events/event-batch.js';
import { readAll, writeEvents } from '../../src/read/index.js';
import { openStore, storeOf, surveyFiles, type EventStore, type StoreOptions } from '../../src/read/store.js';
import { sample } from '../support/cli.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'aclr-store-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => path.join(folder, name);
const options: StoreOptions = { onBadEvent: 'fail', dataKind: 'event', maxEvents: 0, memoryBytes: 0 };
let all: EventBatch;
beforeAll(async () => {
  const { batch } = await readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents: 20_000 });
  await writeEvents(at('a.h5'), [range(batch, 0, 12_000)]);
  await writeEvents(at('b.h5'), [range(batch, 12_000, 20_000)]);
  all = (await readAll([at('a.h5'), at('b.h5')], { onBadEvent: 'fail' })).batch;
});

/** All events, in the order of `stretches`. */
async function everything(store: EventStore, stretches = store.first.length - 1): Promise<EventBatch> {
  const builder = new EventBatchBuilder();
  for (let s = 0; s < stretches; s++) builder.addBatch(await store.read(s));
  return builder.build();
}

test('stretches of files, in any order and at once, are what reading them through gives', async () => {
  const seen: number[] = [];
  const store = await openStore([at('a.h5'), at('b.h5')], { ...options, onBatch: ({ count }) => seen.push(count) });
  expect(store.whole).toBeUndefined();
  expect([...store.first]).toEqual([0, 8192, 12_000, 20_000]);
  expect(seen.reduce((a, b) => a + b)).toBe(20_000);
  expect(store.files.map(({ events }) => events)).toEqual([12_000, 8000]);
  expect(store.bytes).toBe(13 * all.pt.length + 8 * all.count);
  expect(await everything(store)).toEqual(all);
  const [last, first] = await Promise.all([store.read(2), store.read(0)]);
  expect(last.pt).toEqual(range(all, 12_000, 20_000).pt);
  expect(first.eta).toEqual(range(all, 0, 8192).eta);
  await store.close();
});

test('few events stay in memory and look the same', async () => {
  const store = await openStore([at('a.h5'), at('b.h5')], { ...options, memoryBytes: 1e9 });
  expect(store.whole).toEqual(all);
  expect([...store.first]).toEqual([0, 8192, 12_000, 20_000]);
  expect(await everything(store)).toEqual(all);
  const own = storeOf(all);
  expect([...own.first]).toEqual([0, 8192, 16_384, 20_000]);
  expect(await everything(own)).toEqual(all);
});

test('no more events than asked for', async () => {
  for (const memoryBytes of [0, 1e9]) {
    const store = await openStore([at('a.h5'), at('b.h5')], { ...options, memoryBytes, maxEvents: 12_500 });
    expect([store.count, ...store.files.map(({ events }) => events)]).toEqual([12_500, 12_000, 500]);
    expect((await everything(store)).phi).toEqual(range(all, 0, 12_500).phi);
    await store.close();
  }
});

test('a file that changes under way is told by name', async () => {
  await writeEvents(at('c.h5'), [all]);
  const store = await openStore([at('c.h5')], options);
  truncateSync(at('c.h5'), 5000);
  await expect(store.read(1)).rejects.toThrow(/c\.h5: /);
  await store.close();
});

test('what files hold', async () => {
  expect(await surveyFiles([at('a.h5'), at('b.h5')], {})).toEqual({ dataKind: 'event', rows: 20_000 });
  await expect(surveyFiles([at('none.h5')], {})).rejects.toThrow(/none\.h5/);
});
