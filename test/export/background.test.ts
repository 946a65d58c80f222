import { appendFileSync, copyFileSync, rmSync } from 'node:fs';
import { take, type EventBatch, EventBatchBuilder } from '../../src/events/event-batch.js';
import { givenBackground, heldBackBackground, type BackgroundSource } from '../../src/export/background.js';
import { readAll, sha256, writeEvents } from '../../src/read/index.js';
import { Split } from '../../src/train/split.js';
import { expectSame, temporaryFolder } from '../read/craft.js';
import { sample } from '../support/cli.js';

const at = temporaryFolder();
const settings = { seed: 7, validation: 0.25, onBadEvent: 'fail', memory: 2, other: 1 };
let provenance: { files: { file: string; events: number; sha256: string }[] };
let all: EventBatch;

beforeAll(async () => {
  copyFileSync(sample('background_train'), at('large.h5'));
  const { batch } = await readAll([sample('Ato4l')], { onBadEvent: 'fail', maxEvents: 300 });
  await writeEvents(at('small.h5'), [batch]);
  // stops inside the second file, as --max-events does
  const loaded = await readAll([at('small.h5'), at('large.h5'), at('small.h5')], {
    onBadEvent: 'fail',
    maxEvents: 20_000,
  });
  provenance = { files: [...loaded.files] };
  all = loaded.batch;
});

async function readOf(source: BackgroundSource | { reason: string }): Promise<EventBatch> {
  if (!('read' in source)) throw new Error(source.reason);
  const builder = new EventBatchBuilder();
  for await (const batch of source.read()) builder.addBatch(batch);
  return builder.build();
}

test('the events held back are read again, exactly these, over files and past a stop inside one', async () => {
  const source = await heldBackBackground(settings, provenance);
  const { validation } = new Split(20_000, settings).within(0, 20_000);
  const got = await readOf(source);
  expectSame(got, take(all, validation.toSorted()));
  expect(source).toMatchObject({ heldBack: true, total: 5000, skipped: 0 });
  const { files } = source as BackgroundSource;
  expect(files.map(({ file }) => file)).toEqual(['small.h5', 'large.h5']);
  expect(files.map(({ events }) => events)).toEqual([
    validation.filter(e => e < 300).length,
    validation.filter(e => e >= 300).length,
  ]);
  expect(await readOf(source)).toEqual(got); // again the same
});

test('without them there is a reason that names the file by its base name', async () => {
  const reason = async (changes: object) => heldBackBackground({ ...settings, ...changes }, provenance);
  expect(await reason({ validation: 0 })).toEqual({ reason: 'the training held no events back' });
  expect(await reason({ memory: undefined })).toEqual({
    reason: 'the run is of an earlier version, which held other events back',
  });
  const gone = { files: [{ ...provenance.files[0], file: at('gone.h5') }] };
  expect(await heldBackBackground(settings, { ...provenance, schema: 'another' })).toEqual({
    reason: "the training's schema has changed since",
  });
  expect(await heldBackBackground(settings, gone)).toEqual({
    reason: "the training's file gone.h5 is not where it was",
  });
  copyFileSync(at('small.h5'), at('changed.h5'));
  const [small] = provenance.files;
  const changed = { files: [{ ...small, file: at('changed.h5') }] };
  expect(await heldBackBackground(settings, changed)).toMatchObject({ heldBack: true });
  appendFileSync(at('changed.h5'), 'x');
  expect(await heldBackBackground(settings, changed)).toEqual({
    reason: "the training's file changed.h5 has changed since",
  });
  rmSync(at('changed.h5'));
});

test('given files are read whole, one after the other, with their hashes', async () => {
  const source = await givenBackground([at('small.h5'), sample('Ato4l')], { onBadEvent: 'fail' }, {});
  const got = await readOf(source);
  const { batch } = await readAll([at('small.h5'), sample('Ato4l')], { onBadEvent: 'fail' });
  const { eventIds: _, ...columns } = batch;
  expect({ ...got, eventIds: undefined }).toEqual({ ...columns, eventIds: undefined });
  expect(source.total).toBe(batch.count);
  expect(source.files).toEqual([
    { file: 'small.h5', events: 300, sha256: await sha256(at('small.h5')) },
    { file: 'Ato4l.h5', events: batch.count - 300, sha256: await sha256(sample('Ato4l')) },
  ]);
});
