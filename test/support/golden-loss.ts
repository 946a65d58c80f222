import type { Addon } from '../../src/addon.js';
import { type Extent, Golden, goldenNumber, goldenTest, worst } from './golden.js';

const native = { clr: 'clr', ntxent: 'ntxent', anomclr: 'anomclr', anomclr_plus: 'anomclr+' } as const;
const sides = ['z', 'zprime', 'zstar'] as const;

function evaluate(
  addon: Addon,
  golden: Golden,
  loss: keyof typeof native,
  temperature: number,
  at = '',
  Floats: any = Float64Array,
  precision?: 'bf16',
) {
  const [events, dim] = golden.shape(`${at}z`);
  return addon.contrastiveLoss({
    loss: native[loss],
    z: new Floats(golden.f64(`${at}z`)),
    zPhysical: new Floats(golden.f64(`${at}zprime`)),
    zAnomalous: new Floats(golden.f64(`${at}zstar`)),
    events,
    dim,
    temperature,
    ...(precision ? { precision } : {}),
  });
}

/** Largest absolute value over all gradients of one case: they share a scale, and some are 0 exactly. */
function scaleOf(golden: Golden, prefix: string, loss: string): number {
  let largest = 0;
  for (const side of sides) {
    const name = `${prefix}_${side}`;
    if (golden.has(name)) for (const x of golden.f64(name)) largest = Math.max(largest, Math.abs(x));
  }
  if (!(largest > 0)) throw new Error(`no gradients for ${loss}`);
  return largest;
}

/** The golden losses under an addon, see Extent. */
export function lossTests(addon: Addon, { exact, small, bf16 }: Extent): void {
  const grids = [
    'N2_D4',
    'N2_D8',
    'N2_D160',
    'N3_D4',
    'N3_D8',
    'N3_D160',
    'N3_D8_unitrows',
    'N8_D4',
    'N8_D8',
    'N8_D160',
    'N8_D8_unitrows',
    'N64_D4',
    'N64_D8',
    'N64_D160',
    'N257_D4',
    'N257_D8',
    'N257_D160',
  ];
  describe.each(small ? ['N2_D8', 'N3_D8_unitrows', 'N8_D4'] : grids)('contrastive losses, grid %s', grid => {
    goldenTest(
      `loss/grid_${grid}.safetensors`,
      `value and gradients, float64 to ${exact} and float32 to 1e-5`,
      async () => {
        const golden = await Golden.load(`loss/grid_${grid}`);
        const probe = golden.f64('probe');
        for (const [key, want] of Object.entries<any>(golden.json.results)) {
          const [loss, tau] = key.split('/tau') as [keyof typeof native, string];
          // near saturation plain float32 is off by up to 6 %: ours may be by three times the error of that, and is by far less
          const single = Math.max(1e-5, 3 * want.float32_grad_err_over_max);
          for (const [Floats, tolerance] of [
            [Float64Array, exact],
            [Float32Array, single],
          ] as const) {
            const got = await evaluate(addon, golden, loss, Number(tau), '', Floats);
            expect(Math.abs(got.loss - want.loss)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(want.loss)));
            for (const [i, side] of sides.entries()) {
              const whole = `${key}/grad_${side}`;
              const probed = `${key}/gradprobe_${side}`;
              const gradient = got.gradients[i];
              if (golden.has(whole)) {
                const reference = golden.f64(whole);
                if (want.saturated && Floats === Float64Array) {
                  const difference = Math.max(...reference.map((x, k) => Math.abs(x - gradient[k])));
                  expect(difference).toBeLessThan(1e-13 / Number(tau));
                } else {
                  const scale = scaleOf(golden, `${key}/grad`, loss);
                  const difference = Math.max(...reference.map((x, k) => Math.abs(x - gradient[k])));
                  expect(difference / scale).toBeLessThan(tolerance);
                }
              } else if (golden.has(probed) && !want.saturated) {
                const dim = probe.length;
                const rows = Float64Array.from({ length: gradient.length / dim }, (_, r) =>
                  probe.reduce((sum, p, c) => sum + p * gradient[r * dim + c], 0),
                );
                const reference = golden.f64(probed).filter((_, k) => k % 2 === 0);
                expect(worst(rows, reference)).toBeLessThan(tolerance);
              }
            }
          }
          if (bf16 === undefined || want.saturated) continue;
          const { loss: value } = await evaluate(addon, golden, loss, Number(tau), '', Float32Array, 'bf16');
          const off = Math.abs(value - want.loss) / Math.max(1, Math.abs(want.loss));
          expect(off).toBeLessThanOrEqual(bf16);
        }
      },
    );
  });

  describe('contrastive losses at the edge', () => {
    goldenTest('loss/edge.safetensors', 'right values and gradients where the published code breaks', async () => {
      const golden = await Golden.load('loss/edge');
      let compared = 0;
      for (const [name, edge] of Object.entries<any>(golden.json)) {
        for (const [key, want] of Object.entries<any>(edge.results)) {
          const [loss, tau] = key.split('/tau') as [keyof typeof native, string];
          const right = goldenNumber(want.right_loss);
          const call = evaluate(addon, golden, loss, Number(tau), `${name}/`);
          if (Number.isNaN(right)) {
            await expect(call).rejects.toMatchObject({ code: 'UNDEFINED' });
            continue;
          }
          const got = await call;
          expect(Math.abs(got.loss - right)).toBeLessThanOrEqual(exact * Math.max(1, Math.abs(right)));
          for (const [i, side] of sides.entries()) {
            const tensor = `${name}/${key}/right_grad_${side}`;
            if (!golden.has(tensor) || got.gradients[i] === undefined) continue;
            const reference = golden.f64(tensor);
            const [rows, dim] = golden.shape(tensor);
            const z = golden.f64(`${name}/${side}`);
            for (let r = 0; r < rows; r++) {
              // gradients scale as 1/|row|: compare row by row, in units of 1/(N tau |row|)
              const norm = Math.hypot(...z.subarray(r * dim, (r + 1) * dim));
              const unit = norm > 0 ? 1 / (rows * Number(tau) * norm) : 1;
              for (let c = r * dim; c < (r + 1) * dim; c++)
                expect(Math.abs(got.gradients[i][c] - reference[c])).toBeLessThanOrEqual(exact * unit);
            }
            compared++;
          }
        }
      }
      expect(compared).toBeGreaterThan(50);
    });
  });
}
