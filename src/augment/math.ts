/**
 * The float functions of native/core/math.h, to the bit. Those are built of single IEEE operations on float32; here each
 * operation is done in float64 and rounded at once by `Math.fround`, which gives the same: 53 bits are more than the
 * 2 * 24 + 2 that make the double rounding of +, -, *, / and square root harmless. The errors are those stated there.
 *
 * All arguments and results are float32 values held in numbers.
 */
const f = Math.fround;

// Two views of four bytes, for bit casts.
const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** Largest finite float32. */
const most = f(3.40282347e38);
/** 1.5 * 2^23: added to a float below 2^22 in size, it leaves the nearest whole number in the low bits. */
const rounder = 12582912;
const pi = f(Math.PI);

/** Natural logarithm of x: x = m 2^e with m on [sqrt(1/2), sqrt(2)), log x = e log 2 + log m. */
export function log(x: number): number {
  const halfRoot = 0x3f3504f3; // sqrt(1/2)
  float[0] = x;
  const shifted = (bits[0] - halfRoot) | 0;
  const e = shifted >> 23;
  bits[0] = (shifted & 0x7fffff) + halfRoot;
  const r = f(float[0] - 1);
  let p = f(7.0376836292e-2);
  p = f(f(p * r) - f(1.151461031e-1));
  p = f(f(p * r) + f(1.167699874e-1));
  p = f(f(p * r) - f(1.2420140846e-1));
  p = f(f(p * r) + f(1.4249322787e-1));
  p = f(f(p * r) - f(1.6668057665e-1));
  p = f(f(p * r) + f(2.0000714765e-1));
  p = f(f(p * r) - f(2.4999993993e-1));
  p = f(f(p * r) + f(3.3333331174e-1));
  const square = f(r * r);
  const tail = f(f(p * f(r * square)) + f(f(e * f(-2.1219444e-4)) - f(0.5 * square)));
  const result = f(f(r + tail) + f(e * 0.693359375));
  return x <= most ? result : x;
}

/** log(1 + x): log(u) of u = 1 + x, mended by what the sum lost. */
export function log1p(x: number): number {
  const u = f(1 + x);
  return u <= most ? f(log(u) + f(f(x - f(u - 1)) / u)) : u;
}

/** e^x: 2^n times exp of a rest on [-log(2)/2, log(2)/2]. 0 below -87, infinity above 88. */
export function exp(x: number): number {
  const low = x < -87 ? -87 : x; // keeps NaN
  const bounded = low > 88 ? 88 : low;
  const shifted = f(f(bounded * f(1.44269504)) + rounder);
  const n = f(shifted - rounder);
  const r = f(f(bounded - f(n * 0.693359375)) + f(n * f(2.1219444e-4)));
  let p = f(1.98756915e-4);
  p = f(f(p * r) + f(1.3981999507e-3));
  p = f(f(p * r) + f(8.3334519073e-3));
  p = f(f(p * r) + f(4.1665795894e-2));
  p = f(f(p * r) + f(1.6666665459e-1));
  p = f(f(p * r) + f(5.0000001201e-1));
  float[0] = shifted;
  bits[0] = (bits[0] << 23) + 0x3f800000;
  const power = f(f(f(f(p * f(r * r)) + r) + 1) * float[0]);
  return x < -87 ? 0 : x > 88 ? Infinity : power;
}

/**
 * Sine and cosine of x: x = n pi/2 + r; the two polynomials in r serve both functions in turn.
 *
 * @param to takes the sine, then the cosine
 */
export function sinCos(x: number, to: Float32Array): void {
  const shifted = f(f(x * f(0.636619772)) + rounder);
  float[0] = shifted;
  const n = bits[0];
  const turns = f(shifted - rounder);
  let r = f(f(f(x - f(turns * 1.5703125)) - f(turns * f(4.83751297e-4))) - f(turns * f(7.54978995e-8)));
  r = r > f(0.8) ? f(0.8) : r < f(-0.8) ? f(-0.8) : r; // only where x is too large
  const z = f(r * r);
  const s2 = f(f(f(f(f(f(-1.9515295891e-4) * z) + f(8.3321608736e-3)) * z) - f(1.6666654611e-1)) * f(z * r));
  const s = f(s2 + r);
  const c4 = f(
    f(f(f(f(f(2.443315711809948e-5) * z) - f(1.388731625493765e-3)) * z) + f(4.166664568298827e-2)) * f(z * z),
  );
  const c = f(c4 + f(1 - f(0.5 * z)));
  const swap = (n & 1) !== 0;
  const sine = swap ? c : s;
  const cosine = swap ? s : c;
  to[0] = (n & 2) !== 0 ? -sine : sine;
  to[1] = ((n + 1) & 2) !== 0 ? -cosine : cosine;
}

/** Angle of (x, y) on [-pi, pi]: the octant by symmetry, then atan on [0, tan(pi/8)]. 0 at the origin; -0 counts as 0. */
export function atan2(y: number, x: number): number {
  const a = Math.abs(x);
  const b = Math.abs(y);
  const steep = a < b;
  const small = steep ? a : b;
  const large = steep ? b : a;
  const upper = small > f(f(0.414213562) * large);
  const bottom = upper ? f(large + small) : large;
  const t = f((upper ? f(small - large) : small) / (bottom > 0 ? bottom : 1));
  const z = f(t * t);
  let p = f(f(f(8.05374449538e-2) * z) - f(1.38776856032e-1));
  p = f(f(p * z) + f(1.99777106478e-1));
  p = f(f(p * z) - f(3.33329491539e-1));
  let r = f(f(p * f(z * t)) + t);
  r = f(r + (upper ? f(0.785398163) : 0));
  r = steep ? f(f(1.57079633) - r) : r;
  r = x < 0 ? f(f(3.14159265) - r) : r;
  return y < 0 ? -r : r;
}

/** x, an angle, back into [-pi, pi]. */
export function wrapAngle(x: number): number {
  const turns = f(f(f(x * f(0.159154943)) + rounder) - rounder);
  const r = f(f(x - f(turns * 6.28125)) - f(turns * f(1.93530718e-3)));
  return r > pi ? pi : r < -pi ? -pi : r;
}
