import type { Engine } from '../engine/engine.js';
import { detectorConfig, precisionOf, type DetectorMember } from '../score/detector.js';
import type { Preparation } from '../score/prepare.js';
import { rowsOfPart, type DetectorData } from './autoencoder.js';

/** A member with mean and standard deviation of its f on the held-back events, or on the training events without any. */
export async function standardised(
  engine: Engine,
  data: Pick<DetectorData, 'rows' | 'split'>,
  preparation: Preparation,
  member: DetectorMember,
): Promise<DetectorMember> {
  const part = data.split.validation > 0 ? 'validation' : 'training';
  const alone = { ...member, standard: { mean: 0, deviation: 1 } };
  const model = engine.detector(detectorConfig({ preparation, members: [alone] }, precisionOf(member.weights)));
  let [count, mean, squares] = [0, 0, 0];
  try {
    for await (const { x } of rowsOfPart(data, part))
      for (const f of await model.score(x)) {
        const off = f - mean;
        mean += off / ++count;
        squares += off * (f - mean); // Welford's sums
      }
  } finally {
    model.dispose();
  }
  const deviation = Math.sqrt(squares / Math.max(1, count - 1));
  // what gives all of background the same is left at its own scale
  return { ...member, standard: { mean, deviation: deviation > 0 ? deviation : 1 } };
}
