import { AnomalyClrError } from '../errors.js';
import type { EventBatch } from '../events/event-batch.js';
import { slotLimits } from './card.js';

/** Events in the shape of a bundle's input. */
export interface PaddedEvents {
  /** [events, slots, 4] = pT [GeV], eta, phi [rad], class; zeros in an empty slot */
  readonly objects: Float32Array;
  readonly events: number;
  readonly slots: number;
}

/**
 * Events in slots: as many as the event with most objects has, at least one.
 *
 * @throws AnomalyClrError naming the row of an event with more objects than a bundle takes
 */
export function padEvents(
  batch: Pick<EventBatch, 'count' | 'offsets' | 'pt' | 'eta' | 'phi' | 'kind' | 'rows'>,
): PaddedEvents {
  const { count, offsets, pt, eta, phi, kind, rows } = batch;
  let slots: number = slotLimits.min;
  for (let e = 0; e < count; e++) {
    const objects = offsets[e + 1] - offsets[e];
    if (objects > slotLimits.max)
      throw new AnomalyClrError(
        `event ${rows[e]}: has ${objects} objects, and a bundle takes at most ${slotLimits.max}; leave the softest out`,
      );
    if (objects > slots) slots = objects;
  }
  const objects = new Float32Array(count * slots * 4);
  for (let e = 0; e < count; e++) {
    let at = e * slots * 4;
    for (let o = offsets[e]; o < offsets[e + 1]; o++) {
      objects[at++] = pt[o];
      objects[at++] = eta[o];
      objects[at++] = phi[o];
      objects[at++] = kind[o];
    }
  }
  return { objects, events: count, slots };
}

/**
 * Events given as rows of objects, [events][objects][4], in the shape of a bundle's input.
 *
 * @param slots - at least as many as an event has rows; default just so many
 * @param place - slot of an event's row; default the row itself
 */
export function padRows(
  events: readonly (readonly (readonly number[])[])[],
  slots = Math.max(slotLimits.min, ...events.map(rows => rows.length)),
  place: (row: number) => number = row => row,
): PaddedEvents {
  const objects = new Float32Array(events.length * slots * 4);
  events.forEach((rows, e) => rows.forEach((row, r) => objects.set(row, (e * slots + place(r)) * 4)));
  return { objects, events: events.length, slots };
}
