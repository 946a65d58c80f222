import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { AnomalyClrError } from '../../src/errors.js';
import { openEvents, readAll, type Reading } from '../../src/read/index.js';
import { SeenFiles } from '../../src/read/seen-files.js';
import { openStore } from '../../src/read/store.js';
import { scoreFiles } from '../../src/score/score-files.js';
import { train } from '../../src/train/run.js';
import { parseOptions } from '../../src/config/parse.js';
import { openCached } from '../../src/read/cache/index.js';
import { damage, onlyCopy, openRows, packFile, readThrough, cacheIn, type Row } from '../read/cache/support.js';
import { paddedEvents, particles, temporaryFolder, writeRaw } from '../read/craft.js';
import { summing } from '../score/scoring.js';
import { sample } from '../support/cli.js';
import { stoppingAt } from '../support/training.js';
import { tinyTraining } from './kill-data.js';

// Event files that others change between two looks of one command: told in one line, whatever became of them.

const at = temporaryFolder();
const rows = 20_000;

beforeAll(async () => {
  await writeRaw(at('good.h5'), { Particles: particles(Float32Array.from(paddedEvents(rows))) });
  const other = Float32Array.from(paddedEvents(rows));
  for (let e = 0; e < rows; e++) other[e * 76] += 1;
  await writeRaw(at('other.h5'), { Particles: particles(other) });
});

/** What may become of a file, and what is said of it. */
const fates: [fate: string, change: (file: string) => void, said: RegExp][] = [
  ['is removed', file => rmSync(file), /no such file/],
  [
    'is replaced by a file of the same size',
    file => replace(file, 'other.h5'),
    /has changed while it was in use; leave it/,
  ],
  ['is written anew in place', file => copyFileSync(at('other.h5'), file), /has changed while it was in use; leave it/],
  ['is cut', file => truncateSync(file, 100_000), /has changed while it was in use; leave it/],
  ['is emptied', file => truncateSync(file, 0), /has changed while it was in use; leave it/],
  ['grows', file => appendFileSync(file, 'x'), /has changed while it was in use; leave it/],
  [
    'becomes a folder',
    file => {
      rmSync(file);
      mkdirSync(file);
    },
    /has changed while it was in use; leave it|is a folder/,
  ],
];

function replace(file: string, by: string): void {
  copyFileSync(at(by), `${file}.new`);
  renameSync(`${file}.new`, file);
}

/** A file of its own for each test. */
let files = 0;
function fresh(): string {
  const file = at(`events-${files++}.h5`);
  copyFileSync(at('good.h5'), file);
  utimesSync(file, 1e9, 1e9); // so that any change shows, however coarse the times of the file system are
  return file;
}

async function mustFail(work: Promise<unknown>, file: string, said: RegExp): Promise<void> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AnomalyClrError);
  expect((error as Error).message).toMatch(said);
  expect((error as Error).message).toContain(file);
  expect((error as Error).message).not.toContain('\n');
}

describe.each(fates)('a file that %s', (_, change, said) => {
  test('between the look at it and its reading', async () => {
    const file = fresh();
    const reading: Reading = { onBadEvent: 'fail', seen: new SeenFiles() };
    await (await openEvents(file, reading)).close();
    change(file);
    await mustFail(readAll([file], reading), file, said);
  });

  test('between two stretches of a reading', async () => {
    const file = fresh();
    const source = await openEvents(file, {});
    try {
      await source.read(0, 5000);
      change(file);
      await mustFail(source.read(5000, 10_000), file, said);
    } finally {
      await source.close();
    }
  });

  test('while its events are read, and before its hash is taken', async () => {
    const file = fresh();
    const onBatch = (): void => {
      onBatch.changed ||= (change(file), true);
    };
    onBatch.changed = false;
    const how = { onBadEvent: 'fail', dataKind: 'event', maxEvents: 100, memoryBytes: 1e9, onBatch } as const;
    await mustFail(openStore([file], how), file, said);
  });

  test('between two epochs of a training that reads it again', async () => {
    const file = fresh();
    const store = await openStore([file], { onBadEvent: 'fail', dataKind: 'event', maxEvents: 0, memoryBytes: 0 });
    try {
      await store.read(1);
      change(file);
      await mustFail(store.read(0), file, said);
    } finally {
      await store.close();
    }
  });

  test('between two parts of its scoring: no score file, and what was kept is not taken for the new file', async () => {
    const file = fresh();
    const out = `${file}.scores.csv`;
    const request = { data: [file], out, batch: 1000, onBadEvent: 'fail', partRows: 2000 } as const;
    let judged = 0;
    const scorer = summing({
      async onJudge(events) {
        if (judged < 9000 && (judged += events) >= 9000) change(file);
      },
    });
    await mustFail(scoreFiles({ ...request, seen: new SeenFiles() }, scorer), file, said);
    const again = scoreFiles({ ...request, seen: new SeenFiles() }, summing());
    await mustFail(again, file, /no such file|holds scores of|is a folder|damaged|not a file of events/);
  });
});

test('a file that changes between two looks is read as it is by who looks but once', async () => {
  const file = fresh();
  await readAll([file], { onBadEvent: 'fail' });
  replace(file, 'other.h5');
  const { batch } = await readAll([file], { onBadEvent: 'fail' });
  expect(batch.pt[0]).toBe((await readAll([at('other.h5')], { onBadEvent: 'fail' })).batch.pt[0]);
});

test('a packed copy goes bad, and its source has become another meanwhile: no mixture of both', async () => {
  const source: Row[] = Array.from({ length: 9000 }, (_, i) => ({ objects: [[20 + i, 0, 1, 1]] }));
  const name = at('mixed.source');
  const use = cacheIn(at('mixed'));
  await readThrough(await openRows(name, source, use), 5000);
  const copy = onlyCopy(use.folder);
  const seen = new SeenFiles();
  await seen.check(name);
  const opened = await openCached(name, undefined, use, async () => {
    await seen.check(name);
    throw new Error('not reached');
  });
  await opened.read(0, 10);
  truncateSync(copy, 2000);
  writeFileSync(name, 'another source');
  await mustFail(opened.read(10, 20), name, /has changed while it was in use/);
  await opened.close();
});

test('a packed copy of a file that is replaced while it is read: events of the old one, to the end', async () => {
  const file = fresh();
  const copy = await packFile(file, at('kept'));
  const use = cacheIn(path.dirname(copy));
  const opened = await openEvents(file, { cache: use });
  await opened.read(0, 10);
  replace(file, 'other.h5');
  const { batch } = await readThrough(opened, 8192);
  expect(batch.pt).toEqual((await readAll([at('good.h5')], { onBadEvent: 'fail' })).batch.pt);
  damage(copy, copy, bytes => bytes); // it is there still
});

describe('the folder of a run', () => {
  const options = (out: string, ...more: string[]) => {
    const flags = [...tinyTraining, ...more];
    const given: Record<string, unknown> = { background: [sample('background_train')], out };
    for (let i = 0; i < flags.length; i++) {
      const name = flags[i].slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
      given[name] = flags[i + 1] === undefined || flags[i + 1].startsWith('--') ? true : flags[++i];
    }
    return parseOptions('train', given);
  };

  test.each([
    ['the folder', '', /run-0\S*: its folder does not exist|run-0\S*: no such file/],
    [
      'the folder of checkpoints',
      'checkpoint',
      /checkpoint\/encoder\.safetensors: its folder does not exist; create it first/,
    ],
  ])('%s is removed under a training: one line, no crash', async (_, inside, said) => {
    const out = at('run-0');
    const watch = {
      progress: ({ label }: { label: string }) => ({
        update: () =>
          void (label.startsWith('encoder') && rmSync(path.join(out, inside), { recursive: true, force: true })),
        stop: () => undefined,
      }),
    };
    await mustFail(train(options(out), '0', watch), out, said);
    rmSync(out, { recursive: true, force: true });
  });

  test('a checkpoint is removed between stop and resumption: the run begins anew, to the same results', async () => {
    const out = at('run-1');
    await train(options(out), '0', stoppingAt(500)).catch(() => undefined);
    rmSync(path.join(out, 'checkpoint'), { recursive: true });
    await train(options(out, '--resume'), '0');
    const whole = at('run-2');
    await train(options(whole), '0');
    const { readFileSync } = await import('node:fs');
    for (const name of ['encoder.safetensors', 'autoencoder.safetensors', 'metrics.jsonl'])
      expect([name, readFileSync(path.join(out, name)).equals(readFileSync(path.join(whole, name)))]).toEqual([
        name,
        true,
      ]);
  });
});
