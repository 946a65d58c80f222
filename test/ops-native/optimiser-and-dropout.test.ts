import { loadAddon, type NativeOptimiser } from '../../src/addon.js';
import { Draws } from '../../src/events/philox.js';
import { worst } from '../support/golden.js';
import * as reference from './reference.js';

const addon = loadAddon();

interface State {
  weights: Float64Array;
  m: Float64Array;
  v: Float64Array;
}
const fresh = (count: number): State => ({
  weights: reference.uniform(count, 1), m: new Float64Array(count), v: new Float64Array(count),
}); // prettier-ignore

/** The formulas of test/golden/README.md, "optim/". */
function plainUpdate(state: State, gradient: Float64Array, t: number, rate: number, o: NativeOptimiser): void {
  const { l2 = 0, weightDecay = 0, clip = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8 } = o;
  const norm = Math.hypot(...gradient);
  const scale = clip > 0 ? Math.min(1, clip / (norm + 1e-6)) : 1;
  for (let i = 0; i < gradient.length; i++) {
    const g = gradient[i] * scale + l2 * state.weights[i];
    if (o.kind === 'sgd') {
      state.m[i] = 0.9 * state.m[i] + g;
      state.weights[i] -= rate * state.m[i];
      continue;
    }
    state.m[i] = beta1 * state.m[i] + (1 - beta1) * g;
    state.v[i] = beta2 * state.v[i] + (1 - beta2) * g * g;
    state.weights[i] *= 1 - rate * weightDecay;
    state.weights[i] -= ((rate / (1 - beta1 ** t)) * state.m[i]) / (Math.sqrt(state.v[i]) / Math.sqrt(1 - beta2 ** t) + eps);
  } // prettier-ignore
}

const optimisers: NativeOptimiser[] = [
  { kind: 'adam' },
  { kind: 'adam', weightDecay: 0.02 },
  { kind: 'adam', l2: 0.1, clip: 0.5 },
  { kind: 'adam', beta1: 0.5, beta2: 0.9, eps: 1e-3 },
  { kind: 'sgd', l2: 0.01, clip: 1 },
];

test.each(optimisers)('25 updates by %j', optimiser => {
  const count = 1000;
  const [got, want] = [fresh(count), fresh(count)];
  for (let steps = 0; steps < 25; steps++) {
    const gradient = reference.uniform(count, 100 + steps).map((x, i) => x + 0.3 * want.weights[i]);
    const rate = 1e-2 / (1 + steps);
    const norm = addon.adam({ ...got, gradient, steps, rate, optimiser });
    expect(norm / Math.hypot(...gradient)).toBeCloseTo(1, 12);
    plainUpdate(want, gradient, steps + 1, rate, optimiser);
  }
  for (const key of ['weights', 'm', 'v'] as const) expect(worst(got[key], want[key])).toBeLessThan(1e-12);
});

test('a trainer takes the same step, to the bit', async () => {
  const { trainerConfig, someWeights, tokens } = await import('../boundary/samples.js');
  for (const precision of ['f32', 'f64'] as const) {
    const Type: any = precision === 'f64' ? Float64Array : Float32Array;
    const optimiser: NativeOptimiser = { kind: 'adam', weightDecay: 0.1 };
    const trainer = new addon.Trainer(trainerConfig({ precision, optimiser, dropout: 0, layers: 0, headLayers: 0 }));
    trainer.setWeights({ weights: Type.from(someWeights(trainer.weights().length)) });
    const rows = { ...tokens(), x: Type.from(tokens().x) };
    const rate = 1e-3;
    const before = { weights: trainer.weights(), ...trainer.state() };
    await trainer.stepOnViews({ views: [rows, rows, rows], rate, update: true });
    // after the first step m is a tenth of the gradient
    const after = trainer.state();
    const gradient = after.m.map((m: number) => m / (1 - 0.9));
    addon.adam({ ...before, gradient, rate, optimiser });
    expect(worst(before.weights, trainer.weights())).toBeLessThan(precision === 'f64' ? 1e-13 : 1e-6);
    expect(worst(before.v, after.v)).toBeLessThan(precision === 'f64' ? 1e-13 : 1e-6);
  }
});

test('float32, any count of threads, any place in memory', () => {
  const count = 40_000; // more than one block
  const exact = fresh(count);
  const gradient = reference.uniform(count, 9);
  const optimiser = { kind: 'adam', clip: 1 } as const;
  const norm = addon.adam({ ...exact, gradient, steps: 0, rate: 0.01, optimiser });
  const run = (place: (x: Float32Array) => Float32Array) => () => {
    const { weights, m, v } = fresh(count);
    const state = { weights: place(Float32Array.from(weights)), m: place(Float32Array.from(m)), v: place(Float32Array.from(v)) };
    return { ...state, norm: addon.adam({ ...state, gradient: place(Float32Array.from(gradient)), steps: 0, rate: 0.01, optimiser }) };
  }; // prettier-ignore
  const [one, two, three] = reference.onThreads(run(x => x));
  for (const other of [two, three, run(reference.shifted)()])
    expect(reference.bits(other)).toEqual(reference.bits(one));
  expect(one.norm).toBeCloseTo(norm, 4);
  expect(worst(one.weights, exact.weights)).toBeLessThan(1e-5);
});

test('a gradient that is not finite changes nothing', () => {
  for (const bad of [NaN, Infinity]) {
    const state = fresh(5);
    const gradient = Float64Array.of(1, 2, bad, 4, 5);
    const norm = addon.adam({ ...state, gradient, steps: 3, rate: 0.1, optimiser: { kind: 'adam' } });
    expect(Number.isFinite(norm)).toBe(false);
    expect(state).toEqual(fresh(5));
  }
});

test('nothing to update', () => {
  const none = { weights: new Float32Array(0), m: new Float32Array(0), v: new Float32Array(0), gradient: new Float32Array(0) };
  expect(addon.adam({ ...none, steps: 0, rate: 0.1, optimiser: { kind: 'adam' } })).toBe(0);
}); // prettier-ignore

test('bytes of dropout are those of the words of each stream, low byte first', () => {
  const [seed, epoch, stream] = [7 * 2 ** 32 + 11, 3, 2 ** 29 + 5];
  const ids = Uint32Array.from({ length: 100 }, (_, i) => (i === 0 ? 2 ** 32 - 1 : i * i));
  const counts = Int32Array.from(ids, (_, i) => [0, 1, 7, 16, 300, 1025][i % 6]);
  for (const threshold of [0, 1, 26, 128, 255, 256]) {
    const want: number[] = [];
    for (const [i, id] of ids.entries()) {
      const draws = new Draws(seed, epoch, id, stream);
      let word = 0;
      for (let b = 0; b < counts[i]; b++) {
        word = b % 4 === 0 ? draws.next() : word >>> 8;
        want.push((word & 255) >= threshold ? 1 : 0);
      }
    }
    const run = (): Uint8Array => addon.dropoutKeep({ seed, epoch, stream, ids, counts, threshold });
    for (const got of reference.onThreads(run)) expect(got).toEqual(Uint8Array.from(want));
  }
});

test('no bytes of dropout', () => {
  const none = { seed: 1, epoch: 0, stream: 0, ids: new Uint32Array(0), counts: new Int32Array(0), threshold: 9 };
  expect(addon.dropoutKeep(none)).toEqual(new Uint8Array(0));
  expect(addon.dropoutKeep({ ...none, ids: Uint32Array.of(4), counts: Int32Array.of(0) })).toEqual(new Uint8Array(0));
});
