import { AnomalyClrError } from '../errors.js';

/** Events of like multiplicity whose rows stand together: row `first` + e * slots + s is object s of event e. */
export interface Bucket {
  readonly events: number;
  readonly slots: number;
  /** Its first row and its first event, counted over all buckets. */
  readonly first: number;
  readonly firstEvent: number;
  /** Whether some of its events have fewer objects than slots. */
  readonly padded: boolean;
}

/**
 * Where the objects of a ragged set of events stand among the rows of a matrix: dense operations see one tall matrix,
 * attention a few buckets of events with (nearly) as many objects each, in place of all events padded to the longest.
 */
export interface TokenLayout {
  readonly rows: number;
  readonly buckets: readonly Bucket[];
  /** Which event each place of the order of the buckets holds. [events] */
  readonly order: Int32Array;
  /** Where each event stands in it. [events] */
  readonly place: Int32Array;
  /** Objects of each event in the order of the buckets. [events] */
  readonly counts: Int32Array;
  /** The row of each object, in the order in which they were given. [objects] */
  readonly rowOf: Int32Array;
  readonly padded: boolean;
}

/**
 * Lays out events by multiplicity, in as few rows and buckets as pays.
 *
 * @param offsets [events + 1], starts at 0: objects of event i are `offsets[i] .. offsets[i+1]-1`
 * @param bucketRows rows of padding that cost as much as one more bucket; 0 is no padding
 * @throws AnomalyClrError where offsets fall
 * @example
 * layOut(Int32Array.of(0, 2, 5, 7), 0); // two buckets: events 0 and 2 of two objects, event 1 of three
 */
export function layOut(offsets: Int32Array, bucketRows: number): TokenLayout {
  const events = offsets.length - 1;
  let most = 0;
  for (let e = 0; e < events; e++) {
    const n = offsets[e + 1] - offsets[e];
    if (!(n >= 0)) throw new AnomalyClrError(`offsets fall after event ${e}`);
    most = Math.max(most, n);
  }
  const ofCount = new Int32Array(most + 2);
  for (let e = 0; e < events; e++) ofCount[offsets[e + 1] - offsets[e] + 1]++;
  for (let n = 0; n <= most; n++) ofCount[n + 1] += ofCount[n];
  const next = ofCount.slice();
  const order = new Int32Array(events);
  const place = new Int32Array(events);
  for (let e = 0; e < events; e++) order[(place[e] = next[offsets[e + 1] - offsets[e]]++)] = e;
  const counts = order.map(e => offsets[e + 1] - offsets[e]);

  const buckets: Bucket[] = [];
  const rowOf = new Int32Array(offsets[events]);
  let rows = 0;
  let firstEvent = 0;
  for (const slots of tops(ofCount, most, bucketRows)) {
    const end = ofCount[slots + 1];
    const inside = end - firstEvent;
    if (inside === 0) continue;
    const padded = counts[firstEvent] < slots;
    buckets.push({ events: inside, slots, first: rows, firstEvent, padded });
    for (let p = firstEvent; p < end; p++)
      for (let s = 0; s < counts[p]; s++) rowOf[offsets[order[p]] + s] = rows + (p - firstEvent) * slots + s;
    rows += inside * slots;
    firstEvent = end;
  }
  return { rows, buckets, order, place, counts, rowOf, padded: rows > offsets[events] };
}

/** The multiplicities at which buckets end, rising: least cost of rows and buckets together, by dynamic programming. */
function tops(ofCount: Int32Array, most: number, bucketRows: number): number[] {
  // events without objects are a bucket of their own: they have no rows
  const cost = [0];
  const from = [-1];
  for (let top = 1; top <= most; top++) {
    cost[top] = Infinity;
    for (let below = 0; below < top; below++) {
      const events = ofCount[top + 1] - ofCount[below + 1];
      const total = cost[below] + (events === 0 ? 0 : events * top + bucketRows);
      // of equal costs the narrowest bucket: without overhead nothing is padded
      if (total <= cost[top]) {
        cost[top] = total;
        from[top] = below;
      }
    }
  }
  const found: number[] = [];
  for (let top = most; top > 0; top = from[top]) found.push(top);
  return [0, ...found.reverse()];
}
