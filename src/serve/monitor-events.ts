import { slotLimits } from '../bundle/card.js';
import { type Domain, kindsOf, outsideOf } from '../events/domain.js';
import { EventBatchBuilder } from '../events/event-batch.js';
import { kindNames, type KindName } from '../events/objects.js';
import type { LiveEvent } from './live.js';

const valuesPerEvent = slotLimits.max * 4;

/** The events with the highest scores, copied: memory is fixed, and an event that is not among them costs a comparison. */
export class HighestEvents {
  private readonly scores: Float64Array;
  private readonly times: Float64Array;
  private readonly inside: Uint8Array;
  private readonly slots: Int32Array;
  private readonly objects: Float32Array;
  private lowest = 0;

  constructor(readonly size: number) {
    this.scores = new Float64Array(size).fill(-Infinity);
    this.times = new Float64Array(size);
    this.inside = new Uint8Array(size);
    this.slots = new Int32Array(size);
    this.objects = new Float32Array(size * valuesPerEvent);
  }

  clear(): void {
    this.scores.fill(-Infinity);
    this.lowest = 0;
  }

  /**
   * @param score - NaN and -inf are never among the highest
   * @param at - where the event's values begin in `objects`
   * @param time - ms since 1970
   */
  offer(score: number, objects: Float32Array, at: number, slots: number, inside: number, time: number): void {
    const place = this.lowest;
    if (!(score > this.scores[place])) return;
    this.scores[place] = score;
    this.times[place] = time;
    this.inside[place] = inside;
    this.slots[place] = slots;
    const start = place * valuesPerEvent;
    for (let k = 0; k < slots * 4; k++) this.objects[start + k] = objects[at + k];
    for (let k = 0; k < this.size; k++) if (this.scores[k] < this.scores[this.lowest]) this.lowest = k;
  }

  addAll(other: HighestEvents): void {
    for (let k = 0; k < other.size; k++)
      this.offer(other.scores[k], other.objects, k * valuesPerEvent, other.slots[k], other.inside[k], other.times[k]);
  }

  /** The highest first. */
  list(domain: Domain): LiveEvent[] {
    return Array.from(this.scores.keys())
      .filter(place => this.scores[place] > -Infinity)
      .sort((a, b) => this.scores[b] - this.scores[a])
      .map(place => this.describe(place, domain));
  }

  private describe(place: number, domain: Domain): LiveEvent {
    const start = place * valuesPerEvent;
    const kinds: readonly (KindName | undefined)[] = kindsOf(domain);
    const rows = Array.from({ length: this.slots[place] }, (_, k) =>
      this.objects.subarray(start + 4 * k, start + 4 * k + 4),
    )
      .filter(([, , , code]) => kinds.includes(kindNames[code - 1]))
      .sort((a, b) => a[3] - b[3] || b[0] - a[0]);
    const builder = new EventBatchBuilder();
    for (const [pt, eta, phi, code] of rows) builder.addObject(pt, eta, phi, code);
    builder.endEvent(0);
    return {
      score: Math.min(this.scores[place], Number.MAX_VALUE), // JSON has no infinity
      time: new Date(this.times[place]).toISOString(),
      inDomain: this.inside[place] === 1,
      crossed: outsideOf(domain, builder.build(), 0),
      objects: rows.map(([pt, eta, phi, code]) => ({ kind: kindNames[code - 1], pt, eta, phi })),
    };
  }
}
