import path from 'node:path';
import { packageRoot, type TrainerConfig } from '../../src/addon.js';
import { parseRecipe, presets } from '../../src/config/recipe.js';
import { openEngine, type ContrastiveModel, type Engine } from '../../src/engine/index.js';
import type { Surroundings } from '../../src/engine/tfjs/trainer.js';
import type { EventBatch } from '../../src/events/event-batch.js';
import { codesOf, withSums } from '../../src/events/event-sums.js';
import { eventKindNames } from '../../src/events/objects.js';
import { range } from '../../src/events/event-batch.js';
import { initialWeights } from '../../src/model/initialise.js';
import { perceptronLayout, encoderLayout } from '../../src/model/layout.js';
import tf from '../../src/ops/tf.js';
import { readAll } from '../../src/read/index.js';
import { detectorConfig, type DetectorMember } from '../../src/score/detector.js';
import { fitPreparation } from '../../src/score/prepare.js';
import { worst } from '../support/golden.js';
import { drawnJets } from '../support/jets.js';

const sample = path.join(packageRoot(), 'sample', 'background_train.h5');
/** Mild changes: over large ones rounding grows from step to step. */
const recipe = parseRecipe(
  {
    physical: presets['paper'].physical,
    anomalous: [
      {
        name: 'few',
        steps: [
          { augmentation: 'add_objects', max_electrons: 1, max_muons: 1, max_jets: 2 },
          { augmentation: 'smear_direction' },
          { augmentation: 'acceptance' },
        ],
      },
    ],
  },
  'recipe',
);
/** What `train` does by default, narrower. */
const config: TrainerConfig = {
  features: 8,
  ptFeature: 'log',
  ptScale: 35,
  mask: 'hard',
  width: 32,
  heads: 4,
  layers: 2,
  feedForward: 32,
  output: 32,
  headLayers: 2,
  headNorm: false,
  dropout: 0,
  precision: 'f32',
  loss: 'anomclr+',
  temperature: 0.1,
  anomalyWeight: 3,
  optimiser: { kind: 'adam', weightDecay: 0.01, clip: 1 },
};

function open(engine: Engine, changes: Partial<TrainerConfig> = {}): ContrastiveModel {
  const model = engine.contrastive({ ...config, ...changes }, recipe);
  model.setWeights(initialWeights(encoderLayout({ ...config, ...changes }), 1, 'f32'));
  return model;
}

/** An engine on an open backend against the native one, on real events. */
export function parityTests(on: Surroundings): void {
  const { name: backend } = on.backend;
  const batch = backend === 'cpu' ? 16 : 128;
  let events: EventBatch;
  let native: Engine;
  const engines: Record<'pure' | 'native', Engine> = {} as never;

  beforeAll(async () => {
    events = (await readAll([sample], { onBadEvent: 'fail', maxEvents: 20 * batch })).batch;
    native = await openEngine({ engine: 'native', threads: 2 });
    for (const kernels of ['pure', 'native'] as const)
      engines[kernels] = await openEngine({ engine: 'tfjs', tfjsBackend: backend, tfjsKernels: kernels, threads: 2 });
  });

  const places = (step: number) => Int32Array.from({ length: batch }, (_, i) => step * batch + i);
  const request = (step: number) => ({ events, index: places(step), seed: 3, epoch: 1, rate: 1e-3 });

  describe.each(['pure', 'native'] as const)('%s kernels', kernels => {
    test.each([
      ['anomclr+', 0, 'hard'],
      ['anomclr', 0.1, 'hard'],
      ['clr', 0, 'continuous'],
    ] as const)('%s, dropout %d, mask %s: the loss of twenty steps is the native one', async (loss, dropout, mask) => {
      const changes = { loss, dropout, mask };
      const [ours, theirs] = [open(engines[kernels], changes), open(native, changes)];
      for (let step = 0; step < 20; step++) {
        const [got, want] = [await ours.step(request(step)), await theirs.step(request(step))];
        expect([step, Math.abs(got.loss - want.loss) / Math.max(1, Math.abs(want.loss)) < 1e-4]).toEqual([step, true]);
        expect([step, Math.abs(got.gradientNorm / want.gradientNorm - 1) < 1e-3]).toEqual([step, true]);
      }
      const held = { events, index: places(3), seed: 3, epoch: 9 };
      expect(Math.abs((await ours.loss(held)) - (await theirs.loss(held)))).toBeLessThan(1e-4 * 20);
      expect(worst(await ours.embed(events, places(2)), await theirs.embed(events, places(2)))).toBeLessThan(1e-3);
      ours.dispose();
      theirs.dispose();
    });

    test('jets: steps and embeddings are the native ones', async () => {
      const jets = { ...drawnJets(2 * batch, 30, 1), count: 2 * batch, rows: new Int32Array(2 * batch) };
      const changes = { features: 7, etaScale: 0.4, phiScale: 0.3 } as const;
      const [ours, theirs] = [engines[kernels], native].map(engine => {
        const model = engine.contrastive({ ...config, ...changes }, presets['jet']);
        model.setWeights(initialWeights(encoderLayout({ ...config, ...changes }), 1, 'f32'));
        return model;
      });
      expect(worst(await ours.embed(jets), await theirs.embed(jets))).toBeLessThan(1e-5);
      for (let step = 0; step < 3; step++) {
        const some = { ...request(0), events: jets, epoch: step };
        const [got, want] = [await ours.step(some), await theirs.step(some)];
        expect([step, Math.abs(got.loss - want.loss) / Math.max(1, Math.abs(want.loss)) < 1e-4]).toEqual([step, true]);
      }
      ours.dispose();
      theirs.dispose();
    });

    test('weights and moments go from one engine to the other and back, at any step', async () => {
      const [ours, theirs, whole] = [open(engines[kernels]), open(native), open(native)];
      for (let step = 0; step < 9; step++) {
        const [now, next] = step % 6 < 3 ? [theirs, ours] : [ours, theirs];
        const { loss } = await now.step(request(step));
        expect(Math.abs(loss - (await whole.step(request(step))).loss)).toBeLessThan(1e-4);
        next.setWeights(now.weights());
        next.setOptimiserState(now.optimiserState());
      }
      for (const model of [ours, theirs, whole]) model.dispose();
    });

    test.each([
      ['an autoencoder', undefined],
      ['an autoencoder and a ratio with sums', { mean: 0.3, deviation: 0.7 }],
    ] as const)('scores of %s are the native ones: many events, few at once, empty ones too', async (_, standard) => {
      const trainer = open(native);
      const pooled = (await trainer.embed(events)).filter((_, i) => i % 96 < 32);
      const sums = codesOf(standard ? eventKindNames : []);
      const rows = withSums(pooled, events, sums);
      const preparation = fitPreparation('whiten', rows, rows.length / events.count);
      const member = (kind: DetectorMember['kind'], ...widths: number[]): DetectorMember => {
        const weights = initialWeights(perceptronLayout(widths), 1, 'f32');
        return { kind, widths, activation: 'elu', weights, ...(standard ? { standard } : {}) };
      };
      const n = preparation.outputs;
      const error = member('autoencoder', n, 12, 5, 12, n);
      const members = standard ? [error, member('ratio', n, 9, 1)] : [error];
      const detector = detectorConfig({ preparation, members }, 'f32');
      const encoder = { ...config, weights: trainer.weights(), from: 0, to: 32, sums };
      const [ours, theirs] = [engines[kernels], native].map(engine => engine.scorer({ ...detector, encoder }));
      const some = range(events, 0, 64);
      const want = await theirs.score(some);
      expect(worst(await ours.score(some), want)).toBeLessThan(1e-4);
      expect(worst(ours.scoreNow(some), want)).toBeLessThan(1e-4);
      expect(worst(await ours.embed(some), await theirs.embed(some))).toBeLessThan(1e-5);
      expect(() => ours.scoreNow(events)).toThrow(/at most 64 events/);
      const empty = { ...some, offsets: new Int32Array(3), count: 2 };
      expect(worst(await ours.score(empty), await theirs.score(empty))).toBeLessThan(1e-4);
      expect(
        worst(await engines[kernels].prepare(preparation, rows), await native.prepare(preparation, rows)),
      ).toBeLessThan(1e-5);
      const [plain, reference] = [engines[kernels], native].map(engine => engine.detector(detector));
      expect(worst(await plain.score(rows), await reference.score(rows))).toBeLessThan(1e-4);
      for (const one of [ours, theirs, trainer, plain, reference]) one.dispose();
    });

    test('a network that learns classes takes the native steps', async () => {
      const widths = Int32Array.of(4, 6, 5, 1);
      const start = initialWeights(perceptronLayout(widths), 3, 'f32');
      const rows = Float32Array.from({ length: 4 * 50 }, (_, i) => 3 * Math.sin(i * i));
      const classes = Uint8Array.from({ length: 50 }, (_, i) => i % 3 === 0 ? 1 : 0); // prettier-ignore
      const [ours, theirs] = [engines[kernels], native].map(engine => {
        const config = {
          precision: 'f32',
          learns: 'class',
          widths,
          activation: 'elu',
          activateBottleneck: false,
        } as const;
        const model = engine.perceptron({ ...config, optimiser: { kind: 'adam', weightDecay: 0.01 } });
        model.setWeights(start);
        return model;
      });
      for (let step = 0; step < 20; step++) {
        const [got, want] = [await ours.step(rows, 1e-2, classes), await theirs.step(rows, 1e-2, classes)];
        expect(Math.abs(got - want)).toBeLessThan(1e-4);
      }
      expect(worst(ours.weights(), start)).toBeGreaterThan(1e-2);
      expect(worst(ours.weights(), theirs.weights())).toBeLessThan(1e-3);
      expect(worst(await ours.score(rows), await theirs.score(rows))).toBeLessThan(1e-3);
      for (const one of [ours, theirs]) one.dispose();
    });

    test('memory is as it was after a thousand steps', async () => {
      const small = { width: 4, feedForward: 4, output: 4, heads: 1, layers: 1, headLayers: 1, dropout: 0.1 };
      const before = tf.memory().numTensors;
      const model = open(engines[kernels], small);
      const auto = engines[kernels].perceptron({
        precision: 'f32',
        learns: 'row',
        widths: Int32Array.of(4, 2, 4),
        activation: 'elu',
        activateBottleneck: false,
        optimiser: { kind: 'adam' },
      });
      const rows = Float32Array.from({ length: 32 }, (_, i) => Math.sin(i));
      const index = Int32Array.from({ length: 8 }, (_, i) => i);
      let [tensors, bytes] = [0, 0];
      for (let step = 0; step < 1000; step++) {
        await model.step({ events, index, seed: 1, epoch: step, rate: 1e-3 });
        if (step % 10 === 0) {
          await auto.step(rows, 1e-3);
          await auto.score(rows);
          await model.embed(events, index);
        }
        if (step === 10) [tensors, bytes] = [tf.memory().numTensors, tf.memory().numBytes];
      }
      expect(tf.memory().numTensors).toBe(tensors);
      expect(tf.memory().numBytes).toBe(bytes);
      model.dispose();
      auto.dispose();
      expect(tf.memory().numTensors).toBe(before);
    });
  });

  test('views of the pure engine are the native ones, to the bit', async () => {
    for (const view of [0, 1, 2] as const) {
      const key = { seed: 5, epoch: 2 };
      const got = await engines.pure.augment(recipe, view, events, key);
      expect(got).toEqual(await native.augment(recipe, view, events, key));
    }
  });

  test('what it cannot do it says', () => {
    expect(engines.pure.supports('nonesuch')).toBe(false);
    expect(() => engines.pure.contrastive({ ...config, loss: 'nonesuch' }, recipe)).toThrow(/no loss nonesuch/);
    expect(() => engines.pure.contrastive({ ...config, precision: 'f64' }, recipe)).toThrow(/f32 alone/);
    expect(() => open(engines.pure).setWeights(new Float32Array(3))).toThrow(/3 numbers for a model of \d+ weights/);
  });
}
