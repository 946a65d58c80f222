// What each argument of the addon may hold, and values that it may not.
import { types } from 'node:util';

export interface Field {
  /** Values that must be refused in its place, given the good one. */
  wrong: (good: any) => unknown[];
  optional?: boolean;
}

const typedArrays = [
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array,
  BigInt64Array, BigUint64Array,
]; // prettier-ignore

/** One of every sort of value but numbers, strings, booleans and typed arrays. */
function sundry(): unknown[] {
  return [
    undefined, null, 10n, Symbol('s'), () => 1, class {}, {}, [], [0, 1], [[]], new Date(0), /x/, new Map(), new Set([1]),
    new ArrayBuffer(16), new SharedArrayBuffer(16), new DataView(new ArrayBuffer(16)), new Proxy({}, {}),
    new Proxy([], {}), Object.create(null), Promise.resolve(1), new Error('e'), globalThis,
  ]; // prettier-ignore
}
const numbers = (): unknown[] => [0, -1, 1.5, NaN, Infinity, -0, 2 ** 31, 2 ** 53];
const texts = (): unknown[] => ['', 'x', '1', 'f32\0', 'é'.repeat(1000), '\ud800'];
const arrays = (): unknown[] => typedArrays.map(Type => new Type(4));
const boxed = (): unknown[] => [Object(1), Object('relu'), Object(true)];

export function detached<T extends ArrayBufferView>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

/** `length` any: other lengths are the callee's business; exact: no other length; some: not none. */
export function array(Type: any, length: 'any' | 'exact' | 'some' = 'any', optional = false): Field {
  return {
    optional,
    wrong: (good: any) => [
      ...sundry(), ...numbers(), ...texts(), ...boxed(), true,
      Array.from(good),
      new Proxy(good, {}),
      ...typedArrays.filter(other => other !== Type).map(Other => new Other(good.length)),
      ...(length === 'any' ? [] : [new Type(0), detached(new Type(good.length || 1))]),
      ...(length === 'exact' ? [new Type(good.length + 1), new Type(1000), good.slice(1)] : []),
    ],
  }; // prettier-ignore
}

export function number(low: number, high: number, optional = false): Field {
  return {
    optional,
    wrong: () => [
      ...sundry(), ...texts(), ...arrays(), ...boxed(), true,
      NaN, Infinity, -Infinity, low - Math.max(1, Math.abs(low)), high * 2 + 1, Number.MAX_VALUE, -Number.MAX_VALUE,
    ],
  }; // prettier-ignore
}

export function whole(low: number, high: number, optional = false): Field {
  return { optional, wrong: good => [...number(low, high).wrong(good), low + 0.5, low + 1e-9] };
}

/** Any string will do. */
export const words: Field = { wrong: () => [...sundry(), ...numbers(), ...arrays(), ...boxed(), true] };

export const text: Field = {
  wrong: () => [
    ...sundry(),
    ...numbers(),
    ...texts(),
    ...arrays(),
    ...boxed(),
    true,
    'F32',
    'constructor',
    '__proto__',
  ],
};

export const flag: Field = {
  wrong: () => [...sundry(), ...numbers(), ...texts(), ...arrays(), ...boxed()],
};

export const object: Field = {
  wrong: () => [...sundry(), ...numbers(), ...texts(), ...arrays(), ...boxed(), true],
};

/** The value at `path` (a.b.0.c) of `from` replaced in place. */
export function replace(from: any, path: string, value: unknown): any {
  const keys = path.split('.');
  const last = keys.pop() as string;
  keys.reduce((at, key) => at[key], from)[last] = value;
  return from;
}
export const valueAt = (from: any, path: string): any => path.split('.').reduce((at, key) => at[key], from);

/** A short name of any value, for messages. */
export function told(value: unknown): string {
  if (ArrayBuffer.isView(value) && 'length' in value) return `${value.constructor.name}(${String(value.length)})`;
  if (typeof value === 'object' && value !== null)
    return types.isProxy(value) ? 'a proxy' : Object.prototype.toString.call(value);
  return String(value).slice(0, 40);
}
