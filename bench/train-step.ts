import type { EncoderConfig, Engine } from '../src/engine/index.js';
import type { Precision } from '../src/addon.js';
import type { Recipe } from '../src/config/recipe.js';
import { initialWeights } from '../src/model/initialise.js';
import { encoderLayout } from '../src/model/layout.js';
import { agree, doubles, type Case } from './case.js';
import { demo, events, peerRecipe, places, published, recipe, words } from './setting.js';

const pool = 20_000;
const rate = 1e-3;

/** A training step: three views, three encodings, loss, gradient, Adam. */
function trainStep(config: EncoderConfig, loss: string, recipe: Recipe, batch: number): Case {
  return {
    name: 'train-step',
    batch,
    model: `${words(config)}, ${loss}, recipe ${recipe.name}`,
    async open(engine) {
      const sample = await events(pool);
      const model = open(engine, config, loss, recipe, 'f32');
      let step = 0;
      const request = () => ({
        events: sample,
        index: places(step * batch, batch, pool),
        seed: 1,
        epoch: Math.floor((step++ * batch) / pool),
        rate,
      });
      return {
        run: () => model.step(request()),
        async check() {
          const reference = open(engine, config, loss, recipe, 'f64');
          // the loss is a difference of terms about 1 in size that nearly cancel; the second loss depends on every
          // weight that the first step moved, and Adam turns rounding of gradients near 0 into full steps
          for (const tolerance of [1e-5, 1e-4]) {
            const now = request();
            const [got, want] = [await model.step(now), await reference.step(now)];
            agree('loss', [got.loss], [want.loss], tolerance, 1);
            agree('gradient norm', [got.gradientNorm], [want.gradientNorm], 100 * tolerance);
          }
          reference.dispose();
        },
      };
    },
  };
}

function open(engine: Engine, config: EncoderConfig, loss: string, recipe: Recipe, precision: Precision) {
  const model = engine.contrastive(
    { ...config, precision, loss, temperature: 0.1, optimiser: { kind: 'adam', clip: 1 } },
    recipe,
  );
  const weights = initialWeights(encoderLayout(config), 1, 'f32');
  model.setWeights(precision === 'f64' ? doubles(weights) : weights);
  return model;
}

export const trainSteps: Case[] = [
  ...[128, 512, 2048].map(batch => trainStep(published, 'anomclr', peerRecipe, batch)),
  trainStep(published, 'anomclr+', peerRecipe, 512),
  trainStep(demo, 'anomclr+', recipe, 512),
];
