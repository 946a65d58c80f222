import type { Floats } from '../addon.js';
import type { Recipe } from '../config/recipe.js';
import type { Columns, Engine, PerceptronModel } from '../engine/engine.js';
import { take } from '../events/event-batch.js';
import { initialWeights } from '../model/initialise.js';
import { perceptronLayout } from '../model/layout.js';
import type { EventStore } from '../read/store.js';
import { perceptronConfig, type DetectorMember } from '../score/detector.js';
import type { Preparation } from '../score/prepare.js';
import {
  concatenate,
  joinRows,
  keepBestEpoch,
  preparedRows,
  rowsOfPart,
  type DetectorData,
  type DetectorEpoch,
  type DetectorWatch,
} from './autoencoder.js';
import { BlockShuffle, type Part, type Stretches } from './blocks.js';
import { gather, trainingEvents, type EventBlock } from './event-blocks.js';

export interface RatioOptions {
  readonly hidden: readonly number[];
  readonly epochs: number;
  /** Events of one step, each with an anomalous view of it. */
  readonly batch: number;
  readonly learningRate: number;
  readonly seed: number;
  /** Its anomalous scenarios are what background is told from. */
  readonly recipe: Recipe;
}

/** Events, and what a detector reads of them. */
export interface RatioData extends DetectorData {
  readonly store: EventStore;
  /** The rows of any events, [events, rows.features], as those in `rows` were made. */
  readonly represent: (events: Columns) => Promise<Floats>;
  readonly preparation: Preparation;
}

/** Keys the views apart from those that the encoder learned from, and from all others. */
const firstEpoch = 0x80000000;
/** Those of validation: the same in every epoch. */
const validationEpoch = 0xfffffffd;

interface Block {
  readonly events: EventBlock;
  /** Of the same events in the same order, prepared. */
  readonly rows: Floats;
}

/**
 * Trains a network to tell background from its anomalous views: its output tends to log(p_anomalous(x) / p_background(x)),
 * which is the most powerful test of one against the other (Neyman and Pearson, Phil. Trans. R. Soc. A 231 (1933) 289).
 * Every epoch has each training event once as it is and once as a view that is made anew. Keeps the epoch that tells the
 * held-back events best from fixed views of them.
 */
export async function trainRatio(
  engine: Engine,
  data: RatioData,
  options: RatioOptions,
  precision: 'f32' | 'f64',
  watch: DetectorWatch = {},
): Promise<DetectorMember & { readonly history: readonly DetectorEpoch[] }> {
  const { preparation } = data;
  const shape = { kind: 'ratio', widths: [preparation.outputs, ...options.hidden, 1], activation: 'elu' } as const;
  const model = engine.perceptron(perceptronConfig(shape, precision));
  try {
    model.setWeights(initialWeights(perceptronLayout(shape.widths), options.seed, precision));
    const blocks = shuffled(engine, data, options.seed);
    const learned = await keepBestEpoch(model, blocks, options, watch, {
      step: async (parts, epoch, rate) => {
        const rows = joinRows(
          parts.map(({ block, index }) => ({ block: block.rows, index })),
          preparation.outputs,
        );
        const views = await viewsOf(engine, data, options, parts, firstEpoch + epoch);
        const count = rows.length / preparation.outputs;
        const classes = new Uint8Array(2 * count).fill(1, count);
        return { count, loss: await model.step(concatenate([rows, views]), rate, classes) };
      },
      validate: () => validate(engine, model, data, options),
    });
    return { ...shape, ...learned };
  } finally {
    model.dispose();
  }
}

/** Training events beside their prepared rows, in batches. */
function shuffled(engine: Engine, data: RatioData, seed: number): BlockShuffle<Block> {
  const { store, rows, split, preparation, blockBytes = Infinity } = data;
  const events = trainingEvents(store, split);
  const prepared = preparedRows(engine, rows, split, preparation);
  const source: Stretches<Block> = {
    counts: events.counts,
    load: async stretches => ({ events: await events.load(stretches), rows: await prepared.load(stretches) }),
  };
  const stretchBytes = (store.bytes + 4 * preparation.outputs * split.training) / Math.max(1, store.first.length - 1);
  return new BlockShuffle(source, seed, blockBytes / stretchBytes);
}

/** The prepared rows of one anomalous view of each event of a batch. */
async function viewsOf(
  engine: Engine,
  { represent, preparation }: RatioData,
  { recipe, seed }: RatioOptions,
  parts: readonly Part<Block>[],
  epoch: number,
): Promise<Floats> {
  const { events, ids } = gather(parts.map(({ block, index }) => ({ block: block.events, index })));
  return engine.prepare(preparation, await represent(await engine.augment(recipe, 2, events, { seed, epoch, ids })));
}

/** Cross-entropy of the held-back events and their views, both classes alike; null without any. */
async function validate(
  engine: Engine,
  model: PerceptronModel,
  data: RatioData,
  { recipe, seed }: RatioOptions,
): Promise<number | null> {
  const { store, represent, preparation } = data;
  let sum = 0;
  let count = 0;
  for await (const { stretch, index, x } of rowsOfPart(data, 'validation')) {
    const ids = index.map(position => store.first[stretch] + position);
    const key = { seed, epoch: validationEpoch, ids };
    const views = await engine.augment(recipe, 2, take(await store.read(stretch), index), key);
    for (const z of await model.score(await engine.prepare(preparation, x))) sum += softplus(z);
    for (const z of await model.score(await engine.prepare(preparation, await represent(views)))) sum += softplus(-z);
    count += 2 * index.length;
  }
  return count > 0 ? sum / count : null;
}

/** log(1 + e^z). */
const softplus = (z: number): number => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
