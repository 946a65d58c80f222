import { atan2, exp, log, log1p, sinCos, wrapAngle } from '../../src/augment/math.js';

// The errors are those that native/core/math.h states; the views equal the native ones to the bit elsewhere.
const f = Math.fround;
const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);
const least = 2 ** -126;
const most = f(3.40282347e38);

/** Every `step`-th float of [low, high], 0 < low. */
function* floats(low: number, high: number, step: number): Generator<number> {
  float[0] = high;
  const end = bits[0];
  float[0] = low;
  for (let b = bits[0]; b <= end; b += step) {
    bits[0] = b;
    yield float[0];
  }
}

function worst(xs: Iterable<number>, error: (x: number) => number): number {
  let largest = 0;
  for (const x of xs) {
    const e = error(x);
    largest = e <= largest ? largest : e; // NaN stays
  }
  return largest;
}
const relative = (got: number, want: number) => (want === 0 ? Math.abs(got) : Math.abs(got / want - 1));

test('log', () => {
  const error = (x: number) => relative(log(x), Math.log(x));
  expect(worst(floats(least, most, 5003), error)).toBeLessThan(1e-7);
  expect(worst(floats(f(0.9), f(1.1), 7), error)).toBeLessThan(1e-7);
  expect(log(1)).toBe(0);
  expect(log(Infinity)).toBe(Infinity);
  expect(log(NaN)).toBe(NaN);
});

test('log1p', () => {
  expect(worst(floats(least, most, 5003), x => relative(log1p(x), Math.log1p(x)))).toBeLessThan(2e-7);
  expect(log1p(0)).toBe(0);
  expect(log1p(Infinity)).toBe(Infinity);
  expect(log1p(NaN)).toBe(NaN);
});

test('exp', () => {
  expect(worst(floats(least, 88, 5003), x => relative(exp(x), Math.exp(x)))).toBeLessThan(1.5e-7);
  expect(worst(floats(least, 87, 5003), x => relative(exp(-x), Math.exp(-x)))).toBeLessThan(1.5e-7);
  expect([0, f(88.1), Infinity, f(-87.1), -Infinity, NaN].map(exp)).toEqual([1, Infinity, Infinity, 0, 0, NaN]);
});

test('sine and cosine', () => {
  const got = new Float32Array(2);
  const error = (x: number) => {
    sinCos(x, got);
    return Math.max(Math.abs(got[0] - Math.sin(x)), Math.abs(got[1] - Math.cos(x)));
  };
  const xs = [...floats(f(1e-6), 8192, 997)];
  expect(worst(xs, error)).toBeLessThan(1e-7);
  expect(worst(xs, x => error(-x))).toBeLessThan(1e-7);
  const size = (x: number) => {
    sinCos(x, got);
    return Math.max(Math.abs(got[0]), Math.abs(got[1]));
  };
  expect(worst(floats(8192, most, 10007), size)).toBeLessThan(1.01);
  sinCos(NaN, got);
  expect([...got]).toEqual([NaN, NaN]);
});

test('atan2', () => {
  const angles = Array.from({ length: 40001 }, (_, i) => (Math.PI * (i - 20000)) / 20000);
  for (const radius of [1, 37.5, 1e-30, 1e30]) {
    const error = (angle: number) => {
      const [y, x] = [f(radius * Math.sin(angle)), f(radius * Math.cos(angle))];
      const apart = Math.abs(atan2(y, x) - Math.atan2(y, x));
      return Math.min(apart, 2 * Math.PI - apart); // y = -0 counts as 0
    };
    expect(worst(angles, error)).toBeLessThan(3e-7);
  }
  expect(atan2(0, 0)).toBe(0);
  expect(atan2(0, 2)).toBe(0);
  expect(Math.abs(atan2(0, -2) - Math.PI)).toBeLessThan(3e-7);
  expect(Math.abs(atan2(-2, 0) + Math.PI / 2)).toBeLessThan(3e-7);
});

test('angles wrap', () => {
  const turn = 2 * Math.PI;
  const apart = (x: number) => {
    const rest = Math.abs(wrapAngle(x) - (x - turn * Math.round(x / turn)));
    return Math.min(rest, turn - rest); // either side of pi
  };
  expect(worst(floats(f(1e-6), f(3 * Math.PI), 997), apart)).toBeLessThan(4e-7);
  expect(worst(floats(f(3 * Math.PI), 1e4, 997), x => apart(x) / x)).toBeLessThan(1e-7);
  const pi = f(Math.PI);
  expect(worst(floats(1, most, 10007), x => Math.abs(wrapAngle(x)))).toBe(pi);
  expect([3, -pi, NaN].map(wrapAngle)).toEqual([3, -pi, NaN]);
});
