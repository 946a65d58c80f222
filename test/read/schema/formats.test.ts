import { EventBatchBuilder } from '../../../src/events/event-batch.js';
import { openEvents, readEvents } from '../../../src/read/index.js';
import { parseSchema } from '../../../src/read/schema/schema.js';
import { expected, files, fixture, plain } from './fixtures.js';

async function readWith(file: string, options: Parameters<typeof readEvents>[1]) {
  const builder = new EventBatchBuilder();
  for await (const batch of readEvents(file, options)) builder.addBatch(batch);
  return builder.build();
}

describe.each(files)('$file, as Python wrote it', ({ file, schema, holds }) => {
  test('has the events that Python finds in it, bit for bit', async () => {
    const batch = await readWith(fixture(file), { onBadEvent: 'fail', schema: await schema() });
    expect(plain(batch)).toEqual(expected[holds]);
    expect(batch.count).toBeGreaterThan(10);
  });

  test('gives the same rows in whatever pieces they are read, forwards and back', async () => {
    const source = await openEvents(fixture(file), { schema: await schema() });
    const whole = await source.read(0, source.events);
    expect(plain(whole.batch)).toEqual(expected[holds]);
    for (const size of [1, 5]) {
      const starts = Array.from({ length: Math.ceil(source.events / size) }, (_, k) => k * size);
      const builders = await [starts, starts.toReversed()].reduce(
        async (before, order) => {
          const all = await before;
          const parts = new Map<number, Awaited<ReturnType<typeof source.read>>>();
          for (const from of order) parts.set(from, await source.read(from, Math.min(source.events, from + size)));
          const builder = new EventBatchBuilder();
          for (const from of starts) {
            const part = parts.get(from);
            if (part) builder.addBatch(part.batch);
          }
          return [...all, builder];
        },
        Promise.resolve([] as EventBatchBuilder[]),
      );
      for (const builder of builders) expect(plain(builder.build())).toEqual(expected[holds]);
    }
    await source.close();
  });
});

test('blocks of LZ4 that point into those before them are unpacked', async () => {
  const schema = parseSchema({ objects: { met: { pt: 'MET_pt', phi: 'MET_phi' } } }, 'met.yaml');
  const { pt, count } = await readWith(fixture('blocks.feather'), { onBadEvent: 'fail', schema });
  expect(count).toBe(12000);
  expect(pt.every((value, i) => value === i % 7)).toBe(true);
});

test('without a schema a file says what it has', async () => {
  await expect(openEvents(fixture('flat.parquet'))).rejects.toThrow(
    /flat\.parquet: needs --schema, which says what its branches mean; it has "Muon_pt", .* and 3 more$/,
  );
  await expect(openEvents(fixture('stored.npz'))).rejects.toThrow(/needs --schema.*"MET"/);
  await expect(openEvents(fixture('jetnet.h5'))).rejects.toThrow(/no dataset Particles.*--schema/);
});
