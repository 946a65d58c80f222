import type { Engine } from '../engine/engine.js';
import type { PreparationKind } from '../score/prepare.js';
import { fitForest } from './forest.js';
import { fitMahalanobis } from './mahalanobis.js';
import { fitMixture } from './mixture.js';
import { fitNeighbours } from './neighbours.js';
import type { RowDetector } from './row-detector.js';

/** How a detector is fitted on rows x [n, d] of background. */
export type Fit = (
  engine: Engine,
  x: Float32Array,
  d: number,
  options: {
    readonly seed: number;
    /** The scale that nearest neighbours are looked for on; the others have no scale, or find their own. */
    readonly scale?: PreparationKind;
  },
) => Promise<RowDetector>;

/** Detectors on rows of any features, by name. */
export const rowDetectors = {
  mahalanobis: async (engine, x, d) => fitMahalanobis(engine, x, d),
  neighbours: (engine, x, d, { seed, scale = 'whiten' }) => fitNeighbours(engine, x, d, { seed, preparation: scale }),
  mixture: (engine, x, d, { seed }) => fitMixture(engine, x, d, { seed }),
  forest: async (_engine, x, d, { seed }) => fitForest(x, d, { seed }),
} as const satisfies Record<string, Fit>;

export type RowDetectorName = keyof typeof rowDetectors;
