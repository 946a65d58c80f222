import type { Addon, NativeOptimiser, NativeTrainer, Precision } from '../../src/addon.js';
import { encoderConfig, flatWeights, packSlots, weightOf } from './encoder.js';
import { type Extent, Golden, goldenTest, worst } from './golden.js';

function trainerFor(addon: Addon, golden: Golden, name: string, precision: Precision): NativeTrainer {
  const run = golden.json.runs[name];
  const optimiser: NativeOptimiser = {
    kind: run.optimiser.startsWith('sgd') ? 'sgd' : 'adam',
    weightDecay: run.decoupled_weight_decay,
    l2: run.l2_in_gradient,
    clip: run.clip_norm ?? 0,
  };
  const trainer = new addon.Trainer({
    ...encoderConfig(golden.json.config, 'hard', golden.json.n_head_layers, golden.json.head_norm),
    precision,
    loss: name.split('/')[0].replace('_plus', '+'),
    temperature: golden.json.tau,
    optimiser,
  });
  const Floats = precision === 'f64' ? Float64Array : Float32Array;
  trainer.setWeights({ weights: flatWeights(trainer, w => golden.f64(`init/${w}`), Floats) });
  return trainer;
}

function viewsOf(golden: Golden, batch: number, Floats: any) {
  const [, events, slots, features] = golden.shape('view0');
  const size = events * slots * features;
  return [0, 1, 2].map(v => {
    const x = golden.f64(`view${v}`).subarray(batch * size, (batch + 1) * size);
    return packSlots(x, [events, slots, features], false, Floats).tokens;
  });
}

/** All weights but the key part of the attention bias, whose gradient is rounding noise alone. */
function compareWeights(trainer: NativeTrainer, golden: Golden, prefix: string, tolerance: number) {
  const flat = trainer.weights();
  for (const info of trainer.layout()) {
    const got = weightOf(flat, info);
    const want = golden.f64(`${prefix}/${info.name}`);
    if (info.name.endsWith('in_proj_bias'))
      for (const a of [got, want]) a.fill(0, want.length / 3, (2 * want.length) / 3);
    expect([info.name, worst(got, want) < tolerance]).toEqual([info.name, true]);
  }
}

const runs = ['clr', 'anomclr', 'anomclr_plus'].flatMap(loss =>
  ['adam', 'adamw', 'adam_cosine', 'adam_clip1', 'adam_clip0.1', 'adamw_cosine_clip1'].map(o => `${loss}/${o}`),
);
runs.push('clr/adam_l2', 'clr/sgd_momentum', 'ntxent/adam');
/** Where bf16 misses its tolerance: 2.02e-2 on the GPU that the CPU plays, rounding that 25 steps of Adam have enlarged. */
const bf16Misses: Readonly<Record<string, number>> = { 'anomclr_plus/adamw': 2.5e-2 };
/** Every loss and every part of an optimiser once. */
const someRuns = [
  'anomclr_plus/adamw_cosine_clip1',
  'anomclr/adam_clip0.1',
  'clr/adam_l2',
  'clr/sgd_momentum',
  'ntxent/adam',
];

/** The golden trajectories under an addon, see Extent. */
export function trajectoryTests(addon: Addon, { exact, small, bf16 }: Extent): void {
  describe('25 training steps', () => {
    for (const name of small ? someRuns : runs) {
      goldenTest('optim/trajectories.safetensors', `${name}: losses, gradient norms and weights`, async () => {
        const golden = await Golden.load('optim/trajectories');
        const run = golden.json.runs[name];
        const precisions = name.endsWith('sgd_momentum') ? (['f64'] as const) : (['f64', 'f32'] as const);
        for (const precision of precisions) {
          const Floats = precision === 'f64' ? Float64Array : Float32Array;
          const tolerance = precision === 'f64' ? exact : 1e-5;
          const largestLoss = Math.max(...run.loss.map(Math.abs));
          const trainer = trainerFor(addon, golden, name, precision);
          const batches = [0, 1, 2, 3].map(b => viewsOf(golden, b, Floats));
          for (let step = 0; step < golden.json.steps; step++) {
            const result = await trainer.stepOnViews({ views: batches[step % 4], rate: run.lr[step], update: true });
            expect(Math.abs(result.loss - run.loss[step]) / largestLoss).toBeLessThan(tolerance);
            // in float32 a ReLU at its edge moves the norm by more than rounding does; sgd amplifies even that of float64
            const normTolerance = name.endsWith('sgd_momentum') ? 1e-9 : tolerance;
            if (precision === 'f64')
              expect(Math.abs(result.gradientNorm - run.grad_norm[step]) / run.grad_norm[step]).toBeLessThan(
                normTolerance,
              );
            if (step === 0 && golden.has(`${name}/after1/embedding.bias`) && precision === 'f64')
              compareWeights(trainer, golden, `${name}/after1`, tolerance);
          }
          compareWeights(trainer, golden, `${name}/after25`, tolerance);
          const after = await trainer.stepOnViews({ views: batches[0], rate: 0, update: false });
          expect(Math.abs(after.loss - run.loss_batch0_after) / largestLoss).toBeLessThan(tolerance);
        }
        if (bf16 === undefined || name.endsWith('sgd_momentum')) return;
        const trainer = trainerFor(addon, golden, name, 'bf16');
        const batches = [0, 1, 2, 3].map(b => viewsOf(golden, b, Float32Array));
        for (let step = 0; step < golden.json.steps; step++) {
          const { loss } = await trainer.stepOnViews({ views: batches[step % 4], rate: run.lr[step], update: true });
          expect(Math.abs(loss - run.loss[step]) / Math.max(...run.loss.map(Math.abs))).toBeLessThan(
            bf16Misses[name] ?? bf16,
          );
        }
      });
    }

    goldenTest('optim/trajectories.json', 'no run is left out', async () => {
      expect(Object.keys((await Golden.load('optim/trajectories')).json.runs).sort()).toEqual([...runs].sort());
    });
  });
}
