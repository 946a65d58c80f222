import { readFileSync } from 'node:fs';
import { writeToyJets } from '../../tools/toy-jets.js';
import { evaluationSchema } from '../../src/evaluate/evaluation.js';
import { dataKinds } from '../../src/events/data-kinds.js';
import { domainSchema } from '../../src/events/domain.js';
import type { Inspection } from '../../src/events/inspect.js';
import { loadEncoder } from '../../src/model/encoder-file.js';
import { readScores } from '../../src/score/read-scores.js';
import { temporaryFolder } from '../read/craft.js';
import { needsRuntime } from '../support/bundle.js';
import { sample } from '../support/cli.js';
import { worst } from '../support/golden.js';
import { anomalyclr } from './in-process.js';

const at = temporaryFolder();
/** The command line in this process; `@name` is a file of the temporary folder. */
const run = (line: string) =>
  anomalyclr(...line.split(' ').map(arg => arg.replace(/@(.*)/, (_, name: string) => at(name))));

/** A training that takes seconds. */
const small =
  '--epochs 4 --batch 128 --width 32 --feed-forward 32 --output 32 --layers 2 --head-layers 2 --detector-epochs 15 --quiet';

beforeAll(async () => {
  await writeToyJets(at('train.h5'), 'qcd', { jets: 2500, seed: 1 });
  await writeToyJets(at('test.h5'), 'qcd', { jets: 1000, seed: 1, first: 2500 });
  for (const kind of ['two-prong', 'semi-visible'] as const)
    await writeToyJets(at(`${kind}.h5`), kind, { jets: 1000, seed: 1 });
  const { code, stderr } = await run(`train --background @train.h5 --schema jetnet --out @run ${small}`);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

const json = (name: string): unknown => JSON.parse(readFileSync(at(name), 'utf8'));

test('inspect says what is in a file of jets', async () => {
  const { code, stdout } = await run('inspect @test.h5 @two-prong.h5 --schema jetnet --json');
  expect(code).toBe(0);
  const [qcd, prongs] = JSON.parse(stdout) as Inspection[];
  expect(qcd).toMatchObject({ data: 'jet', rows: 1000, events: 1000, empty: 0, problems: { count: 0 } });
  expect(Object.keys(qcd.kinds)).toEqual(['constituent']);
  expect(qcd.multiplicity.max).toBe(40);
  // the toy's W: half of the jets lie near its mass
  expect(prongs.quantities?.['mass']?.quantiles[4]).toBeGreaterThan(80);
  expect(prongs.quantities?.['mass']?.quantiles[4]).toBeLessThan(95);
});

test('a run of jets takes recipe, scales and angles of its data kind', async () => {
  expect(json('run/config.json')).toMatchObject({ recipe: { name: 'jet' } });
  const domain = domainSchema.parse(json('run/domain.json'));
  expect(domain).toMatchObject({ data: 'jet', events: 2500 });
  const { config } = await loadEncoder(at('run/encoder.safetensors'));
  const { etaScale, phiScale } = dataKinds.jet;
  expect(config).toMatchObject({ features: 7, etaScale, phiScale });
  expect(readFileSync(at('run/report.html'), 'utf8')).toMatch(/constituents per jet/);
});

test('evaluate: jets of other kinds are found, and the report draws jets', async () => {
  const { code, stderr } = await run(
    'evaluate --model @run --background @test.h5 --signal two=@two-prong.h5 --signal semi=@semi-visible.h5 ' +
      '--schema jetnet --json @figures.json --report @figures.html --quiet',
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { methods } = evaluationSchema.parse(json('figures.json'));
  expect(Object.keys(methods)).toEqual([
    'anomclr',
    'raw-autoencoder',
    'raw-autoencoder-log',
    'untrained-encoder',
    ...Object.keys(dataKinds.jet.cuts),
  ]);
  for (const signal of ['two', 'semi']) expect(methods['anomclr'].signals[signal].auc?.low).toBeGreaterThan(0.53);
  // the mass finds what was made with one
  expect(methods['mass'].signals['semi'].auc?.low).toBeGreaterThan(0.6);
  const report = readFileSync(at('figures.html'), 'utf8');
  expect(report).toMatch(/Most anomalous jets/);
  expect(report).not.toMatch(/missing transverse momentum/);
});

needsRuntime('export, verify and score: a bundle of jets does what its run does', async () => {
  const made = await run('export --model @run --out @jets.onnx --quiet --json');
  expect(made.code).toBe(0);
  const card = JSON.parse(made.stdout);
  expect(card.domain.data).toBe('jet');
  expect(card.signature.objects).toMatch(/5 constituent/);
  // what training held back is read again by the schema of the training
  expect(card.calibration).toMatchObject({ heldBack: true, events: 250 });
  expect((await run('verify @jets.onnx')).code).toBe(0);
  for (const [model, out] of [
    ['run', 'a.h5'],
    ['jets.onnx', 'b.h5'],
  ])
    expect(
      await run(`score --model @${model} --data @two-prong.h5 --schema jetnet --out @${out} --quiet`),
    ).toMatchObject({
      code: 0,
      stderr: '',
    });
  const [ofRun, ofBundle] = [await readScores(at('a.h5')), await readScores(at('b.h5'))];
  expect(ofRun.score).toHaveLength(1000);
  expect(worst(ofBundle.score, ofRun.score)).toBeLessThan(5e-4); // as export's check: these scores lie around 0
  expect(ofBundle.inDomain).toEqual(ofRun.inDomain);
  const refused = await run(`score --model @jets.onnx --data ${sample('Ato4l')} --out @no.h5`);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(
    /Ato4l\.h5: holds events, and the model was trained on jets; take a model of events\n$/,
  );
});

test('events and jets are not mixed up, and one line says so', async () => {
  const toy = '--schema jetnet';
  const lines = [
    [
      `evaluate --model @run --background ${sample('background_test')} --signal x=${sample('Ato4l')}`,
      /background_test\.h5: holds events, and the model was trained on jets; take a model of events/,
    ],
    [`inspect ${sample('Ato4l')} --model @run`, /Ato4l\.h5: holds events, and the model was trained on jets/],
    [
      `train --background @train.h5 ${toy} --recipe broad --out @no`,
      /recipe "broad": physical\.0 \(rotate_phi\): acts on events, and the background holds jets/,
    ],
    [
      `train --background ${sample('Ato4l')} --recipe jet --out @no`,
      /recipe "jet": physical\.0 \(rotate_jet\): acts on jets, and the background holds events/,
    ],
    [`train --background @train.h5 --out @no`, /train\.h5: no dataset Particles .*--schema/],
  ] as const;
  for (const [line, message] of lines) {
    const { code, stderr } = await run(line);
    expect(code).toBeGreaterThan(0);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(message);
  }
});
