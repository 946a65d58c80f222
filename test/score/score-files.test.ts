import { copyFileSync, cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { parseOptions } from '../../src/config/parse.js';
import { openEngine } from '../../src/engine/index.js';
import { AnomalyClrError } from '../../src/errors.js';
import type { EventBatch } from '../../src/events/event-batch.js';
import { eventKindNames, layout } from '../../src/events/objects.js';
import { readAll, writeEvents } from '../../src/read/index.js';
import type { EventScorer } from '../../src/score/event-scorer.js';
import { readScores, type Scores } from '../../src/score/read-scores.js';
import { scoreFiles, type ScoreRequest, type ScoreSummary } from '../../src/score/score-files.js';
import { Scorer } from '../../src/score/scorer.js';
import { train } from '../../src/train/run.js';
import { paddedEvents, particles, temporaryFolder, writeRaw } from '../read/craft.js';
import { sample } from '../support/cli.js';

const at = temporaryFolder();
const engine = await openEngine({ engine: 'native', threads: 2 });
const signals = 300;
let signal: EventBatch;

async function trainRun(name: string, width: string): Promise<string> {
  const small = { epochs: '1', batch: '128', layers: '1', feedForward: '8', output: '8', heads: '2', bottleneck: '3' };
  const options = { ...small, width, maxEvents: '400', detectorEpochs: '1', out: at(name) };
  await train(parseOptions('train', { ...options, background: [sample('background_train')] }), '0.0.0');
  return at(name);
}

beforeAll(async () => {
  await trainRun('run', '16');
  ({ batch: signal } = await readAll([sample('Ato4l')], { onBadEvent: 'fail', maxEvents: signals }));
  await writeEvents(at('signal.h5'), [signal]);
  const eventIds = BigInt64Array.from({ length: signals }, (_, i) => 2n ** 60n + BigInt(i) * 7n);
  await writeEvents(at('ids.h5'), [{ ...signal, eventIds }]);
});

type Changes = Partial<ScoreRequest> & { readonly model?: string };

async function write(out: string, { model = at('run'), ...changes }: Changes = {}): Promise<ScoreSummary> {
  const request = { data: [at('signal.h5')], out: at(out), batch: 128, onBadEvent: 'fail' } as const;
  const scorer = await Scorer.open(model, engine);
  try {
    return await scoreFiles({ ...request, ...changes }, scorer);
  } finally {
    scorer.dispose();
  }
}

async function score(out: string, changes: Changes = {}): Promise<Scores> {
  await write(out, changes);
  return readScores(at(out));
}

test('one score per event, in order: those of the scorer itself', async () => {
  const scorer = await Scorer.open(at('run'), engine);
  expect([scorer.name, scorer.seed, scorer.representationSize]).toEqual(['anomclr', 1, 26]);
  const direct = await scorer.score(signal);
  expect(await scorer.embed(signal)).toHaveLength(signals * 26);
  expect((await scorer.comparators()).map(({ name }) => name)).toEqual([
    'raw-autoencoder',
    'raw-autoencoder-log',
    'untrained-encoder',
  ]);
  scorer.dispose();
  const got = await score('whole.h5', { batch: 1000 });
  expect(got).toEqual({ score: direct, inDomain: got.inDomain });
  expect(new Set(direct).size).toBeGreaterThan(signals - 5);
});

test('the batch changes no score', async () => {
  const whole = await score('whole.h5', { batch: 1000 });
  for (const batch of [1, 7, 299, 300]) expect(await score('pieces.h5', { batch })).toEqual(whole);
});

test('the training events are in the domain, events past its edges are not', async () => {
  const { inDomain } = await score('train.h5', { data: [sample('background_train')], batch: 8192 });
  expect(inDomain).toHaveLength(60_000);
  expect(inDomain.subarray(0, 400)).toEqual(new Uint8Array(400).fill(1));
  const values = paddedEvents(3);
  values[76 + 36] = 9000; // leading jet of event 1, GeV
  await writeRaw(at('far.h5'), { Particles: particles(values) });
  const far = await score('far-scores.h5', { data: [at('far.h5')] });
  expect(far.inDomain[1]).toBe(0);
  expect(far.score.every(Number.isFinite)).toBe(true);
});

describe('events outside the training domain', () => {
  const values = paddedEvents(40);
  values[21 * 76 + 36] = 9000; // leading jet of event 21, GeV
  values[30 * 76 + 36] = 9000;
  beforeAll(() => writeRaw(at('outside.h5'), { Particles: particles(values) }));
  const data = () => ({ data: [at('signal.h5'), at('outside.h5')], batch: 16 });

  test('nan: they alone have no score, and are counted', async () => {
    const flagged = await score('flag.h5', data());
    const outside = Array.from(flagged.inDomain).filter(flag => flag === 0).length;
    expect([flagged.inDomain[signals + 21], flagged.inDomain[signals + 30]]).toEqual([0, 0]);
    expect(flagged.score.every(Number.isFinite)).toBe(true);
    const summary = await write('nan.h5', { ...data(), outOfDomain: 'nan' });
    expect(summary).toMatchObject({ events: signals + 40, outsideDomain: outside, skipped: 0 });
    expect(await readScores(at('nan.h5'))).toEqual({
      inDomain: flagged.inDomain,
      score: flagged.score.map((s, e) => (flagged.inDomain[e] === 1 ? s : NaN)),
    });
  });

  test('refuse: the first one stops it, told with file, row and boundary, and no file is left', async () => {
    const { inDomain } = await score('flag.h5', { data: [at('outside.h5')] });
    const refused = write('refused.h5', { data: [at('outside.h5')], batch: 16, outOfDomain: 'refuse' });
    const first = inDomain.indexOf(0);
    await expect(refused).rejects.toThrow(
      new RegExp(
        `outside\\.h5: event ${first} is outside the training domain: .* is (above|below) the .* --out-of-domain nan$`,
      ),
    );
    await expect(refused).rejects.toThrow(AnomalyClrError);
    expect(existsSync(at('refused.h5'))).toBe(false);
    // events inside pass
    const inside = { data: [sample('background_train')], batch: 8192 };
    const { batch } = await readAll(inside.data, { onBadEvent: 'fail', maxEvents: 300 });
    await writeEvents(at('inside.h5'), [batch]);
    const passed = await write('inside-scores.h5', { data: [at('inside.h5')], outOfDomain: 'refuse' });
    expect(passed).toMatchObject({ events: 300, outsideDomain: 0 });
  });

  test('refuse leaves bad events to --on-bad-event', async () => {
    const { batch } = await readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents: 5 });
    const values = new Float32Array(5 * 76);
    for (let e = 0; e < 5; e++) {
      const seen = [0, 0, 0, 0, 0];
      for (let o = batch.offsets[e]; o < batch.offsets[e + 1]; o++) {
        const code = batch.kind[o];
        const slot = layout[eventKindNames[code - 1]].firstSlot + seen[code]++;
        values.set([batch.pt[o], batch.eta[o], batch.phi[o], code], (e * 19 + slot) * 4);
      }
    }
    values[2 * 76] = NaN;
    await writeRaw(at('one-bad.h5'), { Particles: particles(values) });
    const data = [at('one-bad.h5')];
    expect(await write('one-bad.csv', { data, onBadEvent: 'skip', outOfDomain: 'refuse' })).toMatchObject({
      events: 5,
      skipped: 1,
      outsideDomain: 1,
    });
    const { score, inDomain } = await readScores(at('one-bad.csv'));
    expect([Array.from(score, Number.isNaN), Array.from(inDomain)]).toEqual([
      [false, false, true, false, false],
      [1, 1, 0, 1, 1],
    ]);
  });
});

test('EvtId is carried along; of several files only where each has it', async () => {
  const { eventIds, score: scores } = await score('ids-scores.h5', { data: [at('ids.h5')] });
  expect(eventIds).toEqual(BigInt64Array.from({ length: signals }, (_, i) => 2n ** 60n + BigInt(i) * 7n));
  const twice = await score('twice.h5', { data: [at('ids.h5'), at('ids.h5')] });
  expect(twice.score).toEqual(Float32Array.of(...scores, ...scores));
  expect(twice.eventIds).toHaveLength(2 * signals);
  const mixed = await score('mixed.h5', { data: [at('ids.h5'), at('signal.h5')] });
  expect(mixed.score).toEqual(twice.score);
  expect(mixed).not.toHaveProperty('eventIds');
});

test('bad events under skip keep their rows, with NaN, outside the domain and their EvtId', async () => {
  const events = 40;
  const values = paddedEvents(events);
  const ids = BigInt64Array.from({ length: events }, (_, e) => BigInt(1000 + e));
  await writeRaw(at('good.h5'), { Particles: particles(values), EvtId: { data: ids } });
  const good = await score('good-scores.h5', { data: [at('good.h5')] });
  const bad = [0, 5, 6, 20, 38, 39];
  for (const e of bad) values[e * 76 + 36] = NaN;
  await writeRaw(at('bad.h5'), { Particles: particles(values), EvtId: { data: ids } });
  for (const batch of [3, 1000]) {
    const got = await score('bad-scores.h5', { data: [at('bad.h5'), at('good.h5')], onBadEvent: 'skip', batch });
    expect(Array.from(got.score, (s, e) => (Number.isNaN(s) ? e : -1)).filter(e => e >= 0)).toEqual(bad);
    expect(got.score.map((s, e) => (bad.includes(e) ? 0 : s - good.score[e % events]))).toEqual(
      new Float32Array(2 * events),
    );
    expect(bad.map(e => got.inDomain[e])).toEqual(bad.map(() => 0));
    expect(got.eventIds).toEqual(BigInt64Array.of(...ids, ...ids));
  }
  await expect(score('fail.h5', { data: [at('bad.h5')] })).rejects.toThrow(/bad\.h5: event 0, .*--on-bad-event skip/);
  expect(existsSync(at('fail.h5'))).toBe(false);
  // while a batch is being scored
  const late = score('fail.h5', { data: [at('good.h5'), at('bad.h5')], batch: 16 });
  await expect(late).rejects.toThrow(/bad\.h5: event 0, /);
  expect(existsSync(at('fail.h5'))).toBe(false);
  const all = paddedEvents(3).map((v, i) => (i % 76 === 36 ? NaN : v));
  await writeRaw(at('all.h5'), { Particles: particles(all) });
  const none = await score('none.csv', { data: [at('all.h5')], onBadEvent: 'skip' });
  expect(none).toEqual({ score: new Float32Array(3).fill(NaN), inDomain: new Uint8Array(3) });
});

test('HDF5, CSV and Parquet say the same', async () => {
  const want = await score('same.h5', { data: [at('ids.h5')] });
  expect(await score('same.csv', { data: [at('ids.h5')] })).toEqual(want);
  await write('same.parquet', { data: [at('ids.h5')], batch: 77 });
  const rows = await parquetReadObjects({ file: await asyncBufferFromFile(at('same.parquet')) });
  expect({
    score: Float32Array.from(rows, row => row.score),
    inDomain: Uint8Array.from(rows, row => row.in_domain),
    eventIds: BigInt64Array.from(rows, row => row.EvtId),
  }).toEqual(want);
});

test('a file without events gives a file without scores', async () => {
  await writeRaw(at('empty.h5'), { Particles: particles(new Float32Array(0), 0) });
  expect((await score('empty-scores.h5', { data: [at('empty.h5')] })).score).toHaveLength(0);
});

test('a run scores the same wherever it lies', async () => {
  const before = await score('before.h5');
  cpSync(at('run'), at('copy'), { recursive: true });
  renameSync(at('copy'), at('moved'));
  expect(await score('after.h5', { model: at('moved') })).toEqual(before);
});

describe('a scorer of any kind', () => {
  /** A model that gives each event its place among all as score. */
  function counting(judging?: (call: number) => Promise<void>): EventScorer & { most: number } {
    let [calls, at, running] = [0, 0, 0];
    const multiplicity = { min: 0, max: 0, mean: 0, counts: [1] };
    const kind = { objects: 0, pt: null, eta: null, phi: null, multiplicity };
    const scorer: EventScorer & { most: number } = {
      name: 'counting',
      seed: 0,
      most: 0,
      representationSize: 1,
      domain: {
        version: 1,
        events: 1,
        ptScale: 1,
        multiplicity,
        kinds: { met: kind, electron: kind, muon: kind, jet: kind },
      },
      async judge({ count }) {
        scorer.most = Math.max(scorer.most, ++running);
        const score = Float32Array.from({ length: count }, () => at++);
        await judging?.(calls++);
        running -= 1;
        return { score, inDomain: new Uint8Array(count) };
      },
      score: async events => (await scorer.judge(events)).score,
      embed: async ({ count }) => new Float32Array(count),
      dispose() {},
    };
    return scorer;
  }
  const request = () =>
    ({ data: [at('signal.h5'), at('ids.h5')], out: at('counted.h5'), batch: 50, onBadEvent: 'fail' }) as const;

  test('a batch is written while the next is scored, one is scored at a time, and the order is kept', async () => {
    let written = 0;
    let wake = () => {};
    // each batch is scored only once the one before is in the file: no overlap would be no end
    const scorer = counting(async call => {
      while (written < call * 50) await new Promise<void>(resolve => (wake = resolve));
    });
    const progress = () => ({
      update: (done: number) => {
        written = done;
        wake();
      },
      stop() {},
    });
    await scoreFiles({ ...request(), progress }, scorer);
    expect(scorer.most).toBe(1);
    expect((await readScores(at('counted.h5'))).score).toEqual(Float32Array.from({ length: 2 * signals }, (_, i) => i));
  });

  test('its verdict counts', async () => {
    expect(await scoreFiles({ ...request(), outOfDomain: 'nan' }, counting())).toMatchObject({
      events: 2 * signals,
      outsideDomain: 2 * signals,
    });
    expect((await readScores(at('counted.h5'))).score.every(Number.isNaN)).toBe(true);
    rmSync(at('counted.h5'));
    await expect(scoreFiles({ ...request(), outOfDomain: 'refuse' }, counting())).rejects.toThrow(
      /signal\.h5: event 0 is outside the training domain: .*object count \d+ is above the greatest seen, 0; /,
    );
    expect(existsSync(at('counted.h5'))).toBe(false);
  });

  test('what it throws leaves no file', async () => {
    const failing = counting(call =>
      call === 3 ? Promise.reject(new AnomalyClrError('worn out')) : Promise.resolve(),
    );
    await expect(scoreFiles(request(), failing)).rejects.toThrow('worn out');
    expect(existsSync(at('counted.h5'))).toBe(false);
  });
});

test('a signal to stop leaves no file', async () => {
  const controller = new AbortController();
  controller.abort();
  await expect(score('stopped.h5', { signal: controller.signal })).rejects.toThrow(/stopped after 0 events/);
  expect(existsSync(at('stopped.h5'))).toBe(false);
});

describe('a folder that is no whole run is refused in one line', () => {
  let model: string;
  beforeEach(() => {
    model = at('broken');
    rmSync(model, { recursive: true, force: true });
    cpSync(at('run'), model, { recursive: true });
  });
  const refused = async (message: RegExp) => {
    const call = score('refused.h5', { model });
    await expect(call).rejects.toThrow(AnomalyClrError);
    await expect(call).rejects.toThrow(message);
    await expect(call).rejects.not.toThrow(/\n/);
    expect(existsSync(at('refused.h5'))).toBe(false);
  };

  test('parts are missing', async () => {
    rmSync(path.join(model, 'encoder.safetensors'));
    await refused(/encoder\.safetensors: no such file/);
    rmSync(path.join(model, 'autoencoder.safetensors'));
    await refused(/broken: its training is not complete; finish it with train --resume/);
    rmSync(path.join(model, 'config.json'));
    await refused(/broken: not a run; name the folder that train made/);
    rmSync(model, { recursive: true });
    await refused(/broken: not a run/);
  });

  test('parts are damaged', async () => {
    const domain = path.join(model, 'domain.json');
    writeFileSync(domain, readFileSync(domain, 'utf8').replace(/"ptScale": [\d.]+/, '"ptScale": -1'));
    await refused(/domain\.json: ptScale: /);
    writeFileSync(path.join(model, 'config.json'), '{"seed": 1}');
    await refused(/config\.json: loss: /);
    writeFileSync(path.join(model, 'config.json'), '{');
    await refused(/config\.json: not valid JSON/);
  });

  test("parts are another run's", async () => {
    const other = await trainRun('narrow', '8');
    copyFileSync(path.join(other, 'autoencoder.safetensors'), path.join(model, 'autoencoder.safetensors'));
    await refused(/autoencoder\.safetensors: reads 18 numbers an event, not 26; it is another run's/);
    const config = path.join(model, 'config.json');
    writeFileSync(config, readFileSync(config, 'utf8').replace('"pool"', '"head9"'));
    await refused(/encoder\.safetensors: has no representation head9; it is another run's/);
  });

  test("a comparator is another run's", async () => {
    const comparator = path.join(model, 'comparators', 'raw-autoencoder.safetensors');
    copyFileSync(path.join(model, 'autoencoder.safetensors'), comparator);
    const scorer = await Scorer.open(model, engine);
    await expect(scorer.comparators()).rejects.toThrow(
      /raw-autoencoder\.safetensors: reads 26 numbers an event, not 57/,
    );
    scorer.dispose();
  });
});
