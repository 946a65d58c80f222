import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { gpuOf, launchOf, type Launch } from '../config/launch.js';
import { toConfig } from '../config/parse.js';
import { loadRecipe, resolveRecipe, type Recipe } from '../config/recipe.js';
import type { TrainOptions } from '../config/schema.js';
import type { Engine } from '../engine/engine.js';
import { openEngine } from '../engine/index.js';
import { AnomalyClrError, UsageError } from '../errors.js';
import { dataKind } from '../events/data-kinds.js';
import { DomainBuilder } from '../events/domain.js';
import type { EventBatch } from '../events/event-batch.js';
import { freeOptions } from '../model/run-folder.js';
import { readingOf } from '../read/reading.js';
import { openStore, surveyFiles, type EventStore } from '../read/store.js';
import { mustShare, Ranks } from './ranks.js';
import { SeedRun, type TrainWatch } from './seed-run.js';

export type { TrainWatch } from './seed-run.js';

/** Of `--memory`: what all events may take to stay in memory. */
const wholeShare = 0.2;

/**
 * Trains everything of a run: domain, encoder, detector, comparators, for every seed, into its folder. Where a launcher
 * such as mpirun started several processes, they train the encoder together; rank 0 alone writes and speaks.
 *
 * @throws UsageError for options that cannot be, AnomalyClrError for data that cannot be read or a training that failed
 * @example
 * await train(parseOptions('train', { background: ['background.h5'], out: 'runs/a', epochs: '20' }));
 */
export async function train(options: TrainOptions, version: string, watch: TrainWatch = {}): Promise<void> {
  const launch = options.ranks === 'off' ? undefined : launchOf(process.env);
  const ranks = launch ? await Ranks.join(launch, watch.signal) : Ranks.alone(watch.signal);
  const quiet: TrainWatch = watch.signal ? { signal: watch.signal } : {};
  try {
    await trainWith(ranks, launch, options, version, ranks.first ? watch : quiet);
  } catch (error) {
    await ranks.leave(error);
    throw error;
  }
  await ranks.leave();
}

async function trainWith(
  ranks: Ranks,
  launch: Launch | undefined,
  options: TrainOptions,
  version: string,
  watch: TrainWatch,
): Promise<void> {
  const engine = await openEngine(
    launch ? { ...options, threads: threadsOf(options, launch), deviceIndex: gpuOf(launch, process.env) } : options,
  );
  if (launch) mustShare(engine, launch);
  if (engine.notice !== undefined) watch.info?.(engine.notice);
  if (!engine.supports(options.loss))
    throw new UsageError(`--loss ${options.loss}: the ${engine.name} engine has no such loss`);
  if (!engine.precisions.includes(options.precision))
    throw new UsageError(
      `--precision ${options.precision}: the ${engine.name} engine computes in ${engine.precisions.join(', ')}`,
    );
  const reading = await readingOf(options, { write: true });
  const { dataKind: data, rows } = await surveyFiles(options.background, reading);
  const recipeOf = async (named: TrainOptions['recipe']): Promise<Recipe> =>
    resolveRecipe(await loadRecipe(named === 'default' ? dataKind(data).recipe : named), engine.augmentations(), data);
  const recipe = await recipeOf(options.recipe);
  const recipes =
    options.ratioRecipe === undefined ? { recipe } : { recipe, ratioRecipe: await recipeOf(options.ratioRecipe) };
  watch.info?.(`reading ${options.background.join(', ')}`);
  const domainBuilder = new DomainBuilder(data);
  const bar = watch.progress?.({ label: 'read', total: Math.min(rows, options.maxEvents || rows), unit: 'events' });
  let done = 0;
  const onBatch = (batch: EventBatch): void => {
    ranks.stopIfAsked();
    domainBuilder.add(batch);
    bar?.update((done += batch.count));
  };
  const { maxEvents, memory } = options;
  const how = { ...reading, dataKind: data, maxEvents, memoryBytes: wholeShare * memory * 1e9, onBatch };
  const store = await openTogether(ranks, launch, () => openStore(options.background, how));
  bar?.stop();
  try {
    const { skipped, count } = store;
    if (skipped > 0) watch.warn?.(`${skipped} bad events were left out`);
    if (count < 4)
      throw new AnomalyClrError(`${options.background.join(', ')}: ${count} events are too few to train on`);
    await ranks.mustAgree(commonGround({ ...options, ...recipes }, engine, store, version));
    const domain = domainBuilder.build();
    for (let k = 0; k < options.seeds; k++) {
      const seed = options.seed + k;
      const folder = k === 0 ? options.out : path.join(options.out, `seed-${seed}`);
      const seeded = k === 0 ? options : { ...options, seed, seeds: 1, out: folder };
      const resolved = { ...seeded, ...recipes };
      const { ratioRecipe = recipe } = recipes;
      await new SeedRun(resolved, recipe, ratioRecipe, engine, ranks, store, domain, folder, version, watch).train();
    }
  } finally {
    await store.close();
  }
  watch.info?.(`the run is in ${options.out}; its report is ${options.out}/report.html`);
}

/** On each machine one rank reads first: the others then find the packed copies that it has made. */
async function openTogether(
  ranks: Ranks,
  launch: Launch | undefined,
  open: () => Promise<EventStore>,
): Promise<EventStore> {
  if (!launch) return open();
  const early = launch.localRank === 0;
  const store = await ranks.beside(async () => (early ? open() : undefined));
  return ranks.beside(async () => store ?? open());
}

/** The cores of a machine are shared among its ranks, where the launcher has not done so. */
function threadsOf({ threads }: TrainOptions, { localRanks = 1 }: Launch): number {
  const cores = os.availableParallelism();
  return threads === 0 && cores === os.cpus().length ? Math.max(1, Math.floor(cores / localRanks)) : threads;
}

/** All that ranks must have in common to train the same encoder. */
function commonGround(
  options: TrainOptions,
  engine: Engine,
  { files, count, schema }: EventStore,
  version: string,
): Record<string, unknown> {
  const config = Object.entries(toConfig<'train'>(options)).filter(
    ([name]) => !freeOptions.has(name) && name !== 'background',
  );
  return {
    version,
    engine: engine.describe().split(', ', 2).join(', '),
    ...Object.fromEntries(config),
    files: files.map(({ sha256 }) => sha256),
    schema,
    events: count,
  };
}
