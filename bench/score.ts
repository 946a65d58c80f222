import type { Precision } from '../src/addon.js';
import type { Engine } from '../src/engine/index.js';
import { take, type EventBatch } from '../src/events/event-batch.js';
import { initialWeights } from '../src/model/initialise.js';
import { autoencoderLayout, encoderLayout } from '../src/model/layout.js';
import { Detector } from '../src/score/detector.js';
import { fitPreparation, type Preparation } from '../src/score/prepare.js';
import { columnsOf, rowLength, selectColumns } from '../src/score/representation.js';
import { agree, doubles, type Case } from './case.js';
import { events, places, published, recipe, words } from './setting.js';

const pool = 8192;

/** Events to scores: encoder, pooled representation, whitening, autoencoder. */
function score(name: string, batch: number): Case {
  return {
    name,
    batch,
    model: `${words(published)}, whitened, autoencoder`,
    async open(engine) {
      const sample = await events(pool);
      const fit = await representations(engine, 'f64')(sample);
      const preparation = fitPreparation('whiten', fit, published.width);
      const scorer = open(engine, preparation, 'f32');
      const batches = Array.from({ length: Math.min(64, pool / batch) }, (_, i) =>
        take(sample, places(i * batch, batch, pool)),
      );
      let call = 0;
      return {
        run: () => scorer(batches[call++ % batches.length]),
        async check() {
          const reference = open(engine, preparation, 'f64');
          for (const one of batches.slice(0, 16)) agree('scores', await scorer(one), await reference(one), 1e-5);
        },
      };
    },
  };
}

function representations(engine: Engine, precision: Precision) {
  const model = engine.contrastive(
    { ...published, precision, loss: 'anomclr+', temperature: 0.1, optimiser: { kind: 'adam' } },
    recipe,
  );
  const weights = initialWeights(encoderLayout(published), 1, 'f32');
  model.setWeights(precision === 'f64' ? doubles(weights) : weights);
  return async (batch: EventBatch) =>
    selectColumns(await model.embed(batch), rowLength(published), columnsOf('pool', published));
}

function open(engine: Engine, preparation: Preparation, precision: Precision) {
  const embed = representations(engine, precision);
  const n = preparation.outputs;
  const widths = [n, 64, 25, 10, 25, 64, n];
  const weights = initialWeights(autoencoderLayout(widths), 1, 'f32');
  const detector = new Detector(engine, {
    preparation,
    widths,
    activation: 'elu',
    weights: precision === 'f64' ? doubles(weights) : weights,
  });
  return async (batch: EventBatch) => detector.score(await embed(batch));
}

export const scores: Case[] = [score('score', 4096), score('score-one', 1)];
