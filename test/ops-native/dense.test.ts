import { loadAddon, type Floats } from '../../src/addon.js';
import { worst } from '../support/golden.js';
import * as reference from './reference.js';

const addon = loadAddon();

function layer(n: number, inputs: number, outputs: number, Type: any = Float64Array) {
  const of = (count: number, seed: number): Float64Array => Type.from(reference.uniform(count, seed));
  return { x: of(n * inputs, 1), weight: of(outputs * inputs, 2), bias: of(outputs, 3), dy: of(n * outputs, 4), inputs, outputs };
} // prettier-ignore
const shapes = [
  [1, 1, 1],
  [5, 3, 7],
  [97, 40, 33],
  [700, 7, 20],
  [1000, 24, 16],
] as const;

describe.each(shapes)('%i rows, %i to %i', (n, inputs, outputs) => {
  const exact = layer(n, inputs, outputs);
  const want = reference.dense(exact.x, exact.weight, exact.bias, inputs, outputs);
  const turned = (rows: ArrayLike<number>, columns: number): Float64Array =>
    Float64Array.from(
      rows,
      (_, i) => rows[(i % (rows.length / columns)) * columns + Math.floor(i / (rows.length / columns))],
    );

  test('forward: as plain loops, with and without bias and relu, in both precisions', () => {
    for (const [Type, tolerance] of [[Float64Array, 1e-13], [Float32Array, 1e-5]] as const) {
      const { bias, ...a } = layer(n, inputs, outputs, Type);
      const y = addon.dense({ ...a, bias });
      expect(y).toBeInstanceOf(Type);
      expect(worst(y, want)).toBeLessThan(tolerance);
      expect(worst(addon.dense(a), reference.dense(exact.x, exact.weight, undefined, inputs, outputs))).toBeLessThan(tolerance);
      expect(addon.dense({ ...a, bias, relu: false })).toEqual(y);
      expect(addon.dense({ ...a, bias, relu: true })).toEqual(y.map((v: number) => Math.max(v, 0)));
    }
  }); // prettier-ignore

  test('backward: as plain loops, in both precisions', () => {
    const dx = reference.dense(exact.dy, turned(exact.weight, inputs), undefined, outputs, inputs);
    const dweight = reference.dense(turned(exact.dy, outputs), turned(exact.x, inputs), undefined, n, inputs);
    const dbias = Float64Array.from({ length: outputs }, (_, o) => {
      let sum = 0;
      for (let r = 0; r < n; r++) sum += exact.dy[r * outputs + o];
      return sum;
    });
    for (const [Type, tolerance] of [[Float64Array, 1e-12], [Float32Array, 1e-5]] as const) {
      const got = addon.denseBackward(layer(n, inputs, outputs, Type));
      expect(got.dbias).toBeInstanceOf(Type);
      expect(worst(got.dx, dx)).toBeLessThan(tolerance);
      expect(worst(got.dweight, dweight)).toBeLessThan(tolerance);
      expect(worst(got.dbias, dbias)).toBeLessThan(tolerance);
    }
  }); // prettier-ignore

  test('the same bits for any count of threads and any place in memory', () => {
    for (const Type of [Float64Array, Float32Array]) {
      const a = layer(n, inputs, outputs, Type);
      const run = (b: typeof a) => () => reference.bits({ y: addon.dense(b), ...addon.denseBackward(b) });
      const [one, two, three] = reference.onThreads(run(a));
      expect(two).toEqual(one);
      expect(three).toEqual(one);
      const moved = Object.fromEntries(
        Object.entries(a).map(([key, value]) => [key, typeof value === 'number' ? value : reference.shifted(value)]),
      );
      expect(run(moved as typeof a)()).toEqual(one);
    }
  });

  test('bfloat16 comes within 2e-2 of float32', () => {
    const a = layer(n, inputs, outputs, Float32Array);
    const all = (precision?: 'bf16'): Floats[] => {
      const b = precision ? { ...a, precision } : a;
      const { dx, dweight, dbias } = addon.denseBackward(b);
      return [addon.dense(b), dx, dweight, dbias];
    };
    const rough = all('bf16');
    for (const [i, exactly] of all().entries()) expect(worst(rough[i], exactly)).toBeLessThan(2e-2);
    if (n > 1) expect(rough[0]).not.toEqual(addon.dense(a));
  });
});

test('gradients are the slopes of sum(y dy)', () => {
  const a = layer(130, 6, 9);
  const { dx, dweight, dbias } = addon.denseBackward(a);
  const value = (): number => reference.dot(addon.dense(a), a.dy);
  for (const [at, got] of [
    [a.x, dx],
    [a.weight, dweight],
    [a.bias, dbias],
  ]) {
    const some = reference.places(at, Math.ceil(at.length / 60));
    expect(worst(some.map(i => got[i]), reference.slopes(at as Float64Array, some, value))).toBeLessThan(1e-8); // prettier-ignore
  }
});

test('no rows', () => {
  const a = layer(0, 3, 2, Float32Array);
  expect(addon.dense(a)).toEqual(new Float32Array(0));
  expect(addon.denseBackward(a)).toEqual({
    dx: new Float32Array(0),
    dweight: new Float32Array(6),
    dbias: new Float32Array(2),
  });
});
