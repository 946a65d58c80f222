import { toBfloat16, toFloat16 } from '../../src/export/half.js';

/** What the bits of a float16 stand for. */
function fromFloat16(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size =
    exponent === 31
      ? fraction === 0
        ? Infinity
        : NaN
      : exponent === 0
        ? fraction * 2 ** -24
        : (1024 + fraction) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -size : size;
}
const fromBfloat16 = (bits: number): number => new Float32Array(Uint32Array.of(bits << 16).buffer)[0];

const formats = [
  ['float16', toFloat16, fromFloat16],
  ['bfloat16', toBfloat16, fromBfloat16],
] as const;

test.each(formats)('%s: each of its 65,536 numbers is itself', (_, to, from) => {
  const all = Array.from({ length: 65536 }, (_unused, bits) => bits).filter(bits => !Number.isNaN(from(bits)));
  expect(Array.from(to(Float32Array.from(all, from)))).toEqual(all);
  expect(from(to(Float32Array.of(NaN))[0])).toBeNaN();
});

test.each(formats)('%s: between two of them the nearer, halfway the even one', (_, to, from) => {
  // from 0 to the largest finite number
  for (let bits = 0; Number.isFinite(from(bits + 1)); bits++) {
    const [low, high] = [from(bits), from(bits + 1)];
    const step = high - low;
    const even = bits % 2 === 0 ? bits : bits + 1;
    // float32 has every one of these, but for the smallest bfloat16, whose steps it can't divide by eight
    const between = [low + step / 8, low + step / 2, high - step / 8];
    if (!between.every(x => Math.fround(x) === x)) continue;
    const got = to(Float32Array.from([...between, ...between.map(x => -x)]));
    expect([bits, ...got]).toEqual([bits, bits, even, bits + 1, ...[bits, even, bits + 1].map(b => b | 0x8000)]);
  }
});

test('float16 ends at 65,504', () => {
  const [last, rounded, over, below] = toFloat16(Float32Array.of(65504, 65519, 65520, -1e30));
  expect([last, rounded, over, below].map(fromFloat16)).toEqual([65504, 65504, Infinity, -Infinity]);
});
