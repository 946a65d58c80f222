import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { auc } from '../../src/evaluate/auc.js';
import { cutScores } from '../../src/evaluate/cuts.js';
import { evaluateMethods, type ScoredSeed } from '../../src/evaluate/evaluation.js';
import { roc } from '../../src/evaluate/roc.js';
import { type EventBatch, EventBatchBuilder, range } from '../../src/events/event-batch.js';
import { kindNames } from '../../src/events/objects.js';
import { readAll, readEvents, writeEvents } from '../../src/read/index.js';
import type { EventPicture } from '../../src/report/data.js';
import {
  evaluateRun,
  type EvaluatedRun,
  type EvaluateRequest,
  evaluateShard,
  mergeEvaluation,
} from '../../src/score/evaluate-run.js';
import { checkMemory } from '../../src/score/evaluation-figures.js';
import { readStretches, rowsOfShard, stretchRows } from '../../src/score/evaluation-rows.js';
import type { EventScorer } from '../../src/score/event-scorer.js';
import { fitPreparation } from '../../src/score/prepare.js';
import { temporaryFor } from '../../src/temporaries.js';
import { arrayCurvePoints, arrayFigures, arrayRoc, arraySpectrum } from '../evaluate/arrays.js';
import { paddedEvents, particles, temporaryFolder, writeRaw } from '../read/craft.js';
import { sample } from '../support/cli.js';

const at = temporaryFolder();
const size = 3;

/** Sums over an event's objects, in float32: cheap, and different for every event. */
function feature(events: EventBatch, of: (o: number) => number): Float32Array {
  const out = new Float32Array(events.count);
  for (let e = 0; e < events.count; e++)
    for (let o = events.offsets[e]; o < events.offsets[e + 1]; o++) out[e] += of(o);
  return out;
}

/** Stands for a model and its comparators. `asked` counts events that it was given, and tells the largest batch. */
function fakeScorer(seed: number, asked = { events: 0, largest: 0 }): EventScorer {
  const score = (power: number) => (events: EventBatch) => {
    asked.events += events.count;
    asked.largest = Math.max(asked.largest, events.count);
    return Promise.resolve(feature(events, o => events.pt[o] ** power * (1 + 0.1 * seed * Math.cos(events.eta[o]))));
  };
  return {
    name: 'anomclr+',
    seed,
    domain: {} as EventScorer['domain'],
    representationSize: size,
    score: score(0.5),
    embed: events => {
      const columns = [0.25, 0.5, 0.75].map(power => feature(events, o => events.pt[o] ** power));
      return Promise.resolve(
        Float32Array.from({ length: events.count * size }, (_, i) => columns[i % size][(i / size) | 0]),
      );
    },
    judge: () => Promise.reject(new Error('evaluation asks for scores alone')),
    comparators: () => Promise.resolve([{ name: 'raw-autoencoder', score: score(0.1 * seed) }]),
    fingerprint: () => Promise.resolve(`fake ${seed}`),
    dispose: () => undefined,
  };
}
const scorers = [fakeScorer(3), fakeScorer(4)];

let request: EvaluateRequest;
let whole: EvaluatedRun;
/** Fewer events, for what does not depend on how many. */
let quick: EvaluateRequest;

beforeAll(async () => {
  // a sample that ends inside a stretch and one of another chunking, with events that are not valid
  const { batch } = await readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents: 9000 });
  const busiest = batch.offsets.findIndex((from, e) => e > 8500 && batch.offsets[e + 1] - from > 5);
  batch.pt.fill(5000, batch.offsets[busiest], batch.offsets[busiest + 1]); // by far the most anomalous, with an EvtId
  await writeEvents(at('small.h5'), [
    { ...batch, eventIds: BigInt64Array.from(batch.rows, row => BigInt(row) << 40n) },
  ]);
  const { batch: more } = await readAll([sample('background_test')], { onBadEvent: 'fail', maxEvents: 17_000 });
  await writeEvents(at('more.h5'), [more]);
  await writeEvents(at('few.h5'), [range(more, 0, 500)]);
  const odd = paddedEvents(10_000);
  for (const e of [0, 17, 8191, 8192, 9999]) odd[e * 76] = -1;
  await writeRaw(at('odd.h5'), { Particles: { ...particles(odd), chunks: [700, 19, 4] } });
  request = {
    background: [at('more.h5'), at('odd.h5'), at('small.h5')],
    signals: [
      { name: 'Ato4l', file: sample('Ato4l') },
      { name: 'two', file: sample('leptoquark') },
      { name: 'two', file: sample('hToTauTau') },
    ],
    onBadEvent: 'skip',
    beside: at('figures.json'),
  };
  quick = { ...request, background: [at('odd.h5')], signals: [{ name: 'small', file: at('few.h5') }] };
  whole = await evaluateRun(request, scorers);
}, 60_000);

/** All events of some files as one batch, with the rows that they have in their own. */
async function allOf(files: readonly string[]): Promise<{ batch: EventBatch; fileOf: string[] }> {
  const builder = new EventBatchBuilder();
  const fileOf: string[] = [];
  for (const file of files)
    for await (const batch of readEvents(file, { onBadEvent: 'skip' })) {
      const { eventIds: _, ...plain } = batch;
      builder.addBatch(plain);
      for (let e = 0; e < batch.count; e++) fileOf.push(file);
    }
  return { batch: builder.build(), fileOf };
}

/** What an evaluation held in memory gives: every method's scores of all events at once, and arrays of vertices. */
async function inMemory() {
  const names = ['background', 'Ato4l', 'two'];
  const files = [request.background, [sample('Ato4l')], [sample('leptoquark'), sample('hToTauTau')]];
  const samples = await Promise.all(files.map(allOf));
  const methods: Record<string, ScoredSeed[]> = {};
  const add = async (name: string, seed: number, score: (events: EventBatch) => Promise<Float32Array>) => {
    const [background, ...signals] = await Promise.all(samples.map(({ batch }) => score(batch)));
    (methods[name] ??= []).push({ seed, background, signals: { Ato4l: signals[0], two: signals[1] } });
  };
  for (const scorer of scorers)
    for (const method of [scorer, ...(await scorer.comparators!())])
      await add(method.name, scorer.seed, events => method.score(events));
  for (const cut of Object.keys(cutScores(new EventBatchBuilder().build())))
    await add(cut, 3, events => Promise.resolve(cutScores(events)[cut]));

  const first = Object.entries(methods).map(([name, [seed]]) => [name, seed] as const);
  const signals = ['Ato4l', 'two'];
  const ours = methods['anomclr+'][0];
  const top = (i: number, most: number): EventPicture[] => {
    const { batch, fileOf } = samples[i];
    const scores = i === 0 ? ours.background : ours.signals[names[i]];
    const order = Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]);
    return order.slice(0, most).map(e => ({
      label: i === 0 ? fileOf[e] : names[i],
      score: scores[e],
      row: batch.rows[e],
      objects: Array.from(batch.pt.subarray(batch.offsets[e], batch.offsets[e + 1]), (pt, k) => {
        const o = batch.offsets[e] + k;
        return { kind: kindNames[batch.kind[o] - 1], pt, eta: batch.eta[o], phi: batch.phi[o] };
      }),
    }));
  };
  const rows = await Promise.all(
    samples.map(async ({ batch }, i) => (await scorers[0].embed(batch)).slice(0, (i === 0 ? 1500 : 400) * size)),
  );
  const { matrix, mean } = fitPreparation('whiten', rows[0], size);
  const component = (of: ArrayLike<number>, c: number) =>
    Array.from({ length: of.length / size }, (_, r) =>
      mean.reduce((sum, m, i) => sum + matrix![c * size + i] * (of[r * size + i] - m), 0),
    );
  return {
    methods,
    parts: {
      curves: Object.fromEntries(
        signals.map(signal => [
          signal,
          Object.fromEntries(
            first.map(([name, s]) => [name, arrayCurvePoints(arrayRoc(s.background, s.signals[signal]))]),
          ),
        ]),
      ),
      spectra: first
        .filter(([name]) => ['anomclr+', 'raw-autoencoder'].includes(name))
        .map(([name, s]) =>
          arraySpectrum(name, [
            { label: 'background', scores: s.background },
            ...signals.map(label => ({ label, scores: s.signals[label] })),
          ]),
        ),
      map: names.map((label, i) => ({ label, x: component(rows[i], 0), y: component(rows[i], 1) })),
      events: [...top(0, 5), ...top(1, 1), ...top(2, 1)].sort((a, b) => b.score - a.score),
    },
  };
}

test('the same to the last digit as with all scores in memory and arrays of every vertex', async () => {
  const { methods, parts } = await inMemory();
  const background = { events: 17_000 + 9995 + 9000 };
  expect(whole.evaluation).toEqual(evaluateMethods({ background, methods }));
  for (const [name, { seeds, signals }] of Object.entries(whole.evaluation.methods))
    if (seeds.length === 1)
      for (const [signal, figures] of Object.entries(signals))
        expect(figures).toEqual(arrayFigures(methods[name][0].background, methods[name][0].signals[signal]));
  const { method, evaluation, events, ...rest } = whole.parts;
  expect([method, evaluation]).toEqual(['anomclr+', whole.evaluation]);
  expect(rest).toEqual({ curves: parts.curves, spectra: parts.spectra, map: parts.map });
  const plain = events!.map(event => ({ ...event, eventId: undefined }));
  expect(plain).toEqual(parts.events);
  expect(events![0].eventId).toBe(String(BigInt(events![0].row) << 40n));
  // order and names, too: they are what the tables show
  expect(JSON.stringify(whole.evaluation)).toBe(JSON.stringify(evaluateMethods({ background, methods })));
}, 60_000);

/** All but what a clock measured. */
const timeless = ({ evaluation, parts, seeds }: EvaluatedRun) => JSON.stringify({ evaluation, parts, seeds });

async function makeShards(of: number): Promise<string[]> {
  const folders = Array.from({ length: of }, (_, i) => at(`part-${i + 1}-of-${of}`));
  for (const [i, out] of folders.entries())
    if (!existsSync(out)) await evaluateShard({ ...request, shard: { index: i + 1, of }, out }, scorers);
  return folders;
}

test.each([1, 2, 3, 5])('%i shards, merged in any order, are the whole: figures and report data', async of => {
  const folders = await makeShards(of);
  const merged = await mergeEvaluation({ parts: folders.toReversed() });
  expect(timeless(merged)).toBe(timeless(whole));
  expect(merged.signalFiles).toEqual([sample('Ato4l'), sample('leptoquark'), sample('hToTauTau')]);
});

test('more shards than stretches: some are empty, and all together are the whole', async () => {
  const merged = await mergeEvaluation({ parts: await makeShards(11) });
  expect(timeless(merged)).toBe(timeless(whole));
}, 60_000);

test('every row is of one shard, in stretches, whatever the files', () => {
  const rows = [50_000, 0, 8192, 8193, 1, 100_000];
  for (const shards of [1, 2, 3, 7, 40]) {
    const seen = rows.map(n => new Uint8Array(n));
    const sizes: number[] = [];
    for (let index = 1; index <= shards; index++) {
      const share = rowsOfShard(rows, { index, of: shards });
      for (const { file, from, to } of share) {
        expect(from % stretchRows).toBe(0);
        seen[file].subarray(from, to).forEach((_, i, some) => some[i]++);
      }
      sizes.push(share.reduce((n, { from, to }) => n + Math.ceil((to - from) / stretchRows), 0));
    }
    expect(seen.every(some => some.every(n => n === 1))).toBe(true);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  }
});

test('stretches are the same rows however a file is chunked and wherever reading starts', async () => {
  const read = async (from: number, to: number) => {
    const batches: { rows: number[]; pt: number[] }[] = [];
    for await (const { rows, pt } of readStretches(at('odd.h5'), { from, to }, { onBadEvent: 'skip' }))
      batches.push({ rows: [...rows], pt: [...pt] });
    return batches;
  };
  const all = await read(0, 10_000);
  expect(all.map(({ rows }) => [rows[0], rows.length, rows.at(-1)])).toEqual([
    [1, 8189, 8190],
    [8193, 1806, 9998],
  ]);
  expect([...(await read(0, 8192)), ...(await read(8192, 10_000))]).toEqual(all);
});

test('memory: a stretch of events at a time, and the scores of one method, refused before any event is read', async () => {
  const asked = { events: 0, largest: 0 };
  const scorer = fakeScorer(3, asked);
  await evaluateRun(quick, [scorer]);
  expect(asked.largest).toBe(stretchRows - 3); // of which three are not valid
  expect(asked.events).toBe(2 * (9995 + 500)); // two methods, every event once

  expect(() => checkMemory(250_000_000, 2)).not.toThrow();
  expect(() => checkMemory(250_000_001, 2)).toThrow(
    /^250000001 events: the scores of one method, 4 bytes an event, .* 2 GB bear 250000000 events; .* --memory 2\.1$/,
  );
  expect(() => checkMemory(250_000_001, 2.1)).not.toThrow();
  asked.events = 0;
  await expect(evaluateRun({ ...request, memory: 2e-5 }, [scorer])).rejects.toThrow(
    /51000 events: .* 0\.00002 GB bear 2500 events/,
  );
  expect(asked.events).toBe(0);
});

/** The mark of another machine than this one. */
const elsewhere = temporaryFor('x').includes('-ffff') ? 'fffe' : 'ffff';

test('nothing is left of a work folder: in the end, after an error, after Ctrl-C, and of a process that was killed', async () => {
  const left = () => readdirSync(at('')).filter(name => name.includes('.scores.') || name.endsWith('.tmp'));
  expect(left()).toEqual([]);
  const failing = { ...fakeScorer(3), score: () => Promise.reject(new Error('lost')) };
  await expect(evaluateRun(quick, [failing])).rejects.toThrow('lost');
  const abort = new AbortController();
  const stopped = fakeScorer(3);
  const stopping: EventScorer = {
    ...stopped,
    score: events => {
      abort.abort();
      expect(left()).toHaveLength(1);
      return stopped.score(events);
    },
  };
  await expect(evaluateRun({ ...quick, signal: abort.signal }, [stopping])).rejects.toThrow(/stopped before/);
  expect(left()).toEqual([]);
  // of a process that is no more, of one on another machine that has long been silent, and of one that runs there now
  const dead = `${at('figures.json')}.scores.99999999-0123abcd.tmp`;
  const [silent, alive] = ['1', '2'].map(n => `${at('figures.json')}.scores.99999999-${elsewhere}0123abc${n}.tmp`);
  for (const folder of [dead, silent, alive]) cpSync(at('part-1-of-1'), folder, { recursive: true });
  for (const file of [...readdirSync(silent), '']) utimesSync(path.join(silent, file), 1e9, 1e9);
  await evaluateRun(quick, [scorers[0]]);
  expect(left()).toEqual([path.basename(alive)]);
  rmSync(alive, { recursive: true });
});

test('killed between the two renames that replace a part: the old one is back at the next start', async () => {
  const out = at('swapped');
  const part = { ...quick, shard: { index: 1, of: 2 }, out };
  await evaluateShard(part, [scorers[0]]);
  renameSync(out, `${out}.99999999-0123abcd.old`);
  mkdirSync(`${out}.99999999-0123abce.tmp`);
  const failing = { ...fakeScorer(3), score: () => Promise.reject(new Error('lost')) };
  await expect(evaluateShard(part, [failing])).rejects.toThrow('lost');
  expect(readdirSync(at('')).filter(name => name.startsWith('swapped'))).toEqual(['swapped']);
  expect(readdirSync(out)).toContain('manifest.json');
});

test('a part appears under its name when it is whole, in the place of an older one, and of nothing else', async () => {
  const out = at('part');
  const part = { ...quick, shard: { index: 1, of: 2 }, out };
  const failing = { ...fakeScorer(3), score: () => Promise.reject(new Error('lost')) };
  await expect(evaluateShard(part, [failing])).rejects.toThrow('lost');
  expect(existsSync(out)).toBe(false);
  await evaluateShard(part, [scorers[0]]);
  const manifest = readFileSync(path.join(out, 'manifest.json'), 'utf8');
  await expect(evaluateShard(part, [failing])).rejects.toThrow('lost');
  expect(readFileSync(path.join(out, 'manifest.json'), 'utf8')).toBe(manifest);
  await evaluateShard({ ...part, shard: { index: 2, of: 2 } }, [scorers[0]]);
  expect(JSON.parse(readFileSync(path.join(out, 'manifest.json'), 'utf8')).shard.index).toBe(2);
  rmSync(path.join(out, 'manifest.json'));
  await expect(evaluateShard(part, [scorers[0]])).rejects.toThrow(
    /part: is there already and is no part of an evaluation/,
  );
  expect(existsSync(path.join(out, 'map-0.f32'))).toBe(true);
});

test('flat files of float32 that another program can read, named by the manifest', async () => {
  const [folder] = await makeShards(1);
  const manifest = JSON.parse(readFileSync(path.join(folder, 'manifest.json'), 'utf8'));
  const method = manifest.methods.findIndex(({ name }: { name: string }) => name === 'raw-autoencoder');
  expect(manifest.methods[method].seeds).toEqual([3, 4]);
  expect(manifest.samples.map(({ label, events }: any) => [label, events])).toEqual([
    ['background', 35_995],
    ['Ato4l', 5000],
    ['two', 10_000],
  ]);
  const scores = (i: number) => {
    const bytes = readFileSync(path.join(folder, `scores-${i}-${method}-4.f32`));
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  };
  expect(scores(0)).toHaveLength(35_995);
  const one = await evaluateRun(request, [scorers[1]]);
  expect(one.evaluation.methods['raw-autoencoder'].signals['two'].auc!.value).toBe(auc(roc(scores(0), scores(2))));
});

test('parts that are missing, there twice, damaged or of another evaluation: one line that names the folder', async () => {
  const [one, two, three] = await makeShards(3);
  const merge = (...parts: string[]) => mergeEvaluation({ parts });
  await expect(merge(one, three)).rejects.toThrow(/^1 of 3 shards are missing: 2\/3$/);
  await expect(merge(one, two, three, one)).rejects.toThrow(
    /part-1-of-3: is shard 1\/3, and so is .*part-1-of-3; give one/,
  );
  await expect(merge(one, ...(await makeShards(2)))).rejects.toThrow(
    /part-1-of-2: is of another evaluation than .*part-1-of-3: of 2 shards, not 3/,
  );
  await expect(merge(at('small.h5'))).rejects.toThrow(/small\.h5: no part of an evaluation/);
  await expect(merge(at('gone'))).rejects.toThrow(/gone: no such file/);
  await expect(merge()).rejects.toThrow(/no parts/);

  const other = async (changes: Partial<EvaluateRequest> & { settings?: Record<string, string> }, by = scorers) => {
    rmSync(at('other'), { recursive: true, force: true });
    await evaluateShard({ ...request, ...changes, shard: { index: 2, of: 3 }, out: at('other') }, by);
    return merge(one, at('other'), three);
  };
  await expect(other({}, [scorers[1], scorers[0]])).rejects.toThrow(/of another model/);
  await expect(other({ signals: request.signals.slice(1) })).rejects.toThrow(
    /of background \(3 files\), two \(2 files\), not background/,
  );
  const swapped = [at('odd.h5'), at('more.h5'), at('small.h5')];
  await expect(other({ background: swapped })).rejects.toThrow(/of other data/);
  await expect(other({ settings: { engine: 'tfjs' } })).rejects.toThrow(/of engine "tfjs", not/);
  await expect(other({}, [scorers[0], { ...scorers[1], comparators: () => Promise.resolve([]) }])).rejects.toThrow(
    /of methods anomclr\+/,
  );
  expect(timeless(await other({}))).toBe(timeless(whole));

  cpSync(two, at('damaged'), { recursive: true });
  appendFileSync(at('damaged/scores-0-0-3.f32'), 'x');
  await expect(merge(one, at('damaged'), three)).rejects.toThrow(
    /scores-0-0-3\.f32: \d+ bytes, not \d+; the part is damaged/,
  );
  writeFileSync(at('damaged/manifest.json'), '{"format": "anomalyclr.evaluation.1"}');
  await expect(merge(one, at('damaged'), three)).rejects.toThrow(/damaged\/manifest\.json: /);
}, 60_000);

test('a score that is NaN, and a sample without events: said of the event, and of the file', async () => {
  const odd = {
    ...fakeScorer(3),
    score: (events: EventBatch) => Promise.resolve(feature(events, o => events.pt[o]).fill(NaN, 3, 4)),
  };
  const message = /^method anomclr\+, background scores: event 3 has the score NaN/;
  await expect(evaluateRun(quick, [odd])).rejects.toThrow(message);
  await evaluateShard({ ...quick, shard: { index: 1, of: 1 }, out: at('nan') }, [odd]);
  await expect(mergeEvaluation({ parts: [at('nan')] })).rejects.toThrow(message);

  const bad = paddedEvents(3);
  for (const e of [0, 1, 2]) bad[e * 76] = -1;
  await writeRaw(at('bad.h5'), { Particles: particles(bad) });
  const told: string[] = [];
  const nothing = {
    ...quick,
    signals: [{ name: 'bad', file: at('bad.h5') }],
    warn: (line: string) => told.push(line),
  };
  await expect(evaluateRun(nothing, [fakeScorer(3)])).rejects.toThrow(/bad\.h5: no events to evaluate on/);
  expect(told).toEqual(['background: 5 bad events were left out', 'bad: 3 bad events were left out']);
  await expect(evaluateRun({ ...nothing, onBadEvent: 'fail' }, [fakeScorer(3)])).rejects.toThrow(
    /odd\.h5: .*--on-bad-event skip/,
  );
});
