import type { Engine } from '../engine/engine.js';
import { fitPreparation } from '../score/prepare.js';
import { inBlocks, type RowDetector, rowsIn, squaredNorms } from './row-detector.js';

const blockRows = 8192;

/**
 * The squared Mahalanobis distance from the background's mean, (x - m)^T C^+ (x - m), with the pseudo-inverse of the
 * covariance: directions in which background does not vary (below 1e-9 of the largest variance) are left out. It is the
 * squared length of the whitened row.
 *
 * @param x [n, d]
 * @throws AnomalyClrError where x has no two rows, is not finite, or does not vary
 */
export function fitMahalanobis(engine: Engine, x: Float32Array, d: number): RowDetector {
  rowsIn(x, d, 2);
  const whitening = fitPreparation('whiten', x, d);
  return {
    name: 'mahalanobis',
    inputs: d,
    score: rows =>
      inBlocks(rows, d, blockRows, async (block, out) =>
        squaredNorms(await engine.prepare(whitening, block), whitening.outputs, out),
      ),
  };
}
