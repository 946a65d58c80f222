import type { AugmentationInfo } from '../config/recipe.js';
import type { MutableEvent } from './event.js';
import type { Numbers } from './numbers.js';

/** Twin of a header of native/augment, which says what it is for: the same numbers in the same order, to the bit. */
export interface Augmentation {
  readonly info: AugmentationInfo;
  /** Changes `event`; `p` holds the parameters in the order of `info`. */
  apply(event: MutableEvent, p: Float64Array, numbers: Numbers): void;
}

/** A parameter as `info` tells it. */
export function parameter(
  name: string,
  standard: number,
  [min, max]: readonly [number, number],
  unit: string,
  help: string,
): AugmentationInfo['params'][number] {
  return { name, default: standard, min, max, unit, help };
}
