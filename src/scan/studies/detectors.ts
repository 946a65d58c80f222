import { rowDetectors } from '../../detect/list.js';
import type { RowDetector } from '../../detect/row-detector.js';
import type { EventStore } from '../../read/store.js';
import { Detector, precisionOf } from '../../score/detector.js';
import { selectColumns } from '../../score/representation.js';
import { trainDetector } from '../../train/autoencoder.js';
import { trainRatio } from '../../train/ratio.js';
import { keptRows, type RowSource } from '../../train/rows.js';
import type { Split } from '../../train/split.js';
import { type Level, levelNames, levelRows, type Levels, openLevels, recipeOf } from '../levels.js';
import type { Study, StudyMethod, TrialModel } from '../study.js';
import { fitRows, onceABatch, stopIfAborted } from '../training-rows.js';
import { methodOf, presentDetectors, variant } from './detectors-present.js';

/** In the order shown. */
const detectorNames = ['autoencoder', 'ratio', 'mahalanobis', 'neighbours', 'mixture'] as const;

/** Which detector, on which level of the representation. */
export const detectors: Study = {
  name: 'detectors',
  title: 'Detectors on every level of the representation, and ensembles of them',
  seeds: 3,
  revision: 2,
  async variants() {
    return [{ name: variant, options: {} }];
  },
  methods: fitDetectors,
  present: results => presentDetectors(results, levelNames(results.request.options.headLayers), detectorNames),
};

/** What a trial's detectors are fitted with. */
interface Fitting {
  readonly trial: TrialModel;
  readonly store: EventStore;
  readonly split: Split;
  readonly encoder: Levels;
  /** Of all levels. */
  readonly rows: RowSource;
}

/** A detector on one level, and whether its scores are positive, so that their logarithm is what averages. */
interface Fitted {
  readonly name: string;
  readonly logarithm: boolean;
  readonly score: (rows: Float32Array) => Promise<Float32Array>;
}

async function fitDetectors(trial: TrialModel): Promise<StudyMethod[]> {
  const { options, folder } = trial;
  const opened: { dispose(): void }[] = [];
  const store = await trial.openTraining();
  try {
    const encoder = await openLevels(trial);
    opened.push(encoder);
    const memory = { memoryBytes: 0.2e9 * options.memory, folder };
    const rows = await keptRows(store, encoder.length, events => encoder.embed(events), memory);
    const embedOnce = onceABatch(events => encoder.embed(events));
    const methods: StudyMethod[] = [];
    try {
      const fitting = { trial, store, split: trial.split(store), encoder, rows };
      for (const level of encoder.levels)
        for (const { name, score } of await fitLevel(fitting, level, opened))
          methods.push({
            name: methodOf(level.name, name),
            score: async events =>
              score(Float32Array.from(selectColumns(await embedOnce(events), encoder.length, level.columns))),
          });
    } finally {
      await rows.close();
    }
    // the encoder and the networks are let go of with the first method
    const [first, ...rest] = methods;
    return [{ ...first, dispose: () => opened.forEach(one => one.dispose()) }, ...rest];
  } catch (error) {
    for (const one of opened) one.dispose();
    throw error;
  } finally {
    await store.close();
  }
}

/** All detectors on one level, their scores made alike, so that means of several make sense. */
async function fitLevel(
  fitting: Fitting,
  level: Level,
  opened: { dispose(): void }[],
): Promise<Pick<RowDetector, 'name' | 'score'>[]> {
  const { trial, split } = fitting;
  const rows = levelRows(fitting.rows, level);
  const fitted = await fitNetworks(fitting, level, rows, opened);
  const { training, held } = await fitRows(rows, split, trial.signal);
  for (const name of ['mahalanobis', 'neighbours', 'mixture'] as const) {
    stopIfAborted(trial.signal);
    const detector = await rowDetectors[name](trial.engine, training, level.size, { seed: trial.seed });
    fitted.push({ name, logarithm: true, score: some => detector.score(some) });
  }
  const alike: Pick<RowDetector, 'name' | 'score'>[] = [];
  for (const { name, logarithm, score } of fitted) {
    const standardise = standardiser(await score(held), logarithm);
    alike.push({ name, score: async some => standardise(await score(some)) });
  }
  return alike;
}

/** The two that `train` has, each alone. */
async function fitNetworks(
  { trial, store, split, encoder }: Fitting,
  level: Level,
  rows: RowSource,
  opened: { dispose(): void }[],
): Promise<Fitted[]> {
  const { engine, options, seed, signal } = trial;
  const how = { batch: options.detectorBatch, learningRate: options.detectorLearningRate, seed };
  const autoencoder = await trainDetector(
    engine,
    { rows, split },
    {
      ...how,
      preparation: options.prepare,
      hidden: options.detectorHidden,
      bottleneck: options.bottleneck,
      activation: 'elu',
      epochs: options.detectorEpochs,
    },
    { signal },
  );
  const { preparation, members } = autoencoder;
  const ratio = await trainRatio(
    engine,
    {
      rows,
      split,
      store,
      preparation,
      represent: async events => selectColumns(await encoder.embed(events), encoder.length, level.columns),
    },
    {
      ...how,
      hidden: options.ratioHidden,
      epochs: options.ratioEpochs,
      recipe: await recipeOf(trial, options.ratioRecipe ?? options.recipe),
    },
    precisionOf(members[0].weights) === 'f64' ? 'f64' : 'f32',
    { signal },
  );
  return [
    { name: 'autoencoder', logarithm: true, weights: autoencoder },
    { name: 'ratio', logarithm: false, weights: { preparation, members: [ratio] } },
  ].map(({ weights, ...about }) => {
    const detector = new Detector(engine, weights);
    opened.push(detector);
    return { ...about, score: some => detector.score(some) };
  });
}

/** Below what any event scores. */
const leastScore = 1e-30;

/**
 * Scores, or their logarithms, to mean 0 and variance 1 over events of background that nothing was fitted on. It keeps
 * their order.
 */
export function standardiser(background: Float32Array, logarithm: boolean): (scores: Float32Array) => Float32Array {
  const on = (score: number): number => (logarithm ? Math.log(Math.max(score, leastScore)) : score);
  const values = Float64Array.from(background, on);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const width = variance > 0 ? Math.sqrt(variance) : 1;
  return scores => scores.map(score => (on(score) - mean) / width);
}
