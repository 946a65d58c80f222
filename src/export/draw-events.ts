import { kindsOf, quantileProbabilities, type Domain, type FeatureSummary } from '../events/domain.js';
import { type EventBatch, EventBatchBuilder } from '../events/event-batch.js';
import { Kind } from '../events/objects.js';
import { Draws } from '../events/philox.js';

/** Apart from every epoch of training. */
const drawEpoch = 0xfffffffc;
/** What one event in three has of its hardest object: */
const changes = ['lowest', 'highest', 'above', 'below', 'farther'] as const;
/** pT that no object of a file may have, GeV. */
const unphysicalPt = 14_000;

/**
 * Events drawn from a domain feature by feature, independently: numbers of objects from their counts, features from
 * their quantiles. They are for comparing two ways of computing, not for physics. One in three has an object that stands
 * exactly on a boundary or beyond one.
 */
export function drawEvents(domain: Domain, count: number, seed: number): EventBatch {
  const builder = new EventBatchBuilder();
  const kinds = kindsOf(domain);
  for (let event = 0; event < count; event++) {
    const draws = new Draws(seed, drawEpoch, event, 0);
    const change = event % 3 === 0 ? changes[(event / 3) % changes.length] : undefined;
    for (const [k, name] of kinds.entries()) {
      const { multiplicity, ...features } = domain.kinds[name];
      const objects = drawNumber(multiplicity.counts, draws.uniform());
      const { pt, eta, phi } = features;
      if (!pt || !eta || !phi) continue;
      const pts = Array.from({ length: objects }, () => at(pt, draws.uniform())).sort((a, b) => b - a);
      for (const [i, value] of pts.entries()) {
        const own = i === 0 && k === event % kinds.length ? change : undefined;
        const drawn = name === 'met' ? 0 : at(eta, draws.uniform());
        builder.addObject(
          changedPt(value, pt, own),
          own === 'farther' && name !== 'met' ? Math.min(9.9, eta.max + 0.25) : drawn,
          at(phi, draws.uniform()),
          Kind[name],
        );
      }
    }
    builder.endEvent(event);
  }
  return builder.build();
}

function changedPt(pt: number, { min, max }: FeatureSummary, change: (typeof changes)[number] | undefined): number {
  if (change === 'lowest') return min;
  if (change === 'highest') return max;
  if (change === 'above') return Math.min(max * 1.5, unphysicalPt - 1);
  return change === 'below' ? min / 2 : pt;
}

function drawNumber(counts: readonly number[], u: number): number {
  let left = u * counts.reduce((a, b) => a + b, 0);
  return Math.max(
    0,
    counts.findIndex(events => (left -= events) < 0),
  );
}

const probabilities = [0, ...quantileProbabilities, 1];

/** The value at probability `u`, on straight lines between the quantiles, rounded to float32 within the boundaries. */
function at({ min, max, quantiles }: FeatureSummary, u: number): number {
  const values = [min, ...quantiles, max];
  const next = probabilities.findIndex(p => p > u);
  const along = (u - probabilities[next - 1]) / (probabilities[next] - probabilities[next - 1]);
  return Math.min(max, Math.max(min, Math.fround(values[next - 1] + along * (values[next] - values[next - 1]))));
}
