import { agree } from '../../bench/case.js';
import { openOnnxScorer } from '../../bench/peers/onnx.js';
import type { EncoderConfig } from '../../src/addon.js';
import { openEngine, type ScorerConfig } from '../../src/engine/index.js';
import { EventBatchBuilder, take, type EventBatch } from '../../src/events/event-batch.js';
import { Kind } from '../../src/events/objects.js';
import { AnomalyClrError } from '../../src/errors.js';
import { initialWeights } from '../../src/model/initialise.js';
import { autoencoderLayout, encoderLayout } from '../../src/model/layout.js';
import { readAll } from '../../src/read/index.js';
import { detectorConfig } from '../../src/score/detector.js';
import { fitPreparation, type PreparationKind } from '../../src/score/prepare.js';
import { columnsOf, type RepresentationName } from '../../src/score/representation.js';
import { sample } from '../support/cli.js';

const installed = await import('onnxruntime-node').then(
  () => true,
  () => false,
);
if (!installed) console.log('onnxruntime-node is not installed here: its tests are left out');
const needs = installed ? test : test.skip;

const small: EncoderConfig = {
  features: 8,
  ptFeature: 'log',
  ptScale: 30,
  mask: 'hard',
  width: 32,
  heads: 4,
  layers: 2,
  feedForward: 48,
  output: 16,
  headLayers: 3,
  headNorm: true,
  dropout: 0.2,
};
const engine = await openEngine({ engine: 'native', threads: 2 });
let events: EventBatch;
beforeAll(async () => {
  ({ batch: events } = await readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents: 200 }));
});

/** A scorer with the float64 weights of layers that all differ, and what the native engine makes of them. */
async function configOf(
  encoder: EncoderConfig,
  representation: RepresentationName,
  kind: PreparationKind,
  activation: 'relu' | 'leaky_relu' | 'elu',
): Promise<ScorerConfig> {
  const [from, to] = columnsOf(representation, encoder);
  const d = to - from;
  const weights = initialWeights(encoderLayout(encoder), 3, 'f64');
  const detectorOn = (preparation: ReturnType<typeof fitPreparation>) => {
    const n = preparation.outputs;
    const widths = [n, 9, 4, 9, n];
    const ae = initialWeights(autoencoderLayout(widths), 5, 'f64');
    return {
      ...detectorConfig({ preparation, widths, activation, weights: ae }, 'f64'),
      encoder: { ...encoder, weights, from, to },
    };
  };
  const model = engine.scorer(detectorOn(fitPreparation('none', new Float64Array(d), d)));
  const rows = await model.embed(events);
  model.dispose();
  return detectorOn(fitPreparation(kind, rows, d));
}

needs.each<[string, EncoderConfig, RepresentationName, PreparationKind, 'relu' | 'leaky_relu' | 'elu']>([
  ['8 features, last layer of a head with norms', small, 'last', 'standardise', 'elu'],
  ['7 features, pooled', { ...small, features: 7, headNorm: false }, 'pool', 'whiten', 'relu'],
  [
    'a layer between, linear momenta',
    { ...small, ptFeature: 'linear', headNorm: false },
    'head1',
    'none',
    'leaky_relu',
  ],
  ['continuous mask', { ...small, mask: 'continuous' }, 'pool', 'standardise', 'elu'],
])('%s: as the native engine', async (_, encoder, representation, kind, activation) => {
  const config = await configOf(encoder, representation, kind, activation);
  const native = engine.scorer(config);
  const peer = await openOnnxScorer({ ...config, threads: 1 });
  try {
    expect(peer.version).toMatch(/^\d+\.\d+/);
    agree('representations', await peer.embed(events), await native.embed(events), 1e-5);
    const scores = await peer.score(events);
    expect(scores).toBeInstanceOf(Float32Array);
    agree('scores', scores, await native.score(events), 1e-5);
    // padding is nothing: an event alone is scored as it is among others
    const one = take(events, Int32Array.of(77));
    agree('one event', await peer.score(one), scores.slice(77, 78), 1e-5);
  } finally {
    await peer.dispose();
    native.dispose();
  }
});

needs('events without objects, of more than 19 objects, and none at all', async () => {
  const builder = new EventBatchBuilder();
  builder.endEvent(0);
  for (let i = 0; i < 25; i++) builder.addObject(20 + i, 0.1 * i - 1, 0.2 * i - 2, Kind.jet);
  builder.endEvent(1);
  const odd = builder.build();
  const config = await configOf(small, 'last', 'standardise', 'elu');
  const native = engine.scorer(config);
  const { encoder, preparation, autoencoder } = config;
  const peer = await openOnnxScorer({ encoder, preparation, autoencoder, threads: 0 });
  agree('scores', await peer.score(odd), await native.score(odd), 1e-5);
  expect(await peer.score(take(odd, new Int32Array(0)))).toEqual(new Float32Array(0));
  await peer.dispose();
  native.dispose();
});

needs('without an autoencoder there are representations alone', async () => {
  const { encoder } = await configOf(small, 'pool', 'none', 'elu');
  const peer = await openOnnxScorer({ encoder, threads: 1 });
  expect(await peer.embed(events)).toHaveLength(200 * small.width);
  await expect(peer.score(events)).rejects.toThrow(AnomalyClrError);
  await peer.dispose();
});

test('where it does not load, one line says so and what helps', async () => {
  (import.meta.jest as any).unstable_mockModule('onnxruntime-node', () => {
    throw new Error("Cannot find package 'onnxruntime-node'\nRequire stack");
  });
  import.meta.jest.resetModules();
  const fresh = await import('../../bench/peers/onnx.js');
  const opened = fresh.openOnnxScorer({
    encoder: { ...small, weights: new Float32Array(0), from: 0, to: 32 },
    threads: 1,
  });
  await expect(opened).rejects.toThrow(
    /^onnxruntime-node does not load \(Cannot find .*'\); .*npm install --no-save \S.*$/,
  );
});
