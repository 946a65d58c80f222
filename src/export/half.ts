/** Bits of the nearest bfloat16, ties to even. */
export function toBfloat16(data: Float32Array): Uint16Array {
  const bits = new Uint32Array(data.slice().buffer);
  return Uint16Array.from(bits, (b, i) => (Number.isNaN(data[i]) ? 0x7fc0 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16));
}

/** Bits of the nearest float16, ties to even; beyond its largest number infinity, below its smallest 0. */
export function toFloat16(data: Float32Array): Uint16Array {
  return Uint16Array.from(data, half);
}

function half(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (Number.isNaN(x)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  // in units of the last place: 2^-24 below 2^-14, else 2^(exponent - 10)
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const units = roundToEven(size * 2 ** (10 - exponent));
  return sign | (units + ((exponent + 14) << 10));
}

function roundToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
