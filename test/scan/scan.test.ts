import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openScorers } from '../../src/score/event-scorer.js';
import { evaluateRun } from '../../src/score/evaluate-run.js';
import { entryFiguresSchema, studyFileSchema } from '../../src/scan/study-file.js';
import { scan } from '../../src/scan/scan.js';
import { planOf } from '../../src/scan/plan.js';
import { Results } from '../../src/scan/results.js';
import type { Study, StudyRequest } from '../../src/scan/study.js';
import { temporaryFolder } from '../read/craft.js';
import { sample } from '../support/cli.js';
import { here, requestOf, widthStudy } from './trials.js';

const at = temporaryFolder();
const study = widthStudy();
const request = requestOf();

/** What a study came to in a folder, and the trials that it took. */
async function come(out: string, of: StudyRequest, what: Study = study, fail?: Parameters<typeof here>[1]) {
  const { start, names } = here(what, fail);
  const outcome = await scan(what, of, { out, jobs: 2, version: '1.2.3', start });
  return { ...outcome, ran: names(), figures: entryFiguresSchema.array().parse(outcome.json['figures']) };
}

test('a study ends in one JSON, one table and one figure, with the figures that evaluate gives', async () => {
  const out = at('whole');
  const { json, text, failed, ran, figures } = await come(out, request);
  expect(ran).toEqual(['narrow 1', 'wide 1']);
  expect(failed).toEqual([]);

  const written = studyFileSchema.parse(JSON.parse(readFileSync(path.join(out, 'comparison.json'), 'utf8')));
  expect(written).toEqual(JSON.parse(JSON.stringify(json)));
  expect(written).toMatchObject({
    study: 'comparison',
    version: '1.2.3',
    seeds: [1],
    settings: { epochs: 1 },
    failed: [],
  });
  expect(written.samples.map(({ label, events }) => [label, events])).toEqual([
    ['background', 5000],
    ['leptoquark', 5000],
    ['more met', 5000],
  ]);
  expect(written.trials.map(({ variant, seed }) => [variant, seed])).toEqual([
    ['narrow', 1],
    ['wide', 1],
  ]);

  expect(readFileSync(path.join(out, 'comparison.md'), 'utf8')).toBe(text);
  expect(text).toContain('# Two widths | <side by side>\n');
  expect(text).toMatch(
    /\n## AUC\n\n\| entry +\| +leptoquark \|\n\| -+ \| -+: \|\n\| narrow anomclr\+ +\| +0\.\d+ ± 0\.\d+ \|\n/,
  );
  expect(readFileSync(path.join(out, 'comparison.svg'), 'utf8')).toMatch(/^<svg [^]*<\/svg>\n$/);

  // the run is whole, and evaluate gets the same from it
  const run = path.join(out, written.trials[0].run);
  const scorers = await openScorers({ model: run, engine: 'native', threads: 1 });
  const { background, ...rest } = { background: [sample('Ato4l')], signals: request.signals };
  const { evaluation } = await evaluateRun({ background, ...rest, onBadEvent: 'fail' }, scorers);
  scorers.forEach(scorer => void scorer.dispose());
  const narrow = figures.filter(({ variant }) => variant === 'narrow');
  expect(narrow.map(({ method }) => method)).toEqual([...Object.keys(evaluation.methods), 'objects']);
  for (const { method, signals } of narrow.filter(one => one.method !== 'objects'))
    expect(signals).toEqual(evaluation.methods[method].signals);
});

test('only what is new is computed: further seeds, further signals, other options', async () => {
  const out = at('grows');
  const narrow = widthStudy({ variants: async () => [{ name: 'narrow', options: { width: 4, comparators: false } }] });
  const first = await come(out, request, narrow);
  expect(first.ran).toEqual(['narrow 1']);
  expect((await come(out, request, narrow)).ran).toEqual([]);

  const seeds = { ...request, seeds: [1, 2] };
  const second = await come(out, seeds, narrow);
  expect(second.ran).toEqual(['narrow 2']);
  expect(second.figures[0].seeds).toEqual([1, 2]);
  expect(second.figures[0].signals['leptoquark']?.auc?.spread).toBeGreaterThan(0);

  // another signal: its scores are made from the runs that are there
  const runs = readdirSync(path.join(out, 'runs'));
  const times = runs.map(name => statSync(path.join(out, 'runs', name, 'encoder.safetensors')).mtimeMs);
  const signals = [...request.signals, { name: 'hToTauTau', file: sample('hToTauTau') }];
  const third = await come(out, { ...seeds, signals }, narrow);
  expect(third.ran).toEqual(['narrow 1', 'narrow 2']);
  expect(third.figures[0].signals['leptoquark']).toEqual(second.figures[0].signals['leptoquark']);
  expect(third.figures[0].mean?.auc?.value).toBeCloseTo(
    Object.values(third.figures[0].signals).reduce((sum, one) => sum + (one?.auc?.value ?? NaN), 0) / 2,
    12,
  );
  expect(readdirSync(path.join(out, 'runs'))).toEqual(runs);
  expect(runs.map(name => statSync(path.join(out, 'runs', name, 'encoder.safetensors')).mtimeMs)).toEqual(times);

  // another option makes other trials, and leaves these
  const trials = readdirSync(path.join(out, 'trials'));
  const other = requestOf({ train: { temperature: 0.2 } });
  expect((await come(out, other, narrow)).ran).toEqual(['narrow 1']);
  expect(readdirSync(path.join(out, 'trials'))).toEqual(expect.arrayContaining(trials));
  expect(readdirSync(path.join(out, 'trials'))).toHaveLength(trials.length + 1);
  expect((await come(out, seeds, narrow)).ran).toEqual([]);
});

test('what changes no figure makes no other trial; a revision of the study does', async () => {
  const keys = async (of: StudyRequest, what = study) =>
    (await planOf(what, of, 'out', '1')).trials.map(({ key }) => key);
  const known = await keys(request);
  expect(new Set(known).size).toBe(2);
  expect(await keys(requestOf({ train: { threads: 3, cache: true, device: 'cpu' } }))).toEqual(known);
  expect(await keys(requestOf({ train: { batch: 128 } }))).not.toEqual(known);
  expect(await keys(requestOf({ test: [sample('hToTauTau')] }))).not.toEqual(known);
  expect(await keys(request, { ...study, revision: 2 })).not.toEqual(known);
});

test('a trial that fails leaves the others, is named, and is tried again', async () => {
  const out = at('fails');
  const fail = ({ variant }: { variant: string }) => (variant === 'narrow' ? 'the disk is full' : undefined);
  const { json, text, failed, figures } = await come(out, request, study, fail);
  expect(failed).toEqual([{ variant: 'narrow', seed: 1, message: 'the disk is full' }]);
  expect(json.failed).toEqual(failed);
  expect(text).toContain('**Missing:** narrow, seed 1: the disk is full');
  expect(new Set(figures.map(({ variant }) => variant))).toEqual(new Set(['wide']));
  expect((await come(out, request)).ran).toEqual(['narrow 1']);
  await expect(come(at('none'), request, study, () => 'no')).rejects.toThrow('no trial is there to show: no');
});

test('a run that was begun on the same files elsewhere is begun anew', async () => {
  const narrow = widthStudy({ variants: async () => [{ name: 'narrow', options: { comparators: false } }] });
  const [{ options }] = (await planOf(narrow, request, at('moved'), '1.2.3')).trials;
  mkdirSync(options.out, { recursive: true });
  const left = { ...options, background: ['elsewhere.h5'] };
  writeFileSync(path.join(options.out, 'config.json'), JSON.stringify(left));
  const about = { version: '1.2.3', engine: '', machine: '', started: '', files: [], skipped: 0 };
  writeFileSync(path.join(options.out, 'provenance.json'), JSON.stringify(about));
  expect(await come(at('moved'), request, narrow)).toMatchObject({ ran: ['narrow 1'], failed: [] });
});

test('a damaged trial is made anew', async () => {
  const out = at('damaged');
  const { figures } = await come(out, request);
  const [name] = readdirSync(path.join(out, 'trials'));
  const file = (of: string): string => path.join(out, 'trials', name, of);
  const damages = [
    () => writeFileSync(file('trial.json'), '{'),
    () => truncateSync(file('scores-1-0-1.f32'), 400),
    () => rmSync(file('manifest.json')),
  ];
  for (const damage of damages) {
    damage();
    const again = await come(out, request);
    expect(again.ran).toEqual(['narrow 1']);
    expect(again.figures).toEqual(figures);
  }
});

test('a sample through an augmentation is the same for every trial, and changes what the augmentation does', async () => {
  const out = at('through');
  await come(out, request);
  const results = await Results.open(request, await planOf(study, request, out, '1.2.3'));
  const [one, other] = results.trials;
  const met = await results.scores(one, 'met', 'more met');
  const before = await results.scores(one, 'met', 'background');
  expect(await results.scores(other, 'met', 'more met')).toEqual(met);
  for (const e of [0, 1, 4999]) {
    expect(met[e] / before[e]).toBeGreaterThan(1.99);
    expect(met[e] / before[e]).toBeLessThan(3.01);
  }
  expect(await results.scores(one, 'ht', 'more met')).toEqual(await results.scores(one, 'ht', 'background'));
});

test('what cannot be is refused before anything runs', async () => {
  const refused = (what: Study, of = request) => expect(come(at('refused'), of, what)).rejects;
  const variants = (options: Record<string, unknown>) =>
    widthStudy({ variants: async () => [{ name: 'odd', options }] });
  await refused(variants({ width: 9 })).toThrow('variant odd: heads: got 2, which does not divide the width 9');
  await refused(
    widthStudy({ samples: async () => [{ label: 'leptoquark', files: request.test, role: 'signal' }] }),
  ).toThrow('two samples are called leptoquark; give signals other names');
  await refused(study, { ...request, test: request.background }).toThrow('is among the files of --test too');
  await refused(
    widthStudy({ methods: async () => [{ name: 'met', score: async ({ count }) => new Float32Array(count) }] }),
  ).toThrow('method met: there are two of this name');
});
