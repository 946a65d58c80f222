import type { Addon, PerceptronConfig } from '../../src/addon.js';
import { weightOf } from './encoder.js';
import { type Extent, Golden, goldenTest, worst } from './golden.js';

const variants = {
  authors_leaky5: { file: 'weights_authors_leaky5', activation: 'leaky_relu', activateBottleneck: false },
  mlp10: { file: 'weights_mlp10', activation: 'relu', activateBottleneck: false },
  mlp10_relu_bottleneck: { file: 'weights_mlp10', activation: 'relu', activateBottleneck: true },
} as const;

/** The golden autoencoders under an addon, see Extent. */
export function autoencoderTests(addon: Addon, { exact, anyBatch }: Extent): void {
  describe('autoencoder', () => {
    for (const [name, { file, activation, activateBottleneck }] of Object.entries(variants)) {
      goldenTest(`ae/${file}.safetensors`, `${name}: loss, gradients, scores, 25 steps`, async () => {
        const golden = await Golden.load('ae/cases');
        const weights = await Golden.load(`ae/${file}`);
        const want = golden.json.variants[name];
        for (const [precision, tolerance] of [
          ['f64', exact],
          ['f32', 1e-5],
        ] as [PerceptronConfig['precision'], number][]) {
          const Floats: any = precision === 'f64' ? Float64Array : Float32Array;
          const model = new addon.Perceptron({
            precision,
            learns: 'row',
            widths: Int32Array.from(want.widths),
            activation,
            activateBottleneck,
            optimiser: { kind: 'adam' },
          });
          const flat = new Floats(model.weights().length);
          for (const info of model.layout()) flat.set(weights.f64(info.name), info.offset);
          model.setWeights({ weights: flat });
          const train = new Floats(golden.f64('x_train'));
          const held = new Floats(golden.f64('x_test'));

          const { loss, weights: gradient } = await model.gradients({ x: train });
          expect(Math.abs(loss - want.loss) / want.loss).toBeLessThan(tolerance);
          const right = golden.f64('probe_right');
          const left = golden.f64('probe_left');
          for (const info of model.layout()) {
            const got = weightOf(gradient, info);
            const [rows, cols] = info.shape;
            const whole = `${name}/grad/${info.name}`;
            if (golden.has(whole)) {
              expect(worst(got, golden.f64(whole))).toBeLessThan(tolerance);
              continue;
            }
            const byRow = Float64Array.from({ length: rows }, (_, r) =>
              Array.from(got.subarray(r * cols, (r + 1) * cols)).reduce((s, g, c) => s + g * right[c], 0),
            );
            const byColumn = new Float64Array(cols);
            got.forEach((g, i) => (byColumn[i % cols] += g * left[Math.floor(i / cols)]));
            expect(worst(byRow, golden.f64(`${name}/grad_right/${info.name}`))).toBeLessThan(tolerance);
            expect(worst(byColumn, golden.f64(`${name}/grad_left/${info.name}`))).toBeLessThan(tolerance);
          }
          expect(worst(await model.score({ x: train }), golden.f64(`${name}/score_train`))).toBeLessThan(tolerance);
          expect(worst(await model.score({ x: held }), golden.f64(`${name}/score_test`))).toBeLessThan(tolerance);
          for (let step = 0; step < golden.json.adam.steps; step++) {
            const before = await model.step({ x: train, rate: golden.json.adam.lr });
            expect(Math.abs(before - want.loss_per_step[step]) / want.loss_per_step[step]).toBeLessThan(tolerance);
          }
          expect(worst(await model.score({ x: held }), golden.f64(`${name}/score_test_after25`))).toBeLessThan(
            tolerance,
          );
          // rows by index are the rows themselves
          const some = await model.score({ x: held, index: Int32Array.of(3, 0) });
          const all = await model.score({ x: held });
          if (anyBatch) expect([...some]).toEqual([all[3], all[0]]);
          else expect(worst(some, [all[3], all[0]])).toBeLessThan(tolerance);
        }
      });
    }
  });
}
