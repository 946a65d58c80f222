import path from 'node:path';
import { packageRoot } from '../../src/addon.js';
import { fitForest, forestScores, type IsolationTree } from '../../src/detect/forest.js';
import { fitMahalanobis } from '../../src/detect/mahalanobis.js';
import { fitComponents, logDensities } from '../../src/detect/mixture-fit.js';
import { fitNeighbours } from '../../src/detect/neighbours.js';
import { openEngine } from '../../src/engine/index.js';
import { python } from '../support/python.js';
import { blobs } from './rows.js';

const installed = python(['-c', 'import sklearn']) !== undefined;
if (!installed) console.log('no Python with scikit-learn here: detectors are not compared with its own');

const engine = await openEngine({ engine: 'native', threads: 2 });
const d = 4;
const x = blobs(1200, 1);
/** A quarter of them farther out. */
const queries = blobs(200, 2).map((value, i) => (i < 200 ? 3 * value + 2 : value));
const nested = (rows: Float32Array): number[][] =>
  Array.from({ length: rows.length / d }, (_, r) => [...rows.subarray(r * d, (r + 1) * d)]);

interface Answers {
  mahalanobis: number[];
  neighbours: number[];
  mixture: number[];
  trees: IsolationTree[];
  forest: number[];
}
let theirs: Answers;
beforeAll(() => {
  if (!installed) return;
  const script = path.join(packageRoot(), 'test', 'detect', 'sklearn_check.py');
  const printed = python([script], JSON.stringify({ x: nested(x), queries: nested(queries) }));
  theirs = JSON.parse(printed!) as Answers;
});

/** Largest difference over the size of what is compared. */
const difference = (ours: ArrayLike<number>, reference: readonly number[]): number => {
  expect(ours).toHaveLength(reference.length);
  return Math.max(...reference.map((value, i) => Math.abs(ours[i] - value) / Math.max(1, Math.abs(value))));
};

(installed ? describe : describe.skip)('as scikit-learn has it', () => {
  test('Mahalanobis', async () => {
    const scores = await fitMahalanobis(engine, x, d).score(queries);
    // its covariance is over n, ours over n - 1
    expect(
      difference(
        scores.map(score => (score * 1200) / 1199),
        theirs.mahalanobis,
      ),
    ).toBeLessThan(1e-5);
  });

  test('nearest neighbours', async () => {
    const detector = await fitNeighbours(engine, x, d, { preparation: 'none', seed: 1 });
    expect(difference(await detector.score(queries), theirs.neighbours)).toBeLessThan(1e-5);
  });

  test('Gaussian mixture', async () => {
    const gaussians = await fitComponents(engine, Float64Array.from(x), d, 3, 1);
    const densities = await logDensities(engine, gaussians, Float64Array.from(queries));
    expect(difference(densities, theirs.mixture)).toBeLessThan(5e-3); // two ends of the same climb
  });

  test('isolation forest: its trees score alike, ours are such trees', async () => {
    expect(difference(forestScores(theirs.trees, 256, queries, d), theirs.forest)).toBeLessThan(1e-6);
    const ours = await fitForest(x, d, { seed: 1 }).score(queries);
    const differences = theirs.forest.map((score, i) => ours[i] - score);
    const rms = Math.sqrt(differences.reduce((sum, value) => sum + value ** 2, 0) / differences.length);
    expect(Math.abs(differences.reduce((sum, value) => sum + value, 0) / differences.length)).toBeLessThan(0.01);
    expect(rms).toBeLessThan(0.02); // another hundred trees
  });
});
