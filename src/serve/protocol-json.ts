import { show } from '../files.js';
import { featureNames } from './check-events.js';
import { badRequest } from './refusal.js';

/**
 * The numbers of a tensor in JSON, flat or nested.
 *
 * @param data - [events * slots * 4] or [events][slots][4]
 * @returns [events, slots, 4]
 * @throws Refusal (400) naming what is no number, or where the count is not that of the shape
 */
export function readJsonTensor(data: unknown, events: number, slots: number): Float32Array {
  if (!Array.isArray(data)) throw badRequest(`objects: data is ${show(data)}, expected a list of numbers`);
  const objects = new Float32Array(events * slots * 4);
  if (!Array.isArray(data[0])) {
    if (data.length !== objects.length) throw lengthProblem('data', data.length, objects.length, events, slots);
    fill(objects, 0, data, slots);
    return objects;
  }
  if (data.length !== events) throw lengthProblem('data', data.length, events, events, slots);
  for (const [e, event] of (data as unknown[]).entries()) {
    if (!Array.isArray(event)) throw badRequest(`event ${e} is ${show(event)}, expected a list of slots`);
    if (event.length !== slots) throw lengthProblem(`event ${e}`, event.length, slots, events, slots);
    for (const [s, slot] of (event as unknown[]).entries()) {
      const at = `event ${e}, slot ${s}`;
      if (!Array.isArray(slot)) throw badRequest(`${at} is ${show(slot)}, expected [pt, eta, phi, class]`);
      if (slot.length !== 4) throw lengthProblem(at, slot.length, 4, events, slots);
      fill(objects, (e * slots + s) * 4, slot, slots);
    }
  }
  return objects;
}

function fill(objects: Float32Array, at: number, values: readonly unknown[], slots: number): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (typeof value !== 'number') {
      const place = `event ${Math.floor((at + i) / 4 / slots)}, slot ${Math.floor((at + i) / 4) % slots}`;
      throw badRequest(`${place}: ${featureNames[(at + i) % 4]} is ${show(value)}, expected a number`);
    }
    objects[at + i] = value;
  }
}

function lengthProblem(what: string, got: number, expected: number, events: number, slots: number): Error {
  return badRequest(`${what} has ${got} entries, expected ${expected} for shape [${events}, ${slots}, 4]`);
}

/** The numbers of an output as JSON has them: NaN and infinities become null, which JSON has no word for. */
export function writeJsonTensor(values: Float32Array | Int32Array | Uint8Array, bool: boolean): unknown[] {
  return bool ? Array.from(values, value => value !== 0) : Array.from(values);
}
