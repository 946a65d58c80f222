import { loadAddon } from '../addon.js';
import { nativeRecipe } from '../augment/native-recipe.js';
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
    precisions: ['f32', 'bf16', 'f64'],
    supports: loss => addon.losses().some(({ name }) => name === loss),
    augmentations: () => catalogue,
    contrastive(config, recipe) {
      const trainer = new addon.Trainer(config);
      trainer.setRecipe(nativeRecipe(recipe, catalogue));
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
        recipe: nativeRecipe(recipe, catalogue),
        view,
        seed,
        epoch,
        ...(index ? { index } : {}),
      }),
  };
}
