import { loadRecipe, type Recipe, resolveRecipe } from '../config/recipe.js';
import type { TrainOptions } from '../config/schema.js';
import type { Columns, Floats } from '../engine/engine.js';
import { dataKind } from '../events/data-kinds.js';
import { loadRun } from '../score/load-run.js';
import { columnsOf, rowLength, type RepresentationName, selectColumns } from '../score/representation.js';
import type { RowSource } from '../train/rows.js';
import type { TrialModel } from './study.js';

/** A place in an encoder where its representation can be read. */
export interface Level {
  readonly name: RepresentationName;
  readonly size: number;
  /** Of the rows of all levels that `embed` gives. */
  readonly columns: readonly [from: number, to: number];
}

/** The encoder of a trial, read at all levels at once. */
export interface Levels {
  /** The pooled vector, then every layer of the head; the last is what training contrasts. */
  readonly levels: readonly Level[];
  /** Numbers of a row of all levels. */
  readonly length: number;
  /** [events, length] */
  embed(events: Columns): Promise<Floats>;
  dispose(): void;
}

/** Names of the levels of an encoder with so many layers in its head. */
export function levelNames(headLayers: number): RepresentationName[] {
  return ['pool', ...Array.from({ length: headLayers }, (_, l) => `head${l + 1}` as RepresentationName)];
}

export async function openLevels(trial: TrialModel): Promise<Levels> {
  const { folder, options, engine } = trial;
  const { parts } = await loadRun(folder);
  const { config, weights } = parts.encoder;
  const model = engine.contrastive(
    {
      ...config,
      precision: weights instanceof Float64Array ? 'f64' : 'f32',
      loss: options.loss,
      temperature: options.temperature,
      optimiser: { kind: 'adam' },
    },
    await recipeOf(trial, options.recipe),
  );
  try {
    model.setWeights(weights);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return {
    levels: levelNames(config.headLayers).map(name => {
      const columns = columnsOf(name, config);
      return { name, columns, size: columns[1] - columns[0] };
    }),
    length: rowLength(config),
    embed: events => model.embed(events),
    dispose: () => model.dispose(),
  };
}

/** A recipe as `train` would take it for the data of a trial. */
export async function recipeOf({ engine, scorer }: TrialModel, recipe: TrainOptions['recipe']): Promise<Recipe> {
  const { data } = scorer.domain;
  const named = recipe === 'default' ? dataKind(data).recipe : recipe;
  return resolveRecipe(await loadRecipe(named), engine.augmentations(), data);
}

/** One level of rows of all levels. Closing it is left to who closes those. */
export function levelRows(rows: RowSource, { size, columns }: Level): RowSource {
  return {
    features: size,
    first: rows.first,
    read: async (stretch, index) => selectColumns(await rows.read(stretch, index), rows.features, columns),
    close: async () => undefined,
  };
}
