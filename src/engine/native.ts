import { loadAddon, type NativeGroup, type NativePlace, type NativeRanks } from '../addon.js';
import { nativeRecipe } from '../augment/native-recipe.js';
import { DeviceError, RankError, UsageError } from '../errors.js';
import { choosePlace, type Device } from './cuda.js';
import type { Engine, RankShare } from './engine.js';

/** What the addon throws, and what of it is of a GPU as such. */
const told = (error: unknown): never => {
  throw DeviceError.from(error);
};

function now<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    return told(error);
  }
}

/** A job's result; what is wrong with its arguments is thrown at once. */
const job = <T>(call: () => Promise<T>): Promise<T> => now(call).catch(told);

/** How the ranks of a training reach each other where they compute. */
function togetherOn(place: NativePlace, share?: RankShare): { group?: NativeGroup; ranks?: NativeRanks } {
  if (!share) return {};
  const { rank, ranks, group, id } = share;
  return place.device === 'cuda' ? { ranks: { rank, ranks, group: id } } : { group };
}

/** A rank's events of a batch: those from n r / ranks up to n (r + 1) / ranks, as native/core/group.h has it. */
function partOf<R extends { readonly index: Int32Array; readonly ids?: Int32Array }>(request: R, share?: RankShare): R {
  if (!share) return request;
  const { index, ids } = request;
  const begin = (rank: number): number => Math.floor((index.length * rank) / share.ranks);
  const [first, end] = [begin(share.rank), begin(share.rank + 1)];
  const mine = { index: index.slice(first, end), ...(ids ? { ids: ids.slice(first, end) } : {}) };
  return { ...request, ...mine, first, total: index.length };
}

/**
 * The C++ engine, on the CPU or a GPU. `threads` 0 means one per core.
 *
 * @throws AnomalyClrError where the addon, or the GPU that was asked for, does not work
 */
export function nativeEngine(threads: number, device: Device, deviceIndex?: number): Engine {
  const addon = loadAddon();
  addon.setThreads(threads);
  const { place, describe, notice } = choosePlace(device, deviceIndex);
  const catalogue = addon.augmentations();
  return {
    name: 'native',
    notice,
    describe: () => {
      if (describe !== undefined) return `native, ${describe}`;
      const { target, threads: count } = addon.info();
      return `native, ${target}, ${count} thread${count === 1 ? '' : 's'}`;
    },
    precisions: ['f32', 'bf16', 'f64'],
    supports: loss => addon.losses().some(({ name }) => name === loss),
    augmentations: () => catalogue,
    ranks: { id: () => (place.device === 'cuda' ? addon.deviceGroup(place) : new Uint8Array()) },
    contrastive(config, recipe, share) {
      if (config.pivotWeight && (share || place.device === 'cuda'))
        throw new UsageError(
          share
            ? '--pivot-weight: is of one process alone; add --ranks off'
            : '--pivot-weight: is computed on the CPU alone; add --device cpu',
        );
      const trainer = now(() => new addon.Trainer({ ...config, ...place, ...togetherOn(place, share) }));
      // on the CPU a rank that is lost leaves the model as the last step made it
      const call =
        share && place.device !== 'cuda' ? <T>(step: () => Promise<T>) => step().catch(RankError.rethrow) : job;
      now(() => trainer.setRecipe(nativeRecipe(recipe, catalogue)));
      return {
        weights: () => now(() => trainer.weights()),
        setWeights: weights => now(() => trainer.setWeights({ weights })),
        optimiserState: () => now(() => trainer.state()),
        setOptimiserState: state => now(() => trainer.setState(state)),
        step: ({ next, ...request }) =>
          call(() =>
            trainer.step({
              ...partOf(request, share),
              update: true,
              ...(next ? { next: partOf({ ...next, seed: request.seed }, share) } : {}),
            }),
          ),
        loss: async request =>
          (await call(() => trainer.step({ ...partOf(request, share), rate: 0, update: false }))).loss,
        embed: (events, index) => job(() => trainer.embed(index ? { events, index } : { events })),
        dispose: () => trainer.dispose(),
      };
    },
    perceptron(config) {
      const model = now(() => new addon.Perceptron({ ...config, ...place }));
      return {
        weights: () => now(() => model.weights()),
        setWeights: weights => now(() => model.setWeights({ weights })),
        step: (x, rate, classes) => job(() => model.step({ x, rate, ...(classes ? { classes } : {}) })),
        score: x => job(() => model.score({ x })),
        dispose: () => model.dispose(),
      };
    },
    detector(config) {
      const model = now(() => new addon.Scorer({ ...config, ...place }));
      return { score: x => job(() => model.score({ x })), dispose: () => model.dispose() };
    },
    scorer(config) {
      const model = now(() => new addon.Scorer({ ...config, ...place }));
      return {
        score: events => job(() => model.score({ events })),
        // On a GPU too: a second scorer on the CPU would be sooner for one event, but rounds otherwise, by 1e-2 in bf16, and
        // scores are to be compared. Who wants few events fast takes `device: 'cpu'`.
        scoreNow: events => now(() => model.scoreNow({ events })),
        embed: events => job(() => model.embed({ events })),
        dispose: () => model.dispose(),
      };
    },
    prepare: async (preparation, x) =>
      preparation.matrix === undefined || x.length === 0 ? x : addon.prepare({ preparation, x }),
    augment: (recipe, view, events, { seed, epoch, index, ids }) =>
      job(() =>
        addon.augment({
          events,
          recipe: nativeRecipe(recipe, catalogue),
          view,
          seed,
          epoch,
          ...(index ? { index } : {}),
          ...(ids ? { ids } : {}),
          ...place,
        }),
      ),
  };
}
