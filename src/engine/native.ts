import { loadAddon } from '../addon.js';
import { nativeRecipe } from '../augment/native-recipe.js';
import { DeviceError } from '../errors.js';
import { choosePlace, type Device } from './cuda.js';
import type { Engine } from './engine.js';

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
    contrastive(config, recipe) {
      const trainer = now(() => new addon.Trainer({ ...config, ...place }));
      now(() => trainer.setRecipe(nativeRecipe(recipe, catalogue)));
      return {
        weights: () => now(() => trainer.weights()),
        setWeights: weights => now(() => trainer.setWeights({ weights })),
        optimiserState: () => now(() => trainer.state()),
        setOptimiserState: state => now(() => trainer.setState(state)),
        step: ({ next, ...request }) =>
          job(() => trainer.step({ ...request, update: true, ...(next ? { next: { ...request, ...next } } : {}) })),
        loss: async request => (await job(() => trainer.step({ ...request, rate: 0, update: false }))).loss,
        embed: (events, index) => job(() => trainer.embed(index ? { events, index } : { events })),
        dispose: () => trainer.dispose(),
      };
    },
    autoencoder(config) {
      const model = now(() => new addon.Autoencoder({ ...config, ...place }));
      return {
        weights: () => now(() => model.weights()),
        setWeights: weights => now(() => model.setWeights({ weights })),
        step: (x, index, rate) => job(() => model.step({ x, index, rate })),
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
        // On a GPU too, though one event would be sooner on the CPU: an event's score has the same bits however it is asked
        // for. Who wants few events fast takes `device: 'cpu'`.
        scoreNow: events => now(() => model.scoreNow({ events })),
        embed: events => job(() => model.embed({ events })),
        dispose: () => model.dispose(),
      };
    },
    prepare: async (preparation, x) =>
      preparation.matrix === undefined || x.length === 0 ? x : addon.prepare({ preparation, x }),
    augment: (recipe, view, events, { seed, epoch, index }) =>
      job(() =>
        addon.augment({
          events,
          recipe: nativeRecipe(recipe, catalogue),
          view,
          seed,
          epoch,
          ...(index ? { index } : {}),
          ...place,
        }),
      ),
  };
}
