import type { Bundle } from '../bundle/bundle.js';
import { crossedSizeOf, scoreDifference, type ReferenceEvent, type Tolerance } from '../bundle/card.js';
import { kindsOf, type Domain } from '../events/domain.js';
import { type EventBatch, EventBatchBuilder } from '../events/event-batch.js';
import { Kind } from '../events/objects.js';

/** Objects of an event as the input takes them: [slots][4] = pT [GeV], eta, phi [rad], class. */
export type ObjectRows = readonly (readonly number[])[];

/** Shares of the pool with a lower score than a reference event. */
const scoreShares = [0, 0.5, 0.9, 1] as const;

/**
 * Eight events that show whether a graph computes what it did here: spread over the score, the one with fewest and the
 * one with most objects, one whose objects stand in another order with an empty slot between, one outside the domain.
 *
 * @param pool - at least eight events, with their scores
 */
export function chooseReference(pool: EventBatch, scores: Float32Array, domain: Domain): ObjectRows[] {
  const byScore = Array.from(scores.keys()).sort((a, b) => scores[a] - scores[b]);
  const size = (e: number) => pool.offsets[e + 1] - pool.offsets[e];
  const chosen: number[] = scoreShares.map(share => byScore[Math.round(share * (byScore.length - 1))]);
  const further = (order: number[]) => {
    const found = order.find(e => !chosen.includes(e));
    if (found === undefined) return;
    chosen.push(found);
  };
  const bySize = byScore.toSorted((a, b) => size(a) - size(b));
  further(bySize);
  further(bySize.toReversed());
  const middle = byScore.slice(Math.floor(byScore.length / 3));
  further([...middle.filter(e => size(e) > 3), ...middle]); // an order shows on several objects
  further(middle);
  const events = chosen.map(e => rowsOf(pool, e));
  return events.map((rows, i) => {
    if (i === events.length - 2) return outOfOrder(rows);
    return i === events.length - 1 ? beyondDomain(rows, domain) : rows;
  });
}

/** The objects of an event of a batch. */
export function rowsOf({ offsets, pt, eta, phi, kind }: EventBatch, event: number): number[][] {
  return Array.from({ length: offsets[event + 1] - offsets[event] }, (_, i) => {
    const o = offsets[event] + i;
    return [pt[o], eta[o], phi[o], kind[o]];
  });
}

/** The same event: an empty slot first, then its objects from the last to the first with another hole behind the first. */
function outOfOrder(rows: ObjectRows): ObjectRows {
  const [last, ...others] = rows.toReversed();
  return [[0, 0, 0, 0], last, [0, 0, 0, 0], ...others];
}

/** The same event, its hardest visible object (MET where it has none) given twice the largest pT of its kind. */
function beyondDomain(rows: ObjectRows, domain: Domain): ObjectRows {
  const largest = new Map(kindsOf(domain).map(name => [Kind[name] as number, domain.kinds[name].pt?.max ?? 0]));
  const hardest = rows.reduce(
    (best, [pt, , , kind], i) => (kind !== Kind.met && pt > (rows[best]?.[0] ?? 0) ? i : best),
    -1,
  );
  const which = Math.max(0, hardest);
  return rows.map((row, i) => (i === which ? [Math.fround(2 * (largest.get(row[3]) ?? 0)), ...row.slice(1)] : row));
}

/** Events as an engine takes them: without empty slots, by kind. */
export function batchOf(events: readonly ObjectRows[]): EventBatch {
  const builder = new EventBatchBuilder();
  for (const [row, objects] of events.entries()) {
    const real = objects.filter(([, , , kind]) => kind !== 0).toSorted((a, b) => a[3] - b[3] || b[0] - a[0]);
    for (const [pt, eta, phi, kind] of real) builder.addObject(pt, eta, phi, kind);
    builder.endEvent(row);
  }
  return builder.build();
}

/** Largest difference of scores, each relative to it or to their scale, and of representations, to their largest numbers. */
export function largestDifference(
  got: readonly Pick<ReferenceEvent, 'score' | 'representation'>[],
  wanted: readonly Pick<ReferenceEvent, 'score' | 'representation'>[],
  scoreScale?: number,
): Tolerance {
  const relative = (a: number, b: number, to: number) => (a === b ? 0 : Math.abs(a - b) / to);
  const found = { score: 0, representation: 0 };
  got.forEach(({ score, representation }, e) => {
    const other = wanted[e];
    const largest = Math.max(...other.representation.map(Math.abs));
    found.score = Math.max(found.score, scoreDifference(score ?? 0, other.score ?? 0, scoreScale));
    representation.forEach((x, c) => {
      found.representation = Math.max(found.representation, relative(x, other.representation[c], largest));
    });
  });
  return found;
}

/** What `bundle` says of events. */
export async function expectedOf(bundle: Bundle, events: readonly ObjectRows[]): Promise<ReferenceEvent[]> {
  const slots = Math.max(1, ...events.map(rows => rows.length));
  const objects = new Float32Array(events.length * slots * 4);
  events.forEach((rows, e) => rows.forEach((row, s) => objects.set(row, (e * slots + s) * 4)));
  const out = await bundle.run(objects, events.length, slots, { representation: true });
  const { domain, representation } = bundle.card;
  const { size } = representation;
  const crossed = crossedSizeOf(domain);
  return events.map((rows, e) => ({
    objects: rows.map(row => [...row]),
    score: out.score?.[e] ?? null,
    representation: [...out.representation.subarray(e * size, (e + 1) * size)],
    inDomain: out.inDomain[e] === 1,
    distance: out.distance[e],
    crossed: [...out.crossed.subarray(e * crossed, (e + 1) * crossed)],
  }));
}
