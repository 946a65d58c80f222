import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseOptions } from '../../src/config/parse.js';
import { openEngine } from '../../src/engine/index.js';
import { AnomalyClrError, UsageError } from '../../src/errors.js';
import { readAll, writeEvents } from '../../src/read/index.js';
import { loadDetector } from '../../src/score/detector-file.js';
import { Scorer } from '../../src/score/scorer.js';
import { train } from '../../src/train/run.js';
import { temporaryFolder } from '../read/craft.js';
import { sample, smallTraining } from '../support/cli.js';

const at = temporaryFolder();

/** Trains with the options of {@link smallTraining} but for `changes`, on one thread. */
async function run(name: string, changes: Record<string, unknown>): Promise<string> {
  const flags: Record<string, unknown> = { threads: '1', comparators: false, out: at(name) };
  for (let i = 0; i < smallTraining.length - 1; i += 2)
    flags[smallTraining[i].slice(2).replace(/-./g, two => two[1].toUpperCase())] = smallTraining[i + 1];
  await train(parseOptions('train', { ...flags, background: [sample('background_train')], ...changes }), '0.0.0');
  return at(name);
}

const lines = (folder: string): any[] =>
  readFileSync(path.join(folder, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
const of = (folder: string, kind: string): any[] => lines(folder).filter(line => line.kind === kind);

async function scores(folder: string): Promise<Float32Array> {
  const { batch } = await readAll([sample('Ato4l')], { onBadEvent: 'fail', maxEvents: 50 });
  const scorer = await Scorer.open(folder, await openEngine({ engine: 'native', threads: 1 }));
  const result = await scorer.score(batch);
  scorer.dispose();
  return result;
}

test.each([
  ['fewer events than a batch are one step', { maxEvents: '20', batch: '512', validation: '0' }, 1],
  ['a last batch of one event is left out', { maxEvents: '33', batch: '32', validation: '0' }, 1],
  ['a last batch of two events is taken', { maxEvents: '34', batch: '32', validation: '0' }, 2],
  ['one validation event is too few to contrast', { maxEvents: '30', batch: '30', validation: '0.04' }, 1],
  ['four events are enough', { maxEvents: '4', batch: '2', validation: '0' }, 2],
])('%s, and the run ends', async (name, changes, stepsPerEpoch) => {
  const folder = await run(name.replaceAll(' ', '-'), changes);
  expect(of(folder, 'step').map(line => line.epoch)).toEqual(
    [0, 1, 2].flatMap(epoch => Array.from({ length: stepsPerEpoch }, () => epoch)),
  );
  expect(of(folder, 'epoch').map(line => line.validationLoss)).toEqual([null, null, null]);
  expect((await scores(folder)).every(Number.isFinite)).toBe(true);
});

test('asked to stop, it stops while it reads and while it embeds too, and goes on with --resume', async () => {
  const options = { background: [sample('background_train')], maxEvents: '20000', epochs: '1', width: '8', heads: '1' };
  const flags = { ...options, layers: '1', feedForward: '8', output: '8', headLayers: '1', detectorEpochs: '1' };
  const how = { ...flags, batch: '1024', comparators: false, threads: '1', out: at('asked') };
  for (const label of ['read', 'representations']) {
    const stop = new AbortController();
    const progress = (bar: { label: string }) => ({
      update: () => void (bar.label.startsWith(label) && stop.abort()),
      stop: () => undefined,
    });
    const stopped = train(parseOptions('train', { ...how, resume: true }), '0.0.0', { signal: stop.signal, progress });
    await expect(stopped).rejects.toThrow('stopped; the same command with --resume goes on');
  }
  await train(parseOptions('train', { ...how, resume: true }), '0.0.0');
  expect((await scores(at('asked'))).every(Number.isFinite)).toBe(true);
});

test('patience ends a training that gets no better; a run without it goes on', async () => {
  // at a rate that changes no weight the loss stays as it is
  const still = { maxEvents: '60', batch: '32', learningRate: '1e-30', warmup: '0', epochs: '6', dropout: '0' };
  expect(of(await run('patient', { ...still, patience: '2' }), 'epoch')).toHaveLength(3);
  expect(of(await run('endless', { ...still, patience: '0' }), 'epoch')).toHaveLength(6);
});

test('every choice of the detector and the encoder trains and scores', async () => {
  for (const [name, changes] of Object.entries({
    last: { representation: 'last', prepare: 'standardise', mask: 'continuous', headNorm: true },
    head1: { representation: 'head1', prepare: 'none', angles: 'sincos', ptFeature: 'linear' },
    f64: { precision: 'f64', loss: 'clr', recipe: 'paper', optimiser: 'adam' },
  })) {
    const folder = await run(name, { maxEvents: '64', batch: '32', epochs: '1', ...changes });
    const got = await scores(folder);
    expect([name, got.every(Number.isFinite), new Set(got).size > 40]).toEqual([name, true, true]);
  }
});

test.each(['ratio', 'combined'] as const)(
  '--detector %s: the same form on the untrained encoder, none on raw data',
  async kind => {
    const changes = { maxEvents: '200', batch: '32', epochs: '1', detectorEpochs: '2', ratioEpochs: '3' };
    const folder = await run(kind, {
      ...changes,
      ratioHidden: '5',
      detector: kind,
      ratioRecipe: 'broad',
      comparators: true,
    });
    const ours = kind === 'ratio' ? ['ratio'] : ['autoencoder', 'ratio'];
    const counts: Record<string, number> = {};
    for (const { name } of of(folder, 'detector')) counts[name] = (counts[name] ?? 0) + 1;
    expect(counts).toEqual({
      ...Object.fromEntries(
        ours.flatMap(name => [name, `untrained-${name}`].map(one => [one, name === 'ratio' ? 3 : 2])),
      ),
      'raw-autoencoder': 2,
      'raw-autoencoder-log': 2,
    });
    const load = (name: string) => loadDetector(path.join(folder, name));
    for (const file of ['autoencoder.safetensors', 'comparators/untrained-autoencoder.safetensors']) {
      const { members, preparation } = await load(file);
      expect(members.map(one => one.kind)).toEqual(ours);
      expect(members.at(-1)!.widths).toEqual([preparation.outputs, 5, 1]);
      expect(members.every(one => one.standard !== undefined && one.standard.deviation > 0)).toBe(true);
    }
    expect((await load('comparators/raw-autoencoder.safetensors')).members.map(one => one.standard)).toEqual([
      undefined,
    ]);
    const config = JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8'));
    expect([config.ratioRecipe.name, config.recipe.name]).toEqual(['broad', 'default']);
    expect((await scores(folder)).every(Number.isFinite)).toBe(true);
    const scorer = await Scorer.open(folder, await openEngine({ engine: 'native', threads: 1 }));
    expect((await scorer.comparators()).map(({ name }) => name)).toContain('untrained-encoder');
    scorer.dispose();
  },
);

test('further seeds stand in folders of their own and differ', async () => {
  const folder = await run('seeds', { maxEvents: '64', epochs: '1', seeds: '2', seed: '5' });
  const further = path.join(folder, 'seed-6');
  expect(JSON.parse(readFileSync(path.join(further, 'config.json'), 'utf8'))).toMatchObject({ seed: 6, out: further });
  expect(await scores(further)).not.toEqual(await scores(folder));
});

test('too few events, events without objects and an unknown engine or loss are told', async () => {
  await expect(run('few', { maxEvents: '3' })).rejects.toThrow(
    /background_train\.h5: 3 events are too few to train on/,
  );
  const { batch } = await readAll([sample('Ato4l')], { onBadEvent: 'fail', maxEvents: 5 });
  const none = new Float32Array(0);
  const bare = { ...batch, offsets: new Int32Array(6), pt: none, eta: none, phi: none, kind: new Uint8Array(0) };
  await writeEvents(at('bare.h5'), [bare]);
  await expect(run('bare', { background: [at('bare.h5')] })).rejects.toThrow(/no object with pT above 0 in 5 events/);
  const wrong = { ...parseOptions('train', { background: [sample('Ato4l')], out: at('x') }), loss: 'x' as 'clr' };
  await expect(train(wrong, '0.0.0')).rejects.toThrow(UsageError);
  await expect(run('gone', { background: [at('gone.h5')] })).rejects.toThrow(AnomalyClrError);
  expect(['few', 'bare', 'x', 'gone'].filter(name => existsSync(at(name)))).toEqual([]);
});
