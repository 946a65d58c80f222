import { loadAddon, type NativeRecipe } from '../addon.js';
import { resolveRecipe, type AugmentationInfo, type Recipe, type Step } from '../config/recipe.js';
import type { Engine } from './engine.js';

/** The C++ engine. `threads` 0 means one per core. */
export function nativeEngine(threads: number): Engine {
  const addon = loadAddon();
  addon.setThreads(threads);
  const catalogue = addon.augmentations();
  return {
    name: 'native',
    describe: () => {
      const { target, threads: count } = addon.info();
      return `native, ${target}, ${count} thread${count === 1 ? '' : 's'}`;
    },
    supports: loss => addon.losses().some(({ name }) => name === loss),
    augmentations: () => catalogue,
    contrastive(config, recipe) {
      const trainer = new addon.Trainer(config);
      trainer.setRecipe(toNative(recipe, catalogue));
      return {
        weights: () => trainer.weights(),
        setWeights: weights => trainer.setWeights({ weights }),
        optimiserState: () => trainer.state(),
        setOptimiserState: state => trainer.setState(state),
        step: ({ next, ...request }) =>
          trainer.step({ ...request, update: true, ...(next ? { next: { ...request, ...next } } : {}) }),
        loss: async request => (await trainer.step({ ...request, rate: 0, update: false })).loss,
        embed: (events, index) => trainer.embed(index ? { events, index } : { events }),
        dispose: () => trainer.dispose(),
      };
    },
    autoencoder(config) {
      const model = new addon.Autoencoder(config);
      return {
        weights: () => model.weights(),
        setWeights: weights => model.setWeights({ weights }),
        step: (x, index, rate) => model.step({ x, index, rate }),
        score: x => model.score({ x }),
        dispose: () => model.dispose(),
      };
    },
    detector(config) {
      const model = new addon.Scorer(config);
      return { score: x => model.score({ x }), dispose: () => model.dispose() };
    },
    scorer(config) {
      const model = new addon.Scorer(config);
      return {
        score: events => model.score({ events }),
        scoreNow: events => model.scoreNow({ events }),
        embed: events => model.embed({ events }),
        dispose: () => model.dispose(),
      };
    },
    prepare: async (preparation, x) =>
      preparation.matrix === undefined || x.length === 0 ? x : addon.prepare({ preparation, x }),
    augment: (recipe, view, events, { seed, epoch, index }) =>
      addon.augment({
        events,
        recipe: toNative(recipe, catalogue),
        view,
        seed,
        epoch,
        ...(index ? { index } : {}),
      }),
  };
}

/** Names to places in the addon's list, parameters in its order. */
function toNative(recipe: Recipe, catalogue: readonly AugmentationInfo[]): NativeRecipe {
  const { anchor, physical, anomalous } = resolveRecipe(recipe, catalogue);
  const steps = (chain: readonly Step[]) =>
    chain.map(step => {
      const augmentation = catalogue.findIndex(({ name }) => name === step.augmentation);
      return { augmentation, parameters: Float64Array.from(catalogue[augmentation].params, p => Number(step[p.name])) };
    });
  return [
    [{ weight: 1, steps: steps(anchor) }],
    [{ weight: 1, steps: steps(physical) }],
    anomalous.map(({ weight, steps: chain }) => ({ weight, steps: steps(chain) })),
  ];
}
