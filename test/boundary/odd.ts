import vm from 'node:vm';
import { loadAddon } from '../../src/addon.js';
import * as samples from './samples.js';
import { detached } from './fields.js';

// Values that no caller in his right mind hands over, and arrays that are less than they look.

const realm = vm.createContext({});
const elsewhere = (source: string): any => vm.runInContext(source, realm);

export const oddNumbers = [
  -0, 0, 1, -1, 0.5, NaN, Infinity, -Infinity, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e308, -1e308,
  5e-324, 3e38,
]; // prettier-ignore

/** Of every sort one, among them what is nearly `good`. */
export function oddValues(good: unknown): unknown[] {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const isObject = typeof good === 'object' && good !== null;
  return [
    ...oddNumbers, undefined, null, true, false, '', '0', '12', '1e400', 'NaN', 'constructor', '__proto__', '\ud800', `${String(good)}\0`,
    'x'.repeat(1e5), 'two\nlines', 1n, -1n, 2n ** 64n, Symbol('s'), Symbol.iterator, () => 1, class {}, {}, Object.create(null), [], [1], Object.assign([], { length: 7 }),
    [[], [], []], [{}], new Date(NaN), /x/, new Map(), new Set(), new WeakMap(), Promise.resolve(1), new Error('e'), new Proxy({}, {}),
    new Proxy([], {}), new Proxy(() => 1, {}), proxy, Object(1), Object('cpu'), Object(true), Object(1n), Object(Symbol('s')), globalThis,
    new ArrayBuffer(64), new SharedArrayBuffer(64), new DataView(new ArrayBuffer(64)), detached(new Float32Array(4)),
    ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array,
      BigUint64Array].map(Type => new Type(4)),
    elsewhere('[[], [], []]'), elsewhere('({ weight: 1, steps: [] })'), elsewhere('new Float32Array(4)'), elsewhere('new Proxy([], {})'),
    { valueOf: () => 1, toString: () => 'adam', [Symbol.toPrimitive]: () => 1 }, loadAddon(), loadAddon().Trainer,
    new (loadAddon().Group)(samples.groupConfig()),
    ...(isObject ? [new Proxy(good, {}), Object.create(good), Object.freeze({ ...good })] : []),
  ]; // prettier-ignore
}

/** Whether this Node.js has ArrayBuffers that change their size. */
const canResize = 'resizable' in ArrayBuffer.prototype;
const resizable = (bytes: number, most: number): any => new (ArrayBuffer as any)(bytes, { maxByteLength: most });

/** A copy of `array` that follows the length of a buffer which can shrink; a plain one where there are no such. */
export function resizing<T extends ArrayBufferView>(array: T): T {
  const from = array as any;
  if (!canResize) return from.slice();
  const out = new from.constructor(resizable(from.byteLength, from.byteLength * 2 + 64));
  out.set(from);
  return out;
}
export const shrink = (array: ArrayBufferView, bytes = 0): void => {
  if (canResize) (array.buffer as any).resize(bytes);
};

/** The same numbers in arrays of other sorts, of which all calls must take the first and may refuse the second. */
export function oddArrays(good: any): { same: [string, any][]; less: [string, any][] } {
  const Type = good.constructor;
  const size: number = Type.BYTES_PER_ELEMENT;
  const into = (out: any): any => (out.set(good), out);
  const buffer = (bytes: number): any => (canResize ? resizable(bytes, bytes + 64) : new ArrayBuffer(bytes));
  class Own extends Type {
    get length(): number {
      return 1e9;
    }
  }
  const same: [string, any][] = [
    ['a part that begins within', into(new Type(new ArrayBuffer(good.byteLength + 5 * size), 3 * size, good.length))],
    ['of another realm', into(elsewhere(`(n => new ${Type.name}(n))`)(good.length))],
    ['without a prototype', Object.setPrototypeOf(good.slice(), null)],
    ['with a length of its own', into(new (Own as any)(good.length))],
    ['that follows a buffer', resizing(good)],
    ['a part of a buffer that can shrink', into(new Type(buffer(good.byteLength + 4 * size), size, good.length))],
    ['whose other numbers are gone', (() => {
      const part = into(new Type(buffer(good.byteLength + 4 * size), 0, good.length));
      shrink(part, good.byteLength);
      return part;
    })()],
  ]; // prettier-ignore
  const cut = (bytes: number, tracking: boolean, offset = 0): any => {
    const out = tracking
      ? new Type(buffer(good.byteLength + offset), offset)
      : new Type(buffer(good.byteLength + offset), offset, good.length);
    shrink(out, bytes);
    return out;
  };
  const shared = canResize
    ? new (SharedArrayBuffer as any)(good.byteLength, { maxByteLength: good.byteLength + 64 })
    : new SharedArrayBuffer(good.byteLength);
  const less: [string, any][] = [
    ['shared', into(new Type(new SharedArrayBuffer(good.byteLength)))],
    ['shared and able to grow', into(new Type(shared))],
    ['detached', detached(good.slice())],
    ['cut to nothing', cut(0, false)],
    ['cut to nothing, following', cut(0, true)],
    ['cut in half', cut(Math.floor(good.length / 2) * size, false)],
    ['cut within a number', cut(Math.max(good.byteLength - 1, 0), true)],
    ['that begins beyond its buffer', cut(0, true, size)],
    ['a proxy', new Proxy(good, {})],
    ['inherited', Object.create(good)],
  ];
  return { same, less };
}
