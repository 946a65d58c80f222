import { loadAddon, type Columns } from '../addon.js';
import { augmentColumns, type ViewKey } from '../augment/augment.js';
import { augmentationCatalogue } from '../augment/list.js';
import { nativeRecipe } from '../augment/native-recipe.js';
import { resolveRecipe, type Recipe } from '../config/recipe.js';
import { AnomalyClrError } from '../errors.js';
import type { Kernels } from './attention.js';
import tf, { type Tensor3D } from './tf.js';

/** Numbers of a slot: pt, eta, phi, class. */
const slotNumbers = 4;

/**
 * Events as a tensor: [events, slots, 4] with pt [GeV], eta, phi [rad] and class (1 MET, 2 electron, 3 muon, 4 jet, 5
 * constituent, 0 an empty slot), padded to the event of most objects or to `slots`.
 *
 * @throws AnomalyClrError where an event has more objects than `slots`
 */
export function eventTensor({ pt, eta, phi, kind, offsets }: Columns, slots?: number): Tensor3D {
  const events = offsets.length - 1;
  let most = 1;
  for (let e = 0; e < events; e++) most = Math.max(most, offsets[e + 1] - offsets[e]);
  const width = slots ?? most;
  if (most > width) throw new AnomalyClrError(`an event has ${most} objects, more than ${width} slots`);
  const values = new Float32Array(events * width * slotNumbers);
  for (let e = 0; e < events; e++)
    for (let o = offsets[e]; o < offsets[e + 1]; o++)
      values.set([pt[o], eta[o], phi[o], kind[o]], (e * width + o - offsets[e]) * slotNumbers);
  return tf.tensor3d(values, [events, width, slotNumbers]);
}

/** Back: the objects of the slots whose class is not 0. */
export function eventColumns(events: Tensor3D): Columns {
  const [count, slots, numbers] = events.shape;
  if (numbers !== slotNumbers)
    throw new AnomalyClrError(`events have ${numbers} numbers a slot, not pt, eta, phi and class`);
  const values = events.dataSync<'float32'>();
  const offsets = new Int32Array(count + 1);
  const objects: number[] = [];
  for (let slot = 0; slot < count * slots; slot++) {
    if (values[slot * slotNumbers + 3] !== 0) objects.push(slot * slotNumbers);
    if ((slot + 1) % slots === 0) offsets[(slot + 1) / slots] = objects.length;
  }
  const column = (number: number) => Float32Array.from(objects, at => values[at + number]);
  return { pt: column(0), eta: column(1), phi: column(2), kind: Uint8Array.from(column(3)), offsets };
}

/**
 * One view of events under a recipe as an operation. The view is new data: gradients end here.
 *
 * @param events [events, slots, 4] as {@link eventTensor} makes them
 * @param view 0 the anchor, 1 the physical partner, 2 the anomaly
 * @param key what the random numbers depend on, with the place of each event in the batch or its `index`
 * @returns the same with as many slots as the view needs
 * @throws UsageError for a recipe that is not one; AnomalyClrError where events are none, or `native` is asked for and
 * the addon is missing
 * @example
 * const physical = augmentedView(events, await loadRecipe('default'), 1, { seed: 1, epoch: 0 }, 'native');
 */
export function augmentedView(
  events: Tensor3D,
  recipe: Recipe,
  view: 0 | 1 | 2,
  key: ViewKey,
  kernels: Kernels,
): Tensor3D {
  const columns = eventColumns(events);
  if (kernels === 'pure')
    return eventTensor(augmentColumns(columns, resolveRecipe(recipe, augmentationCatalogue), view, key));
  const addon = loadAddon();
  const { seed, epoch, index } = key;
  const made = addon.augmentNow({
    events: columns,
    recipe: nativeRecipe(recipe, addon.augmentations()),
    view,
    seed,
    epoch,
    ...(index ? { index } : {}),
  });
  return eventTensor(made);
}
