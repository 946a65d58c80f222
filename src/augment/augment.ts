import type { Columns } from '../addon.js';
import type { Recipe, Step } from '../config/recipe.js';
import { AnomalyClrError } from '../errors.js';
import { EventBatchBuilder } from '../events/event-batch.js';
import { Draws } from '../events/philox.js';
import type { Augmentation } from './augmentation.js';
import { MutableEvent } from './event.js';
import { augmentations } from './list.js';
import { Numbers, Purpose, streamId } from './numbers.js';

interface ReadyScenario {
  /** The scenario is chosen by numbers up to here: cumulative weight, ending at 1. */
  readonly until: number;
  readonly steps: { augmentation: Augmentation; parameters: Float64Array; stream: number }[];
}

/** What the random numbers of a view are keyed by, beside the view. */
export interface ViewKey {
  /** whole number, 0 .. 2^53 - 1 */
  readonly seed: number;
  /** uint32 */
  readonly epoch: number;
  /** Places of the events in the batch, in the order wanted. */
  readonly index?: Int32Array | undefined;
  /** What the numbers of each event are keyed by; left out it is its place. */
  readonly ids?: Int32Array | undefined;
}

/**
 * One view of events: the same as the addon's `augment`, to the bit.
 *
 * @param recipe as `resolveRecipe` gives it, every parameter filled in
 * @param view 0 the anchor, 1 the physical partner, 2 the anomaly
 * @returns the view of each event of `events`, or of those at `key.index`, in that order
 * @throws AnomalyClrError for an index without event, and for an event that is no event
 * @example
 * const recipe = resolveRecipe(await loadRecipe('default'), augmentationCatalogue);
 * const physical = augmentColumns(events, recipe, 1, { seed: 1, epoch: 0 });
 */
export function augmentColumns(events: Columns, recipe: Recipe, view: 0 | 1 | 2, key: ViewKey): Columns {
  const { seed, epoch, index, ids } = key;
  const scenarios = readyScenarios(recipe, view);
  const total = events.offsets.length - 1;
  const choice = new Draws(seed, epoch, 0, 0);
  const numbers = new Numbers(seed, epoch);
  const event = new MutableEvent();
  const out = new EventBatchBuilder();
  const count = index ? index.length : total;
  if (ids && ids.length !== count) throw new AnomalyClrError(`ids has ${ids.length} entries for ${count} events`);
  for (let i = 0; i < count; i++) {
    const e = index ? index[i] : i;
    if (e < 0 || e >= total) throw new AnomalyClrError(`index names event ${e} of ${total}`);
    event.load(events, e);
    const id = ids ? ids[i] : e;
    let chosen = 0;
    if (scenarios.length > 1) {
      choice.restart(id, streamId(Purpose.augment, view, 0));
      const unit = choice.uniform();
      while (scenarios[chosen].until < unit) chosen++;
    }
    for (const { augmentation, parameters, stream } of scenarios[chosen].steps) {
      numbers.restart(id, stream);
      augmentation.apply(event, parameters, numbers);
    }
    for (let o = 0; o < event.size; o++) out.addObject(event.pt[o], event.eta[o], event.phi[o], event.kind[o]);
    out.endEvent(e);
  }
  const { pt, eta, phi, kind, offsets } = out.build();
  return { pt, eta, phi, kind, offsets };
}

/** The scenarios of a view. Step 0 of its stream chooses among them, step k + 1 drives the k-th augmentation. */
function readyScenarios(recipe: Recipe, view: 0 | 1 | 2): ReadyScenario[] {
  const chains = view === 2 ? recipe.anomalous : [{ weight: 1, steps: view === 0 ? recipe.anchor : recipe.physical }];
  const total = chains.reduce((sum, { weight }) => sum + weight, 0);
  let run = 0;
  return chains.map(({ weight, steps }, s) => {
    run += weight;
    return {
      until: s === chains.length - 1 ? 1 : run / total,
      steps: steps.map((step, k) => ({ ...readyStep(step), stream: streamId(Purpose.augment, view, k + 1) })),
    };
  });
}

function readyStep(step: Step): Pick<ReadyScenario['steps'][number], 'augmentation' | 'parameters'> {
  const augmentation = augmentations.find(({ info }) => info.name === step.augmentation);
  if (!augmentation) throw new AnomalyClrError(`unknown augmentation ${step.augmentation}`);
  return { augmentation, parameters: Float64Array.from(augmentation.info.params, ({ name }) => Number(step[name])) };
}
