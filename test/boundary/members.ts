import { loadAddon, type Addon } from '../../src/addon.js';
import { fake } from '../support/device.js';
import { calls, type Call } from './calls.js';
import { words } from './fields.js';
import * as samples from './samples.js';

/** What is called, and on what; a class is called with `new`. */
export interface Member {
  call: (...given: any[]) => unknown;
  /** The class that it is a method of. */
  of?: string;
  isClass: boolean;
}

const ofFunctions = ['length', 'name', 'prototype', 'arguments', 'caller'];

/** Everything that the addon exports: functions, classes as `new Class`, what hangs on these, methods as `class.method`. */
export function members(addon: Addon = loadAddon()): Record<string, Member> {
  const out: Record<string, Member> = {};
  for (const [name, call] of entriesOf(addon)) {
    const methods = entriesOf((call.prototype ?? {}) as object).filter(([key]) => key !== 'constructor');
    const isClass = methods.length > 0;
    out[isClass ? `new ${name}` : name] = { call, isClass };
    for (const [key, value] of entriesOf(call, ofFunctions)) out[`${name}.${key}`] = { call: value, isClass: false };
    const prefix = `${name[0].toLowerCase()}${name.slice(1)}`;
    for (const [key, value] of methods) out[`${prefix}.${key}`] = { call: value, of: name, isClass: false };
  }
  return out;
}

/** Own properties, hidden ones and symbols too; getters count as what they are. */
function entriesOf(from: object, but: string[] = []): [string, any][] {
  return Reflect.ownKeys(from)
    .filter(key => !but.includes(String(key)))
    .map(key => {
      const found = Reflect.getOwnPropertyDescriptor(from, key);
      return [String(key), found?.get ?? found?.value];
    });
}

const nothing = (run: () => unknown): Call => ({ good: () => undefined, fields: {}, run });

/** Calls that {@link calls} has not: without an argument, with a number, or met elsewhere (device.ts). */
function otherCalls(addon: Addon): Record<string, Call> {
  const sessions: [string, () => any, string[]][] = [
    ['trainer', () => new addon.Trainer(samples.trainerConfig()), ['layout', 'weights', 'state', 'dispose']],
    ['perceptron', () => new addon.Perceptron(samples.perceptronConfig()), ['layout', 'weights', 'dispose']],
    ['scorer', () => new addon.Scorer(samples.scorerConfig()), ['dispose']],
    ['group', () => new addon.Group(samples.groupConfig()), ['connect', 'dispose']],
  ];
  return {
    info: nothing(() => addon.info()),
    augmentations: nothing(() => addon.augmentations()),
    losses: nothing(() => addon.losses()),
    setThreads: { good: () => 2, fields: {}, run: a => addon.setThreads(a) },
    device: { good: () => ({ library: fake, deviceIndex: 0 }), fields: {}, run: a => addon.device(a) },
    'group.leave': {
      good: () => ({ reason: 'done' }),
      fields: { reason: words },
      run: a => new addon.Group(samples.groupConfig()).leave(a),
    },
    deviceGroup: { good: () => ({ library: fake }), fields: {}, run: a => addon.deviceGroup(a) },
    ...Object.fromEntries(
      sessions.flatMap(([prefix, make, methods]) =>
        methods.map(method => [`${prefix}.${method}`, nothing(() => make()[method]())]),
      ),
    ),
  };
}

/** Of each member a good argument, and the call. */
export const everyCall = (addon: Addon = loadAddon()): Record<string, Call> => ({
  ...calls(addon),
  ...otherCalls(addon),
});
