import type { EventBatch } from '../events/event-batch.js';
import { Kind } from '../events/objects.js';

/** The cuts a person would try first, as scores: larger is more anomalous. */
export const cuts = {
  'leading-pt': 'largest pT of any electron, muon or jet, GeV',
  ht: 'HT, the scalar sum of jet pT, GeV',
  met: 'missing transverse momentum, GeV',
  multiplicity: 'number of electrons, muons and jets',
} as const;
export type CutName = keyof typeof cuts;
export const cutNames = Object.keys(cuts) as CutName[];

/**
 * Each cut's score for each event; 0 where an event lacks the objects.
 *
 * @returns per cut [events], GeV or counts
 */
export function cutScores(batch: EventBatch): Record<CutName, Float32Array> {
  const scores = {
    'leading-pt': new Float32Array(batch.count),
    ht: new Float32Array(batch.count),
    met: new Float32Array(batch.count),
    multiplicity: new Float32Array(batch.count),
  };
  for (let e = 0; e < batch.count; e++) {
    let [leading, ht, met, visible] = [0, 0, 0, 0];
    for (let o = batch.offsets[e]; o < batch.offsets[e + 1]; o++) {
      const pt = batch.pt[o];
      if (batch.kind[o] === Kind.met) {
        met = pt;
        continue;
      }
      visible += 1;
      leading = Math.max(leading, pt);
      if (batch.kind[o] === Kind.jet) ht += pt;
    }
    scores['leading-pt'][e] = leading;
    scores.ht[e] = ht;
    scores.met[e] = met;
    scores.multiplicity[e] = visible;
  }
  return scores;
}
