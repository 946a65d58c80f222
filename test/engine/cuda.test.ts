// The engine on a GPU against that on the CPU: the GPU of this machine under `npm run test:gpu`, else one that the CPU plays.
import { loadAddon, type Columns, type Floats, type Precision, type TrainerConfig } from '../../src/addon.js';
import { parseRecipe, presets } from '../../src/config/recipe.js';
import { openEngine, type ContrastiveModel, type Engine } from '../../src/engine/index.js';
import { codesOf, withSums } from '../../src/events/event-sums.js';
import { eventKindNames } from '../../src/events/objects.js';
import { range, take, type EventBatch } from '../../src/events/event-batch.js';
import { initialWeights } from '../../src/model/initialise.js';
import { perceptronLayout, encoderLayout } from '../../src/model/layout.js';
import { readAll } from '../../src/read/index.js';
import { detectorConfig, perceptronConfig, type DetectorWeights } from '../../src/score/detector.js';
import { pick } from '../../src/train/rows.js';
import { fitPreparation, type Preparation } from '../../src/score/prepare.js';
import { columnsOf, rowLength, selectColumns } from '../../src/score/representation.js';
import { sample } from '../support/cli.js';
import { cudaLibrary, describeOnCuda, onGpu } from '../support/device.js';
import { worst } from '../support/golden.js';
import { drawnJets } from '../support/jets.js';

const config = {
  features: 8,
  ptFeature: 'log',
  ptScale: 35,
  mask: 'hard',
  width: 16,
  heads: 2,
  layers: 2,
  feedForward: 24,
  output: 16,
  headLayers: 2,
  headNorm: true,
  dropout: 0.2,
  loss: 'anomclr+',
  temperature: 0.1,
  anomalyWeight: 3,
  optimiser: { kind: 'adam', weightDecay: 0.01, clip: 1 },
} as const;
const batch = onGpu ? 256 : 24;
const steps = 6;
/** Against float64 on the CPU: of losses, and of everything after some steps. */
const tolerances = { f64: [1e-11, 1e-9], f32: [1e-5, 1e-4], bf16: [2e-2, 5e-2] } as const;
const precisions = ['f64', 'f32', 'bf16'] as const;

describeOnCuda('CUDA', () => {
  let cuda: Engine;
  let cpu: Engine;
  let events: EventBatch;
  const opened: { dispose(): void }[] = [];
  const kept = <T extends { dispose(): void }>(one: T): T => {
    opened.push(one);
    return one;
  };
  beforeAll(async () => {
    process.env['ANOMALYCLR_CUDA_LIBRARY'] = cudaLibrary;
    cuda = await openEngine({ engine: 'native', device: 'cuda', threads: 2 });
    cpu = await openEngine({ engine: 'native', device: 'cpu', threads: 2 });
    ({ batch: events } = await readAll([sample('background_train')], {
      onBadEvent: 'fail',
      maxEvents: batch * (steps + 1),
    }));
  });
  afterEach(() => {
    for (const one of opened.splice(0)) one.dispose();
  });

  function model(engine: Engine, precision: Precision, changes: Partial<TrainerConfig> = {}): ContrastiveModel {
    const made = { ...config, ...changes, precision };
    const one = kept(engine.contrastive(made, presets['default']));
    one.setWeights(initialWeights(encoderLayout(made), 1, precision));
    return one;
  }
  const places = (step: number) => Int32Array.from({ length: batch }, (_, i) => (step * batch + i) % events.count);
  const request = (step: number) => ({ events, index: places(step), seed: 3, epoch: step % 2, rate: 1e-3 });
  const columns = ({ pt, eta, phi, kind, offsets }: Columns) => ({ pt, eta, phi, kind, offsets });

  test('describes itself', () => {
    expect(cuda.describe()).toMatch(/^native, cuda: .+/);
    expect(cuda.notice).toBeUndefined();
    expect(cpu.describe()).not.toContain('cuda');
    const addon = loadAddon();
    expect(addon.device({ library: cudaLibrary }).version).toBe(addon.info().version);
  });

  test.each(['default', 'broad', 'paper', 'library80'] as const)(
    'views of recipe %s are those of the CPU, bit for bit',
    async name => {
      const recipe = presets[name];
      for (const view of [0, 1, 2] as const)
        for (const key of [
          { seed: 1, epoch: 0 },
          { seed: 2 ** 40 + 7, epoch: 3, index: Int32Array.of(5, 5, 0, 77) },
        ])
          expect(columns(await cuda.augment(recipe, view, events, key))).toEqual(
            columns(await cpu.augment(recipe, view, events, key)),
          );
    },
  );

  describe.each(precisions)('%s', precision => {
    const [near, later] = tolerances[precision];

    test.each([
      ['anomclr+', 'hard', 0.2, true],
      ['anomclr', 'continuous', 0.1, false],
      ['clr', 'hard', 0, false],
      ['ntxent', 'continuous', 0, true],
    ] as const)(
      '%s, mask %s, dropout %d, head norm %s: steps are those of the CPU',
      async (loss, mask, dropout, headNorm) => {
        // dropout: the same draws, or losses would differ in the first digit
        const changes = { loss, mask, dropout, headNorm };
        const [ours, theirs] = [model(cuda, precision, changes), model(cpu, 'f64', changes)];
        for (let step = 0; step < steps; step++) {
          const ahead = { events, index: places(step + 1), epoch: (step + 1) % 2 };
          // views made beside the step before, or not
          const got = await ours.step({ ...request(step), ...(step % 3 === 0 ? { next: ahead } : {}) });
          const want = await theirs.step(request(step));
          const allowed = step === 0 ? near : later;
          const scale = Math.max(1, Math.abs(want.loss));
          expect([step, Math.abs(got.loss - want.loss) / scale <= allowed]).toEqual([step, true]);
          const norms = precision === 'bf16' ? 0.2 : 100 * allowed;
          expect([step, Math.abs(got.gradientNorm / want.gradientNorm - 1) <= norms]).toEqual([step, true]);
        }
        const held = { events, index: places(2), seed: 3, epoch: 9 };
        const [got, want] = [await ours.loss(held), await theirs.loss(held)];
        expect(Math.abs(got - want) / Math.max(1, Math.abs(want))).toBeLessThan(later);
        expect(await ours.loss(held)).toBe(got);
      },
    );

    test('embeds as the CPU does, events without objects too', async () => {
      const [ours, theirs] = [model(cuda, precision), model(cpu, 'f64')];
      expect(worst(await ours.embed(events, places(0)), await theirs.embed(events, places(0)))).toBeLessThan(near);
      const empty = { ...columns(range(events, 0, 2)), offsets: Int32Array.of(0, 0, 3, 3) };
      expect(worst(await ours.embed(empty), await theirs.embed(empty))).toBeLessThan(near);
      expect(await ours.embed(events, new Int32Array(0))).toHaveLength(0);
    });

    test('goes on from weights and moments bit for bit', async () => {
      const whole = model(cuda, precision);
      const half = model(cuda, precision);
      for (let step = 0; step < 2; step++) {
        const [a, b] = [await whole.step(request(step)), await half.step(request(step))];
        expect(b).toEqual(a);
      }
      const resumed = model(cuda, precision);
      resumed.setWeights(half.weights());
      resumed.setOptimiserState(half.optimiserState());
      for (let step = 2; step < 4; step++)
        expect(await resumed.step(request(step))).toEqual(await whole.step(request(step)));
      expect(resumed.weights()).toEqual(whole.weights());
      expect(resumed.optimiserState()).toEqual(whole.optimiserState());
      expect(resumed.optimiserState().steps).toBe(4);
    });

    test('views made ahead change nothing, used or not', async () => {
      const [one, other] = [model(cuda, precision), model(cuda, precision)];
      for (let step = 0; step < 4; step++) {
        // what is told to come next does not always come
        const next = { events, index: places(step === 1 ? 5 : step + 1), epoch: (step + 1) % 2 };
        expect(await one.step({ ...request(step), next })).toEqual(await other.step(request(step)));
      }
      expect(one.weights()).toEqual(other.weights());
    });
  });

  describe('jets', () => {
    const jets: EventBatch = { ...drawnJets(batch * 2, 64, 1), count: batch * 2, rows: new Int32Array(batch * 2) };
    // up to 64 constituents come from any number
    const recipe = parseRecipe(
      {
        physical: [
          { augmentation: 'split_constituents', most: 64, fill: 1 },
          { augmentation: 'soft_distort' },
          { augmentation: 'rotate_jet' },
          { augmentation: 'translate_jet' },
        ],
        anomalous: ['drop_constituents', 'shift_subjet', 'reweight_pt'].map(name => ({
          name,
          steps: [{ augmentation: name }, { augmentation: 'split_constituents', most: 64 }],
        })),
      },
      'test',
    );
    const scales = { features: 7, etaScale: 0.4, phiScale: 0.3, dropout: 0 } as const;
    const sessions = (precision: Precision): ContrastiveModel[] =>
      ([[cuda, precision], [cpu, 'f64']] as const).map(([engine, at]) => {
        const made = { ...config, ...scales, precision: at };
        const one = kept(engine.contrastive(made, recipe));
        one.setWeights(initialWeights(encoderLayout(made), 1, at));
        return one;
      }); // prettier-ignore
    const some = Int32Array.from({ length: batch }, (_, i) => i);

    test('views are those of the CPU, bit for bit', async () => {
      for (const view of [0, 1, 2] as const)
        for (const key of [
          { seed: 1, epoch: 0 },
          { seed: 2 ** 40 + 7, epoch: 3 },
        ])
          expect(columns(await cuda.augment(recipe, view, jets, key))).toEqual(
            columns(await cpu.augment(recipe, view, jets, key)),
          );
    });

    test.each(['f64', 'f32'] as const)('%s: steps and embeddings are those of the CPU', async precision => {
      const [near, later] = tolerances[precision];
      const [ours, theirs] = sessions(precision);
      expect(worst(await ours.embed(jets), await theirs.embed(jets))).toBeLessThan(near);
      for (let step = 0; step < 3; step++) {
        const request = { events: jets, index: some, seed: 3, epoch: step, rate: 1e-3 };
        const [got, want] = [await ours.step(request), await theirs.step(request)];
        const allowed = step === 0 ? near : later;
        expect([step, Math.abs(got.loss - want.loss) / Math.max(1, Math.abs(want.loss)) <= allowed]).toEqual([
          step,
          true,
        ]);
        expect([step, Math.abs(got.gradientNorm / want.gradientNorm - 1) <= 100 * allowed]).toEqual([step, true]);
      }
    });
  });

  /** An encoder read at `representation` with a detector on it, on either engine. */
  async function scorers(
    representation: 'pool' | 'head1' | 'last',
    kind: Preparation['kind'],
    precision: Precision,
    combined = false,
  ) {
    const trainer = model(cpu, 'f64');
    const span = columnsOf(representation, config);
    // those of several members are on sums, too
    const sums = codesOf(combined ? eventKindNames : []);
    const rows = withSums(selectColumns(await trainer.embed(events), rowLength(config), span), events, sums);
    const preparation = fitPreparation(kind, rows, rows.length / events.count);
    const n = preparation.outputs;
    const widths = [n, 9, 4, 9, n];
    const weightsOf = (sizes: number[]) => initialWeights(perceptronLayout(sizes), 5, 'f64');
    const shape = { kind: 'autoencoder', widths, activation: 'elu' } as const;
    const autoencoder = { ...shape, weights: weightsOf(widths) };
    const ratio = { ...shape, kind: 'ratio', widths: [n, 5, 1], weights: weightsOf([n, 5, 1]) } as const;
    // of the first the device gives scores, of others representations
    const detector: DetectorWeights = {
      preparation,
      members: combined
        ? [
            { ...autoencoder, standard: { mean: -1, deviation: 0.5 } },
            { ...ratio, standard: { mean: 0.2, deviation: 2 } },
          ]
        : [autoencoder],
    };
    const scorerOf = (engine: Engine, at: Precision) => {
      const weights = at === 'f64' ? trainer.weights() : Float32Array.from(trainer.weights());
      const encoder = { ...config, weights, from: span[0], to: span[1], sums };
      return kept(engine.scorer({ ...detectorConfig(detector, at), encoder }));
    };
    return { ours: scorerOf(cuda, precision), theirs: scorerOf(cpu, 'f64'), detector, rows };
  }

  test.each([
    ['pool', 'whiten', 'f32'],
    ['pool', 'none', 'f64'],
    ['head1', 'standardise', 'f32'],
    ['last', 'whiten', 'f64'],
    ['last', 'none', 'bf16'],
    ['pool', 'standardise', 'f32', true],
  ] as const)(
    'scores at %s, %s, %s are those of the CPU',
    // jest gives functions of more parameters than a row has a `done` to call; one with a default does not count
    async (representation, kind, precision, combined: boolean = false) => {
      const { ours, theirs } = await scorers(representation, kind, precision, combined);
      const allowed = tolerances[precision][0];
      const some = range(events, 0, 100);
      const want = await theirs.score(some);
      const got = await ours.score(some);
      expect(worst(got, want)).toBeLessThan(precision === 'bf16' ? 5e-2 : allowed);
      expect(worst(await ours.embed(some), await theirs.embed(some))).toBeLessThan(allowed);
      // an event scores alike in any company
      expect(worst(ours.scoreNow(take(some, [3, 40, 0])), [got[3], got[40], got[0]])).toBeLessThan(allowed);
      const empty = { ...some, offsets: new Int32Array(3), count: 2 };
      expect(worst(await ours.score(empty), await theirs.score(empty))).toBeLessThan(
        precision === 'bf16' ? 5e-2 : allowed,
      );
      expect(await ours.score(take(some, []))).toHaveLength(0);
      expect(() => ours.scoreNow(range(events, 0, 65))).toThrow(/at most 64 events/);
    },
  );

  test.each(['f32', 'f64'] as const)(
    'an autoencoder trains and a detector scores as on the CPU, %s',
    async precision => {
      const { detector, rows } = await scorers('pool', 'standardise', precision);
      const cast = (x: Floats, at: Precision): Floats => (at === 'f64' ? x : Float32Array.from(x));
      const [member] = detector.members;
      const some = pick(
        rows,
        detector.preparation.inputs,
        Int32Array.from({ length: 40 }, (_, i) => 2 * i),
      );
      const [ours, theirs] = ([[cuda, precision], [cpu, 'f64']] as const).map(([engine, at]) => {
      const one = kept(engine.perceptron(perceptronConfig(member, at)));
      one.setWeights(cast(member.weights, at));
      return one;
    }); // prettier-ignore
      const [near, later] = tolerances[precision];
      for (let step = 0; step < 5; step++) {
        const [got, want] = [await ours.step(cast(some, precision), 1e-2), await theirs.step(some, 1e-2)];
        expect(Math.abs(got / want - 1)).toBeLessThan(step === 0 ? near : later);
      }
      // Adam turns rounding of gradients near 0 into full steps
      expect(worst(ours.weights(), theirs.weights())).toBeLessThan(20 * later);
      expect(worst(await ours.score(cast(rows, precision)), await theirs.score(rows))).toBeLessThan(later);
      const plain = [
        kept(cuda.detector(detectorConfig(detector, precision))),
        kept(cpu.detector(detectorConfig(detector, 'f64'))),
      ];
      expect(worst(await plain[0].score(cast(rows, precision)), await plain[1].score(rows))).toBeLessThan(near);
    },
  );

  test('a batch of one event: the losses that need others are undefined, and the session goes on', async () => {
    const one = model(cuda, 'f32', { loss: 'clr' });
    const alone = { ...request(0), index: Int32Array.of(0) };
    const weights = one.weights();
    await expect(one.step(alone)).rejects.toMatchObject({ code: 'UNDEFINED' });
    expect(one.weights()).toEqual(weights);
    expect(one.optimiserState().steps).toBe(0);
    expect((await one.step(request(0))).gradientNorm).toBeGreaterThan(0);
    expect(Number.isFinite((await model(cuda, 'f32').step(alone)).loss)).toBe(true);
  });
});
