import type { Numbers } from './column-file.js';

/** What the header of an .npy says. */
export interface NpyHeader {
  /** Such as `float32`; another word for what are no numbers. */
  readonly type: string;
  readonly bigEndian: boolean;
  readonly fortran: boolean;
  readonly shape: readonly number[];
}

const types: Readonly<Record<string, { name: string; array: new (buffer: ArrayBuffer) => Numbers }>> = {
  b1: { name: 'bool', array: Uint8Array },
  i1: { name: 'int8', array: Int8Array },
  i2: { name: 'int16', array: Int16Array },
  i4: { name: 'int32', array: Int32Array },
  i8: { name: 'int64', array: BigInt64Array },
  u1: { name: 'uint8', array: Uint8Array },
  u2: { name: 'uint16', array: Uint16Array },
  u4: { name: 'uint32', array: Uint32Array },
  u8: { name: 'uint64', array: BigUint64Array },
  f2: { name: 'float16', array: Uint16Array },
  f4: { name: 'float32', array: Float32Array },
  f8: { name: 'float64', array: Float64Array },
};
const typeNamed = new Map(
  Object.entries(types).map(([code, { name, array }]) => [name, { bytes: Number(code[1]), array }]),
);

/**
 * The header of an .npy, which is a Python dict in text.
 *
 * @throws Error where it is none
 */
export function parseNpyHeader(text: string): NpyHeader {
  const descr = /'descr':\s*'([<>|=]?)([A-Za-z]\d*)'/.exec(text);
  const fortran = /'fortran_order':\s*(True|False)/.exec(text);
  const shape = /'shape':\s*\(([\d,\sL]*)\)/.exec(text);
  if (!fortran || !shape || !/'descr':/.test(text)) throw new Error('a header that is not of .npy');
  const axes = shape[1].split(',').flatMap(axis => (axis.trim() === '' ? [] : [Number.parseInt(axis, 10)]));
  if (axes.some(axis => !Number.isSafeInteger(axis))) throw new Error(`shape (${shape[1]})`);
  const type = descr ? (types[descr[2]]?.name ?? `type ${descr[2]}`) : 'records';
  return { type, bigEndian: descr?.[1] === '>', fortran: fortran[1] === 'True', shape: axes };
}

/** Bytes of a number; 0 where it holds none. */
export function bytesOf({ type }: NpyHeader): number {
  return typeNamed.get(type)?.bytes ?? 0;
}

/** Numbers of an array's bytes; halves become float32. */
export function toNumbers({ type, bigEndian }: NpyHeader, bytes: Buffer): Numbers {
  const known = typeNamed.get(type);
  if (!known) throw new Error(`no numbers in ${type}`);
  const own = new Uint8Array(bytes); // aligned, and the place for swapping
  const swap = Buffer.from(own.buffer);
  if (bigEndian && known.bytes === 2) swap.swap16();
  if (bigEndian && known.bytes === 4) swap.swap32();
  if (bigEndian && known.bytes === 8) swap.swap64();
  const values = new known.array(own.buffer);
  return type === 'float16' ? Float32Array.from(values as Uint16Array, half) : values;
}

/** The float16 of some bits. */
function half(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}
