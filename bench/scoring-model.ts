import type { Precision } from '../src/addon.js';
import { openEngine, type Engine, type ScorerConfig, type ScoringModel } from '../src/engine/index.js';
import { take, type EventBatch } from '../src/events/event-batch.js';
import { initialWeights } from '../src/model/initialise.js';
import { perceptronLayout, encoderLayout } from '../src/model/layout.js';
import { detectorConfig, type DetectorWeights } from '../src/score/detector.js';
import { fitPreparation } from '../src/score/prepare.js';
import { columnsOf, rowLength, selectColumns } from '../src/score/representation.js';
import { doubles, type Place } from './case.js';
import { openOnnxScorer } from './peers/onnx.js';
import { places, published, recipe, words } from './setting.js';
import { isPeer } from './subjects.js';

export const encoderWeights = initialWeights(encoderLayout(published), 1, 'f32');
export const modelWords = `${words(published)}, whitened, autoencoder`;

/** Events that a detector is fitted on where there is no native engine. */
const few = 512;

/** A detector on the pooled representation of `sample`, untrained but for its whitening; the same on every subject. */
export async function fit({ engine, reference, subject }: Place, sample: EventBatch): Promise<DetectorWeights> {
  const native = await reference();
  const by =
    native ??
    (isPeer(subject) ? await openEngine({ engine: 'tfjs', tfjsBackend: 'cpu', tfjsKernels: 'pure' }) : engine());
  const precision = native ? 'f64' : 'f32';
  // of as many as the native engine takes at once, plain loops take minutes
  const used = native ? sample : take(sample, places(0, few, sample.offsets.length - 1));
  const trainer = by.contrastive(
    { ...published, precision, loss: 'anomclr+', temperature: 0.1, optimiser: { kind: 'adam' } },
    recipe,
  );
  trainer.setWeights(precision === 'f64' ? doubles(encoderWeights) : encoderWeights);
  const rows = selectColumns(await trainer.embed(used), rowLength(published), columnsOf('pool', published));
  trainer.dispose();
  const preparation = fitPreparation('whiten', rows, published.width);
  const n = preparation.outputs;
  const widths = [n, 64, 25, 10, 25, 64, n];
  const weights = initialWeights(perceptronLayout(widths), 1, 'f32');
  return { preparation, members: [{ kind: 'autoencoder', widths, activation: 'elu', weights }] };
}

function configOf(detector: DetectorWeights, precision: Precision): ScorerConfig {
  const [from, to] = columnsOf('pool', published);
  const weights = precision === 'f64' ? doubles(encoderWeights) : encoderWeights;
  return { ...detectorConfig(detector, precision), encoder: { ...published, weights, from, to } };
}

/** Encoder, whitening and autoencoder on an engine. */
export function openScorer(engine: Engine, detector: DetectorWeights, precision: Precision): ScoringModel {
  return engine.scorer(configOf(detector, precision));
}

/** The same on the subject of a place; ONNX Runtime has no call of its own for a single event. */
export async function openScorerAt(
  { subject, engine, threads }: Place,
  detector: DetectorWeights,
): Promise<Pick<ScoringModel, 'score' | 'embed'> & Partial<Pick<ScoringModel, 'scoreNow'>>> {
  if (subject.engine !== 'onnxruntime') return openScorer(engine(), detector, subject.precision);
  const [from, to] = columnsOf('pool', published);
  return openOnnxScorer({ encoder: { ...published, weights: encoderWeights, from, to }, detector, threads });
}
