import { collectObjects, take, type EventBatch, type Objects } from '../events/event-batch.js';
import type { EventStore } from '../read/store.js';
import type { Part, Stretches } from './blocks.js';
import type { Split } from './split.js';

/** Training events in memory: those of some stretches, or all of them where they lie. */
export interface EventBlock {
  readonly pieces: readonly Piece[];
  /** The first item of each piece, and at the end their number. */
  readonly first: Int32Array;
}

interface Piece {
  readonly events: EventBatch;
  /** Which of them are items; left out it is all. */
  readonly at?: Int32Array;
  /** Place of each item among all events of the run. */
  readonly places: Int32Array;
}

/** A batch as an engine's step takes it. */
export interface GatheredEvents {
  readonly events: Objects;
  /** 0, 1, 2 .. */
  readonly index: Int32Array;
  /** Places among all events of the run, which key random draws. */
  readonly ids: Int32Array;
}

/** The training events of a store, for BlockShuffle. */
export function trainingEvents(store: EventStore, split: Split): Stretches<EventBlock> {
  const { first, whole } = store;
  const stretches = first.length - 1;
  const positions = (stretch: number): Int32Array => split.within(first[stretch], first[stretch + 1]).training;
  return {
    counts: Int32Array.from({ length: stretches }, (_, stretch) => positions(stretch).length),
    async load(chosen) {
      if (whole && chosen.length === stretches) {
        const places = split.within(0, store.count).training;
        return blockOf([{ events: whole, at: places, places }]);
      }
      const pieces: Piece[] = [];
      for (const stretch of chosen) {
        const at = positions(stretch);
        // a copy, which lets go of what the stretch was read into
        pieces.push({
          events: take(await store.read(stretch), at),
          places: at.map(position => first[stretch] + position),
        });
      }
      return blockOf(pieces);
    },
  };
}

function blockOf(pieces: readonly Piece[]): EventBlock {
  const first = new Int32Array(pieces.length + 1);
  pieces.forEach(({ places }, i) => (first[i + 1] = first[i] + places.length));
  return { pieces, first };
}

/** The held-back events of a store, in order, `batch` at a time; the last may be fewer. */
export async function* heldBackEvents(store: EventStore, split: Split, batch: number): AsyncGenerator<GatheredEvents> {
  let waiting: Part<EventBlock>[] = [];
  let missing = batch;
  for (let stretch = 0; stretch + 1 < store.first.length; stretch++) {
    const from = store.first[stretch];
    const { validation } = split.within(from, store.first[stretch + 1]);
    if (validation.length === 0) continue;
    const events = take(await store.read(stretch), validation);
    const block = blockOf([{ events, places: validation.map(position => from + position) }]);
    for (let at = 0; at < validation.length;) {
      const length = Math.min(missing, validation.length - at);
      waiting.push({ block, index: Int32Array.from({ length }, (_, i) => at + i) });
      at += length;
      missing -= length;
      if (missing > 0) continue;
      yield gather(waiting);
      waiting = [];
      missing = batch;
    }
  }
  if (waiting.length > 0) yield gather(waiting);
}

/** The events of a batch out of their blocks. */
export function gather(parts: readonly Part<EventBlock>[]): GatheredEvents {
  const count = parts.reduce((sum, { index }) => sum + index.length, 0);
  const ids = new Int32Array(count);
  const from: EventBatch[] = [];
  const event = new Int32Array(count);
  let k = 0;
  for (const { block, index } of parts)
    for (const item of index) {
      const piece = pieceOf(block.first, item);
      const { events, at, places } = block.pieces[piece];
      const within = item - block.first[piece];
      from.push(events);
      event[k] = at ? at[within] : within;
      ids[k++] = places[within];
    }
  return { events: collectObjects(i => from[i], event), index: ids.map((_, i) => i), ids };
}

/** The piece that holds an item. */
function pieceOf(first: Int32Array, item: number): number {
  let [low, high] = [0, first.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (first[middle] <= item) low = middle;
    else high = middle;
  }
  return low;
}
