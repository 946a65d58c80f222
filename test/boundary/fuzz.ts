import fc from 'fast-check';
import { calls, type Call } from './calls.js';
import type { Scenarios } from './child.js';
import { detached } from './fields.js';
import { outcome } from './wrong-arguments.js';

/** Numbers near what the checks look at. */
const number = fc.oneof(
  fc.double(),
  fc.integer({ min: -2, max: 70 }),
  fc.constantFrom(-0, NaN, Infinity, -Infinity, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53, 1e308, 5e-324),
);
const typed = fc
  .tuple(
    fc.constantFrom<any>(
      Int32Array,
      Float32Array,
      Float64Array,
      Uint8Array,
      Int8Array,
      Uint32Array,
      BigInt64Array,
      Float32Array,
    ),
    fc.array(number, { maxLength: 40 }),
    fc.nat({ max: 9 }),
  )
  .map(([Type, values, fate]) => {
    const big = Type === BigInt64Array;
    const array = new Type(values.map(v => (big ? BigInt(Number.isFinite(v) ? Math.trunc(v % 1e15) : 0) : v)));
    if (fate === 0) return detached(array);
    if (fate > 1) return array;
    const shared = new Type(new SharedArrayBuffer(array.byteLength));
    shared.set(array);
    return shared;
  });
const sundry = fc.anything({
  withBigInt: true, withDate: true, withMap: true, withSet: true, withNullPrototype: true, withObjectString: true,
  withSparseArray: true, withTypedArray: true, withUnboxedBigInt: true, withBoxedValues: true,
} as object); // prettier-ignore
const value = fc.oneof(
  { weight: 3, arbitrary: typed },
  { weight: 3, arbitrary: number },
  { weight: 1, arbitrary: sundry },
);

/** Every place within an argument, by the keys that lead there. */
function places(from: any): string[][] {
  if (typeof from !== 'object' || from === null || ArrayBuffer.isView(from)) return [[]];
  return [[], ...Object.keys(from).flatMap(key => places(from[key]).map(rest => [key, ...rest]))];
}

/** `from` with `change` made at one place; an entry of a typed array where there is one. */
function changed(from: any, [key, ...rest]: string[], change: unknown, entry: number): any {
  if (key !== undefined && typeof from === 'object' && from !== null)
    return Object.assign(Array.isArray(from) ? [...from] : { ...from }, {
      [key]: changed(from[key], rest, change, entry),
    });
  if (!ArrayBuffer.isView(from) || from.byteLength === 0 || typeof change !== 'number') return change;
  if (from instanceof BigInt64Array) return change;
  const array: any = (from as any).slice();
  array[entry % array.length] = change;
  return array;
}

/** Arguments that are wrong in up to three places, `runs` times; every call of `all` still works afterwards. */
export async function fuzz(all: Record<string, Call>, runs: number): Promise<void> {
  const names = Object.keys(all);
  const goods = Object.fromEntries(names.map(name => [name, places(all[name].good())]));
  let [taken, refused] = [0, 0];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...names),
      fc.array(fc.tuple(fc.nat(), value, fc.nat({ max: 100 })), { minLength: 1, maxLength: 3 }),
      async (name, changes) => {
        let argument = all[name].good();
        for (const [place, change, entry] of changes)
          argument = changed(argument, goods[name][place % goods[name].length], change, entry);
        if ((await outcome(() => all[name].run(argument))) === 'value') taken++;
        else refused++;
      },
    ),
    { seed: 20230, numRuns: runs },
  );
  if (taken < runs / 24 || refused < runs / 24)
    throw new Error(`${taken} taken, ${refused} refused: the fuzz does not reach both`);
  for (const name of names)
    if ((await outcome(() => all[name].run(all[name].good()))) !== 'value') throw new Error(`${name} was broken`);
}

export const scenarios: Scenarios = {
  'random arguments are refused or give a result': () => fuzz(calls(), 12_000),
};
