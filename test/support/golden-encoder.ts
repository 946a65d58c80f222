import type { Addon, Precision } from '../../src/addon.js';
import { encoderConfig, flatWeights, packSlots, trainerDefaults, weightOf } from './encoder.js';
import { type Extent, Golden, goldenTest, worst } from './golden.js';

async function run(addon: Addon, golden: Golden, weights: Golden, key: string, precision: Precision) {
  const { config, cases } = golden.json;
  const one = cases[key];
  const Floats = precision === 'f64' ? Float64Array : Float32Array;
  const trainer = new addon.Trainer({
    ...encoderConfig(config, one.mask === 'cont' ? 'continuous' : 'hard', one.n_head_layers, one.head_norm),
    ...trainerDefaults,
    precision,
  });
  trainer.setWeights({ weights: flatWeights(trainer, name => weights.f64(name), Floats) });
  // without a mask every slot is a token, whatever it holds
  const shape = golden.shape('x');
  const { tokens, slot } = packSlots(golden.f64('x'), shape, one.mask === 'none', Floats);
  const reps = await trainer.reps(tokens);
  const levels = one.n_head_layers + 1;
  const R = golden.f64('R');
  const dreps = new Floats(reps.length);
  for (let e = 0; e < shape[0]; e++)
    dreps.set(
      R.subarray(e * config.output_dim, (e + 1) * config.output_dim),
      (e * levels + levels - 1) * config.output_dim,
    );
  const gradients = await trainer.gradients({ ...tokens, dreps });
  const dx = new Float64Array(shape[0] * shape[1] * shape[2]);
  slot.forEach((s, row) => dx.set(gradients.x.subarray(row * shape[2], (row + 1) * shape[2]), s * shape[2]));
  return { trainer, reps, gradients, dx };
}

/** The key part of the attention bias has gradient 0 in exact arithmetic: measured against the whole bias. */
function compareGradients(golden: Golden, key: string, result: Awaited<ReturnType<typeof run>>, tolerance: number) {
  let compared = 0;
  const probeRight = golden.has('probe_right') ? golden.f64('probe_right') : undefined;
  const probeLeft = golden.has('probe_left') ? golden.f64('probe_left') : undefined;
  for (const info of result.trainer.layout()) {
    const got = weightOf(result.gradients.weights, info);
    const whole = `${key}/grad/${info.name}`;
    if (golden.has(whole)) {
      expect([info.name, worst(got, golden.f64(whole)) < tolerance]).toEqual([info.name, true]);
      compared++;
    } else if (golden.has(`${key}/grad_right/${info.name}`) && probeRight && probeLeft) {
      const [rows, cols] = info.shape;
      const right = Float64Array.from({ length: rows }, (_, r) =>
        Array.from(got.subarray(r * cols, (r + 1) * cols)).reduce((s, g, c) => s + g * probeRight[c], 0),
      );
      const left = new Float64Array(cols);
      got.forEach((g, i) => (left[i % cols] += g * probeLeft[Math.floor(i / cols)]));
      expect(worst(right, golden.f64(`${key}/grad_right/${info.name}`))).toBeLessThan(tolerance);
      expect(worst(left, golden.f64(`${key}/grad_left/${info.name}`))).toBeLessThan(tolerance);
      compared++;
    }
  }
  expect(compared).toBe(result.trainer.layout().length);
  expect(worst(result.dx, golden.f64(`${key}/grad_x`))).toBeLessThan(tolerance);
}

/** The golden encoders under an addon, see Extent. */
export function encoderTests(addon: Addon, { exact, small, bf16 }: Extent): void {
  const inBf16 = async (golden: Golden, weights: Golden, key: string): Promise<void> => {
    if (bf16 === undefined) return;
    const { reps } = await run(addon, golden, weights, key, 'bf16');
    expect(worst(reps, golden.f64(`${key}/reps`))).toBeLessThan(bf16);
  };

  describe('encoder, small', () => {
    const keys = [
      'none_head2',
      'none_head2_norm',
      'hard_head2',
      'hard_head2_norm',
      'cont_head2',
      'cont_head2_norm',
      'hard_head0',
      'hard_head1',
      'hard_head3',
      'hard_head3_norm',
    ];
    for (const key of keys)
      goldenTest('encoder/small_cases.safetensors', `${key}: representations and all gradients, float64`, async () => {
        const golden = await Golden.load('encoder/small_cases');
        const weights = await Golden.load('encoder/small_weights');
        const result = await run(addon, golden, weights, key, 'f64');
        expect(worst(result.reps, golden.f64(`${key}/reps`))).toBeLessThan(exact);
        compareGradients(golden, key, result, exact);
        await inBf16(golden, weights, key);
      });
    goldenTest('encoder/small_cases.safetensors', 'there is no case left out', async () => {
      expect(Object.keys((await Golden.load('encoder/small_cases')).json.cases).sort()).toEqual([...keys].sort());
    });
  });

  if (small) return;
  describe('encoder, published size', () => {
    for (const key of ['hard_head2', 'cont_head2', 'hard_head2_norm']) {
      goldenTest('encoder/paper_cases.safetensors', `${key}: float64 to ${exact}, float32 to 1e-5`, async () => {
        const golden = await Golden.load('encoder/paper_cases');
        const weights = await Golden.load('encoder/paper_weights');
        const double = await run(addon, golden, weights, key, 'f64');
        expect(worst(double.reps, golden.f64(`${key}/reps`))).toBeLessThan(exact);
        compareGradients(golden, key, double, exact);
        const single = await run(addon, golden, weights, key, 'f32');
        expect(worst(single.reps, golden.f64(`${key}/reps`))).toBeLessThan(1e-5);
        expect(worst(single.gradients.weights, double.gradients.weights)).toBeLessThan(1e-5);
        await inBf16(golden, weights, key);
      });
    }
  });
}
