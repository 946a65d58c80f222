import type { Floats } from '../addon.js';
import { parseRecipe } from '../config/recipe.js';
import type { ContrastiveModel, Engine } from '../engine/engine.js';
import { take, type EventBatch } from '../events/event-batch.js';

const turns = 8;
const most = 1024;
const rotation = parseRecipe(
  {
    name: 'rotation',
    physical: [{ augmentation: 'rotate_phi' }],
    anomalous: [{ name: 'none', steps: [{ augmentation: 'rotate_phi' }] }],
  },
  'rotation',
);

/**
 * How far a representation moves when the event is turned in phi, relative to how far apart events are: root mean square
 * distance of 8 random turns of an event from their mean, over that of the events' means from each other's mean. 0 is
 * perfectly invariant.
 *
 * @param levels [from, to) columns of the rows that `model` gives, one for each representation asked about
 */
export async function rotationSpread(
  engine: Engine,
  model: ContrastiveModel,
  rowLength: number,
  events: EventBatch,
  index: Int32Array,
  levels: readonly (readonly [from: number, to: number])[],
): Promise<number[]> {
  const some = take(events, index.subarray(0, most));
  const copies: Floats[] = [];
  for (let turn = 0; turn < turns; turn++)
    copies.push(await model.embed(await engine.augment(rotation, 1, some, { seed: 1, epoch: turn })));
  return levels.map(([from, to]) => spread(copies, rowLength, some.count, from, to));
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
