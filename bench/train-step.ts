import type { EncoderConfig, Engine } from '../src/engine/index.js';
import type { Precision } from '../src/addon.js';
import type { Recipe } from '../src/config/recipe.js';
import { initialWeights } from '../src/model/initialise.js';
import { encoderLayout } from '../src/model/layout.js';
import { agree, doubles, type Batches, type Case } from './case.js';
import { demo, events, peerRecipe, places, published, recipe, words } from './setting.js';
import { isGpu, isPeer, isSlow, type Subject } from './subjects.js';

const pool = 20_000;
const rate = 1e-3;

/** A training step: three views, three encodings, loss, gradient, Adam. */
function trainStep(
  config: EncoderConfig,
  loss: string,
  recipe: Recipe,
  batches: (subject: Subject) => Batches | undefined,
): Case {
  return {
    name: 'train-step',
    model: `${words(config)}, ${loss}, recipe ${recipe.name}`,
    torch: ['--task', 'train', '--loss', loss],
    batches,
    async open({ subject: { precision }, batch, engine: opened }) {
      const engine = opened();
      const sample = await events(pool);
      const model = open(engine, config, loss, recipe, precision);
      let step = 0;
      const keyed = (at: number) => ({
        index: places(at * batch, batch, pool),
        epoch: Math.floor((at * batch) / pool),
      });
      const request = () => ({
        events: sample,
        seed: 1,
        rate,
        ...keyed(step++),
        next: { events: sample, ...keyed(step) },
      });
      return {
        flop: (await flopPerEvent(engine, config, recipe)) * batch,
        run: () => model.step(request()),
        async check(reference) {
          const wanted = open(reference, config, loss, recipe, 'f64');
          // the loss is a difference of terms about 1 in size that nearly cancel; the second loss depends on every
          // weight that the first step moved, and Adam turns rounding of gradients near 0 into full steps
          for (const tolerance of precision === 'bf16' ? [2e-2, 5e-2] : [1e-5, 1e-4]) {
            const now = request();
            const [got, want] = [await model.step(now), await wanted.step(now)];
            agree('loss', [got.loss], [want.loss], tolerance, 1);
            agree(
              'gradient norm',
              [got.gradientNorm],
              [want.gradientNorm],
              precision === 'bf16' ? 0.2 : 100 * tolerance,
            );
          }
          wanted.dispose();
        },
      };
    },
  };
}

/**
 * Of the dense layers, forward and backward (three products of the same size each), from the objects that the views
 * have. Attention, normalisation, loss and optimiser are not counted.
 */
async function flopPerEvent(engine: Engine, config: EncoderConfig, recipe: Recipe): Promise<number> {
  const sample = await events(4096);
  const views = await Promise.all(
    ([0, 1, 2] as const).map(v => engine.augment(recipe, v, sample, { seed: 1, epoch: 0 })),
  );
  const tokens = views.reduce((sum, view) => sum + view.pt.length, 0) / 4096;
  const { width: d, feedForward, layers, features, headLayers, output } = config;
  const token = features * d + layers * (4 * d * d + 2 * d * feedForward);
  const head = headLayers === 0 ? 0 : d * output + (headLayers - 1) * output * output;
  return 6 * (tokens * token + views.length * head);
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

/** Losses of a batch need other events: 16 is the least. */
const curve = [16, 128, 512, 2048];
/** Of a GPU, which small batches do not fill. */
const onGpu = { usual: [512, 2048, 8192], full: [128, 512, 2048, 8192, 16_384] };

export const trainSteps: Case[] = [
  trainStep(published, 'anomclr', peerRecipe, subject => {
    if (isGpu(subject)) return onGpu;
    if (isPeer(subject)) return undefined;
    const full = [...curve, 4096, 16_384];
    return { usual: subject.engine === 'native' ? curve : isSlow(subject) ? [16] : [16, 128, 512], full };
  }),
  trainStep(published, 'anomclr+', peerRecipe, subject =>
    isGpu(subject) ? onGpu : isPeer(subject) ? undefined : { usual: [], full: [512] },
  ),
  trainStep(demo, 'anomclr+', recipe, subject => {
    if (isPeer(subject)) return undefined;
    return { usual: isSlow(subject) ? [] : [512], full: curve };
  }),
];
