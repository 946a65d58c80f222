import { rowDetectors, type RowDetectorName } from '../../detect/list.js';
import type { RowDetector } from '../../detect/row-detector.js';
import { Detector } from '../../score/detector.js';
import { selectColumns } from '../../score/representation.js';
import { trainDetector } from '../../train/autoencoder.js';
import { keptRows, type RowSource } from '../../train/rows.js';
import type { Split } from '../../train/split.js';
import { type Level, levelNames, levelRows, openLevels } from '../levels.js';
import type { Study, StudyMethod, TrialModel } from '../study.js';
import { fitRows, onceABatch } from '../training-rows.js';
import { methodOf, presentDetectors, variant } from './detectors-present.js';

/** In the order shown. */
const detectorNames = ['autoencoder', 'mahalanobis', 'neighbours', 'mixture'] as const;
type DetectorName = (typeof detectorNames)[number];

/** Which detector, on which level of the representation. */
export const detectors: Study = {
  name: 'detectors',
  title: 'Detectors on every level of the representation, and ensembles of them',
  seeds: 3,
  async variants() {
    return [{ name: variant, options: {} }];
  },
  methods: fitDetectors,
  present: results => presentDetectors(results, levelNames(results.request.options.headLayers), detectorNames),
};

/** What a trial's detectors are fitted with. */
interface Fitting {
  readonly trial: TrialModel;
  readonly split: Split;
  /** Of all levels. */
  readonly rows: RowSource;
}

type Opened = RowDetector & { dispose?(): void };

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
      const split = trial.split(store);
      for (const level of encoder.levels)
        for (const { name, score } of await fitLevel({ trial, split, rows }, level, opened))
          methods.push({
            name: methodOf(level.name, name),
            score: async events =>
              score(Float32Array.from(selectColumns(await embedOnce(events), encoder.length, level.columns))),
          });
    } finally {
      await rows.close();
    }
    // the encoder and the autoencoders are let go of with the first method
    const [first, ...rest] = methods;
    return [{ ...first, dispose: () => opened.forEach(one => one.dispose()) }, ...rest];
  } catch (error) {
    for (const one of opened) one.dispose();
    throw error;
  } finally {
    await store.close();
  }
}

/** All detectors on one level, their scores made alike: standardised logarithms, so that means of several make sense. */
async function fitLevel(
  { trial, split, rows }: Fitting,
  level: Level,
  opened: { dispose(): void }[],
): Promise<Pick<RowDetector, 'name' | 'score'>[]> {
  const own = levelRows(rows, level);
  const { training, held } = await fitRows(own, split, trial.signal);
  const fitted: Pick<RowDetector, 'name' | 'score'>[] = [];
  for (const name of detectorNames) {
    const detector: Opened =
      name === 'autoencoder'
        ? await fitAutoencoder(trial, own, split)
        : await fitRow(name, trial, training, level.size);
    if (detector.dispose) opened.push({ dispose: () => detector.dispose?.() });
    const standardise = standardiser(await detector.score(held));
    fitted.push({ name, score: async some => standardise(await detector.score(some)) });
  }
  return fitted;
}

const fitRow = (
  name: Exclude<DetectorName, 'autoencoder'> & RowDetectorName,
  { engine, seed }: TrialModel,
  training: Float32Array,
  size: number,
): Promise<RowDetector> => rowDetectors[name](engine, training, size, { seed });

/** As `train` makes them, on any level. */
async function fitAutoencoder(
  { engine, options, seed, signal }: TrialModel,
  rows: RowSource,
  split: Split,
): Promise<Opened> {
  const trained = await trainDetector(
    engine,
    { rows, split },
    {
      preparation: options.prepare,
      hidden: options.detectorHidden,
      bottleneck: options.bottleneck,
      activation: 'elu',
      epochs: options.detectorEpochs,
      batch: options.detectorBatch,
      learningRate: options.detectorLearningRate,
      seed,
    },
    { signal },
  );
  const detector = new Detector(engine, trained);
  return {
    name: 'autoencoder',
    inputs: rows.features,
    score: some => detector.score(some),
    dispose: () => detector.dispose(),
  };
}

/** Below what any event scores. */
const leastScore = 1e-30;

/** ln(score), to mean 0 and variance 1 over events of background that nothing was fitted on. It keeps the order. */
export function standardiser(background: Float32Array): (scores: Float32Array) => Float32Array {
  const log = (score: number): number => Math.log(Math.max(score, leastScore));
  const logs = Float64Array.from(background, log);
  const mean = logs.reduce((sum, value) => sum + value, 0) / logs.length;
  const variance = logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / logs.length;
  const width = variance > 0 ? Math.sqrt(variance) : 1;
  return scores => scores.map(score => (log(score) - mean) / width);
}
