import type { Floats } from '../addon.js';
import { parseRecipe, type Recipe } from '../config/recipe.js';
import type { ContrastiveModel, Engine } from '../engine/engine.js';
import { dataKind, type DataKindName } from '../events/data-kinds.js';
import { EventBatchBuilder, take, type EventBatch } from '../events/event-batch.js';
import type { EventStore } from '../read/store.js';
import type { Split } from './split.js';

const turns = 8;
const most = 1024;
/** The events that it is measured on: the first that are held back, or that are trained on where that is too few. */
export async function invarianceEvents(store: EventStore, split: Split): Promise<EventBatch> {
  const part = split.validation >= 64 ? 'validation' : 'training';
  const builder = new EventBatchBuilder();
  for (let stretch = 0; stretch + 1 < store.first.length && builder.count < most; stretch++) {
    const index = split.within(store.first[stretch], store.first[stretch + 1])[part];
    builder.addBatch(take(await store.read(stretch), index.subarray(0, most - builder.count)));
  }
  return builder.build();
}

/** What leaves an event the same: a turn in phi, or of a jet about its axis. */
function symmetry(data: DataKindName | undefined): Recipe {
  const { augmentation } = dataKind(data).symmetry;
  const steps = [{ augmentation }];
  return parseRecipe({ name: 'symmetry', physical: steps, anomalous: [{ name: 'none', steps }] }, 'symmetry');
}

/**
 * How far a representation moves when the event is turned, relative to how far apart events are: root mean square
 * distance of 8 random turns of an event from their mean, over that of the events' means from each other's mean. 0 is
 * perfectly invariant.
 *
 * @param levels [from, to) columns of the rows that `model` gives, one for each representation asked about
 */
export async function symmetrySpread(
  engine: Engine,
  model: ContrastiveModel,
  rowLength: number,
  events: EventBatch,
  levels: readonly (readonly [from: number, to: number])[],
  data?: DataKindName,
): Promise<number[]> {
  const copies: Floats[] = [];
  for (let turn = 0; turn < turns; turn++)
    copies.push(await model.embed(await engine.augment(symmetry(data), 1, events, { seed: 1, epoch: turn })));
  return levels.map(([from, to]) => spread(copies, rowLength, events.count, from, to));
}

function spread(copies: readonly Floats[], row: number, count: number, from: number, to: number): number {
  let within = 0;
  let between = 0;
  for (let c = from; c < to; c++) {
    const means = Float64Array.from(
      { length: count },
      (_, e) => copies.reduce((s, x) => s + x[e * row + c], 0) / copies.length,
    );
    const centre = means.reduce((s, m) => s + m, 0) / count;
    for (let e = 0; e < count; e++) {
      between += (means[e] - centre) ** 2 / count;
      for (const x of copies) within += (x[e * row + c] - means[e]) ** 2 / (count * copies.length);
    }
  }
  return Math.sqrt(within / Math.max(between, Number.MIN_VALUE));
}
