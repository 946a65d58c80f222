import type { DataKindName } from '../events/data-kinds.js';
import { dataKind } from '../events/data-kinds.js';
import { Kind, kindNames } from '../events/objects.js';
import { badRequest } from './refusal.js';

/** Numbers of an object: pT [GeV], eta, phi [rad], class. */
export const featureNames = ['pt', 'eta', 'phi', 'class'] as const;
const { met } = Kind;

/** By data kind: 1 for the class codes that it has. */
const known = new Map<DataKindName | undefined, Uint8Array>();

function classesOf(data: DataKindName | undefined): Uint8Array {
  const found = known.get(data) ?? new Uint8Array(kindNames.length + 1);
  if (!known.has(data)) {
    for (const name of dataKind(data).kinds) found[Kind[name]] = 1;
    known.set(data, found);
  }
  return found;
}

/**
 * Refuses events that no score can be given: what the graph itself would flag as invalid, found before anything waits
 * for it.
 *
 * @param objects - [events, slots, 4] = pT [GeV], eta, phi [rad], class; zeros in an empty slot
 * @param data - what the model was trained on, collisions if it does not say
 * @throws Refusal (400) naming the first such event, its slot and the number
 */
export function checkEvents(objects: Float32Array, slots: number, data?: DataKindName): void {
  const classes = classesOf(data);
  for (let i = 0; i < objects.length; i += 4) {
    const pt = objects[i];
    const eta = objects[i + 1];
    const phi = objects[i + 2];
    const kind = objects[i + 3];
    // NaN passes no comparison; x - x is 0 for finite x alone
    const good =
      kind === 0
        ? pt === 0 && eta === 0 && phi === 0
        : classes[kind] === 1 && // no class that is not whole is there
          (pt > 0 || (pt === 0 && kind === met)) &&
          pt - pt + (eta - eta) + (phi - phi) === 0;
    if (!good) throw problemAt(objects, i, slots, data);
  }
}

function problemAt(objects: Float32Array, at: number, slots: number, data: DataKindName | undefined): Error {
  const place = `event ${Math.floor(at / 4 / slots)}, slot ${(at / 4) % slots}`;
  const [pt, eta, phi, kind] = objects.subarray(at, at + 4);
  const wrong = [pt, eta, phi, kind].findIndex(value => !Number.isFinite(value));
  if (wrong >= 0) return badRequest(`${place}: ${featureNames[wrong]} is ${objects[at + wrong]}`);
  if (kind === 0)
    return badRequest(
      `${place}: class is 0 (empty), but pt, eta, phi are ${pt}, ${eta}, ${phi}; an empty slot is all 0`,
    );
  if (classesOf(data)[kind] !== 1)
    return badRequest(`${place}: class is ${kind}, expected 0 (empty), ${classNames(data)}`);
  return badRequest(`${place}: pt is ${pt} GeV, expected ${kind === met ? '0 or more' : 'above 0'}`);
}

const classNames = (data: DataKindName | undefined): string =>
  dataKind(data)
    .kinds.map(name => `${Kind[name]} (${name})`)
    .join(', ');
