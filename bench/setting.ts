import path from 'node:path';
import { packageRoot } from '../src/addon.js';
import { presets, type Recipe } from '../src/config/recipe.js';
import { scenario } from '../src/config/recipes/reconstruction.js';
import type { EncoderConfig } from '../src/engine/index.js';
import type { EventBatch } from '../src/events/event-batch.js';
import { readAll } from '../src/read/index.js';

const common = { features: 7, ptFeature: 'log', ptScale: 35, mask: 'hard', heads: 4, headNorm: false } as const;

/** The encoder as published. */
export const published: EncoderConfig = {
  ...common,
  width: 160,
  layers: 4,
  feedForward: 160,
  output: 160,
  headLayers: 2,
  dropout: 0.1,
};

/** What `npm start` trains: the defaults of `anomalyclr train`. */
export const demo: EncoderConfig = {
  ...common,
  width: 64,
  layers: 3,
  feedForward: 64,
  output: 64,
  headLayers: 2,
  dropout: 0,
};

export const words = ({ width, layers }: EncoderConfig): string => `width ${width}, ${layers} layers`;

export const recipe: Recipe = presets['default'];

/**
 * What the PyTorch peer does: 3.3, 3.3 and 6.2 objects in the three views of the sample. A third of the anomalous views
 * each gets objects up to the free slots, split objects, shifted momenta.
 */
const physical = presets['paper'].physical;
export const peerRecipe: Recipe = {
  name: 'peer',
  anchor: [],
  physical,
  anomalous: [
    scenario('add_objects', { augmentation: 'add_objects' }, []),
    scenario('redistribute', { augmentation: 'redistribute' }, []),
    scenario('shift_pt', { augmentation: 'shift_pt' }, []),
  ],
};

/** Background events of the sample, in their order. */
export async function events(count: number): Promise<EventBatch> {
  const file = path.join(packageRoot(), 'sample', 'background_train.h5');
  return (await readAll([file], { onBadEvent: 'fail', maxEvents: count })).batch;
}

/** `count` places from `first` on, round and round in `total`. */
export function places(first: number, count: number, total: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => (first + i) % total);
}
