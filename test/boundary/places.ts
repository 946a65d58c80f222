import assert from 'node:assert/strict';
import { loadAddon, type Addon } from '../../src/addon.js';
import type { Call } from './calls.js';
import type { Scenarios } from './child.js';
import { detached, told } from './fields.js';
import { everyCall, members } from './members.js';
import { oddArrays, oddNumbers, oddValues, resizing, shrink } from './odd.js';

// Every member of the addon, every place of its argument, every sort of wrongness: an exception of one line or a result,
// and the good call still works.

/** The error of a call, undefined where it has a result; one that takes longer than any may is an error of the test. */
async function errorOf(what: string, run: () => unknown): Promise<Error | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `${what}: no end after 30 s` })), 30_000);
  });
  try {
    await Promise.race([(async () => run())(), late]);
    return undefined;
  } catch (error) {
    assert.ok(!(error instanceof assert.AssertionError), error as Error);
    assert.ok(error instanceof Error, `${what} threw ${told(error)}`);
    assert.match(error.message, /^[^\n]{3,500}$/, what);
    return error;
  } finally {
    clearTimeout(timer);
  }
}

type Path = string[];
const isBranch = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
/** Every place within an argument; that of the argument itself has no keys. */
const places = (from: unknown): Path[] =>
  isBranch(from) ? [[], ...Object.entries(from).flatMap(([key, v]) => places(v).map(rest => [key, ...rest]))] : [[]];
const at = (from: any, path: Path): any => path.reduce((value, key) => value[key], from);
/** `from` with `value` at a place, in place. */
function put(from: any, path: Path, value: unknown): unknown {
  if (path.length === 0) return value;
  at(from, path.slice(0, -1))[path[path.length - 1]] = value;
  return from;
}
const arraysIn = (from: any): ArrayBufferView[] =>
  ArrayBuffer.isView(from) ? [from] : isBranch(from) ? Object.values(from).flatMap(arraysIn) : [];
const mapArrays = (from: any, make: (array: any) => any): any => {
  if (ArrayBuffer.isView(from)) return make(from);
  if (Array.isArray(from)) return from.map(value => mapArrays(value, make));
  return isBranch(from)
    ? Object.fromEntries(Object.entries(from).map(([key, value]) => [key, mapArrays(value, make)]))
    : from;
};

/** The addon with what it makes kept in a list. */
function recording(): { addon: Addon; made: { dispose(): void }[] } {
  const addon: any = loadAddon();
  const made: { dispose(): void }[] = [];
  const recorded = ['Trainer', 'Perceptron', 'Scorer', 'Group'].map(name => [
    name,
    class {
      constructor(config: unknown) {
        const session = new addon[name](config);
        made.push(session);
        return session;
      }
    },
  ]);
  return { addon: { ...addon, ...Object.fromEntries(recorded) }, made };
}

/** Works as before, but for numbers that weights became meanwhile. */
async function stillWorks(name: string, call: Call): Promise<void> {
  const error = await errorOf(name, () => call.run(call.good()));
  if (error) assert.equal((error as { code?: string }).code, 'UNDEFINED', `${name} afterwards: ${error.message}`);
}

let tried = 0;
const attempt = (what: string, run: () => unknown): Promise<Error | undefined> => {
  tried++;
  return errorOf(what, run);
};

/** An accessor in place of what stands at `path`; what it gives, and does, says `read`. */
function trap(argument: any, path: Path, read: (good: unknown, times: number) => unknown): unknown {
  const parent = at(argument, path.slice(0, -1));
  const good = at(argument, path);
  let times = 0;
  const get = (): unknown => read(good, times++);
  Object.defineProperty(parent, path[path.length - 1], { get, enumerable: true, configurable: true });
  return argument;
}

interface Stage {
  argument: any;
  path: Path;
  call: Call;
  made: { dispose(): void }[];
}
/** What a getter may do before it gives the good value, or in its place. */
const traps: Record<string, (stage: Stage) => (good: any, times: number) => unknown> = {
  'throws': () => () => { throw new RangeError('mine'); },
  // oxlint-disable-next-line typescript/only-throw-error
  'throws no error': () => () => { throw { toString: 1 }; },
  'detaches what there is': ({ argument }) => good => {
    for (const array of arraysIn(withoutGetters(argument))) if (array.byteLength > 0) detached(array);
    return good;
  },
  'detaches what it gives': () => good => (ArrayBuffer.isView(good) && good.byteLength > 0 ? detached(good) : good),
  'shrinks what there is': ({ argument }) => good => {
    for (const array of arraysIn(withoutGetters(argument))) shrink(array);
    return good;
  },
  'disposes of every session': ({ made }) => good => {
    for (const session of made) session.dispose();
    globalThis.gc?.();
    return good;
  },
  'calls again': ({ call }) => (good, times) => {
    if (times < 2) void errorOf('the call within', () => call.run(call.good()));
    return good;
  },
  'gives something else the second time': () => (good, times) => (times === 0 ? good : Symbol('s')),
  'gives something else the third time': () => (good, times) => (times < 2 ? good : []),
  'changes with every read': ({ argument }) => (good, times) => [good, undefined, good, 1e308, [], good][(times + arraysIn(withoutGetters(argument)).length) % 6],
  'makes all else wrong': ({ argument, path }) => good => {
    const parent = at(argument, path.slice(0, -1));
    for (const key of Object.keys(parent)) if (key !== path[path.length - 1]) parent[key] = typeof parent[key] === 'number' ? NaN : {};
    return good;
  },
  'adds to the list that it stands in': ({ argument, path }) => good => {
    const list = at(argument, path.slice(0, -2));
    if (Array.isArray(list)) list.push(list[list.length - 1]);
    return good;
  },
}; // prettier-ignore
/** The values beside getters, which are left out. */
function withoutGetters(from: any): any {
  if (!isBranch(from)) return from;
  return Object.entries(Object.getOwnPropertyDescriptors(from))
    .filter(([, property]) => 'value' in property)
    .map(([, property]) => withoutGetters(property.value));
}

export const scenarios: Scenarios = {
  'no export is without a table': async () => {
    assert.deepEqual(Object.keys(everyCall()).toSorted(), Object.keys(members()).toSorted());
    for (const { call } of Object.values(members())) assert.equal(typeof call, 'function');
    for (const [name, call] of Object.entries(everyCall()))
      assert.equal(await errorOf(name, () => call.run(call.good())), undefined, name);
  },
  'any value at any place': async () => {
    for (const name of Object.keys(everyCall())) {
      const call = everyCall()[name];
      for (const path of places(call.good())) {
        const what = `${name}: ${path.join('.')}`;
        for (const value of oddValues(at(call.good(), path)))
          await attempt(`${what} = ${told(value)}`, () => call.run(put(call.good(), path, value)));
        // who hands over a symbol is told where
        const key = path[path.length - 1];
        const error = await attempt(what, () => call.run(put(call.good(), path, Symbol('s'))));
        if (key !== undefined && !/^\d+$/.test(key))
          assert.ok(error instanceof TypeError && error.message.includes(key), `${what}: ${String(error?.message)}`);
      }
      await stillWorks(name, call);
    }
    assert.ok(tried > 15_000, `${tried}`);
  },
  'any number anywhere in any array': async () => {
    for (const name of Object.keys(everyCall())) {
      const call = everyCall()[name];
      for (const path of places(call.good()).filter(one => ArrayBuffer.isView(at(call.good(), one))))
        for (const number of oddNumbers)
          for (const place of [0, 0.5, 1]) {
            const argument = call.good();
            const array = at(argument, path);
            array[Math.round(place * (array.length - 1))] = number;
            await attempt(`${name}: ${number} in ${path.join('.')}`, () => call.run(argument));
          }
      await stillWorks(name, call);
    }
    assert.ok(tried > 3000, `${tried}`);
  },
  'arrays that are less than they look': async () => {
    for (const name of Object.keys(everyCall())) {
      const call = everyCall()[name];
      for (const path of places(call.good()).filter(one => ArrayBuffer.isView(at(call.good(), one)))) {
        const { same, less } = oddArrays(at(call.good(), path));
        for (const [what, array] of same) {
          const error = await attempt(what, () => call.run(put(call.good(), path, array)));
          assert.equal(error, undefined, `${name}: ${path.join('.')} ${what}: ${error?.message}`);
        }
        for (const [what, array] of less)
          await attempt(`${name}: ${path.join('.')} ${what}`, () => call.run(put(call.good(), path, array)));
      }
      for (const [what, array] of [['shrunk', (a: any) => (a = resizing(a), shrink(a), a)], ['detached', (a: any) => detached(a.slice())]] as const)
        await attempt(`${name}: all ${what}`, () => call.run(mapArrays(call.good(), array))); // prettier-ignore
      await stillWorks(name, call);
    }
    assert.ok(tried > 800, `${tried}`);
  },
  'getters at any place that throw, detach, shrink, dispose, call again or change their mind': async () => {
    for (const [what, make] of Object.entries(traps))
      for (const name of Object.keys(everyCall())) {
        const { addon, made } = recording();
        const call = everyCall(addon)[name];
        for (const path of places(call.good()).filter(one => one.length > 0)) {
          const argument = mapArrays(call.good(), resizing);
          const read = make({ argument, path, call, made });
          try {
            await attempt(`${name}: a getter at ${path.join('.')} that ${what}`, () =>
              call.run(trap(argument, path, read)),
            );
          } catch (error) {
            if (what !== 'throws no error' || !/threw/.test(String(error))) throw error;
          }
        }
        await stillWorks(name, everyCall()[name]);
      }
    assert.ok(tried > 2000, `${tried}`);
  },
  'any this, and classes without new': async () => {
    const { addon, made } = recording();
    const goods = everyCall(addon);
    everyCall(addon);
    const prototypes = Object.values(loadAddon()).map(value => (value as { prototype?: object }).prototype);
    const others = [undefined, null, 0, 'x', 1n, Symbol('s'), {}, [], () => 1, new Float32Array(4), globalThis, loadAddon(),
      Object.create(null), ...Object.values(loadAddon()), ...prototypes, ...made, ...made.map(one => Object.create(one)),
      ...made.map(one => new Proxy(one, {})), ...made.map(one => Object.setPrototypeOf({}, Object.getPrototypeOf(one)))]; // prettier-ignore
    for (const [name, { call, of, isClass }] of Object.entries(members()))
      for (const self of others) {
        const error = await attempt(`${name} on ${told(self)}`, () => Reflect.apply(call, self, [goods[name].good()]));
        const isOwn = made.includes(self as never) && (self as object).constructor.name === of;
        if ((of !== undefined && !isOwn && !name.endsWith('.dispose')) || isClass)
          assert.ok(error instanceof TypeError, `${name} on ${told(self)}: ${String(error)}`);
      }
    for (const call of Object.values(everyCall()))
      assert.equal(await errorOf('a fresh session', () => call.run(call.good())), undefined);
  },
  'too few arguments and too many': async () => {
    for (const [name, { call, of, isClass }] of Object.entries(members())) {
      const { addon, made } = recording();
      const good = everyCall(addon)[name].good();
      const self = made.find(one => one.constructor.name === of);
      const run = (given: unknown[]): unknown =>
        isClass ? Reflect.construct(call, given) : Reflect.apply(call, self, given);
      for (const few of [[], [undefined], [null]]) {
        const error = await attempt(`${name} of ${few.length}`, () => run(few));
        if (good !== undefined) assert.ok(error instanceof TypeError, name);
      }
      if (name.endsWith('.dispose')) continue;
      for (const more of [[1], [{}, []], Array.from({ length: 10_000 }, (_, i) => i)])
        assert.equal(await attempt(`${name} of many`, () => run([good, ...more])), undefined, name);
    }
  },
  'nothing but dispose works after dispose': async () => {
    for (const [name, { call, of }] of Object.entries(members())) {
      if (of === undefined) continue;
      const { addon, made } = recording();
      const good = everyCall(addon)[name].good();
      const self = made.find(one => one.constructor.name === of) as { dispose(): void };
      self.dispose();
      const error = await attempt(name, () => Reflect.apply(call, self, [good]));
      if (name.endsWith('.dispose')) assert.equal(error, undefined);
      else assert.match(String(error), new RegExp(`this ${of} was disposed of`));
    }
  },
};
