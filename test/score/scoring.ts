import type { EventScorer } from '../../src/score/event-scorer.js';
import { paddedEvents, particles, writeRaw } from '../read/craft.js';

const multiplicity = { min: 0, max: 19, mean: 3, counts: [1] };
const feature = { min: 0, max: 1e5, mean: 1, std: 1, quantiles: Array<number>(9).fill(1) };
const kind = { objects: 1, pt: feature, eta: feature, phi: feature, multiplicity };

/** A model whose score of an event is the sum of its pT, and whose domain ends at `edge`. Batches change nothing. */
export function summing({ edge = Infinity, print = 'one', onJudge = async (_events: number) => {} } = {}): EventScorer {
  const scorer: EventScorer = {
    name: 'summing',
    seed: 0,
    representationSize: 1,
    domain: {
      version: 1,
      events: 1,
      ptScale: 1,
      multiplicity,
      kinds: { met: kind, electron: kind, muon: kind, jet: kind },
    },
    async judge({ count, offsets, pt }) {
      await onJudge(count);
      const score = Float32Array.from({ length: count }, (_, e) =>
        pt.subarray(offsets[e], offsets[e + 1]).reduce((a, b) => a + b, 0),
      );
      return { score, inDomain: Uint8Array.from(score, s => Number(s <= edge)) };
    },
    score: async events => (await scorer.judge(events)).score,
    embed: async ({ count }) => new Float32Array(count),
    fingerprint: async () => print,
    dispose() {},
  };
  return scorer;
}

/** Events that all differ, with ids from `firstId` on where it is given, and rows `bad` that break the rules. */
export async function writeEventFile(
  file: string,
  events: number,
  { firstId, bad = [], shift = 0 }: { firstId?: number; bad?: readonly number[]; shift?: number } = {},
): Promise<void> {
  const values = paddedEvents(events);
  for (let e = 0; e < events; e++) values[e * 76] += shift;
  for (const e of bad) values[e * 76 + 36] = NaN;
  const ids = BigInt64Array.from({ length: events }, (_, e) => BigInt((firstId ?? 0) + e));
  await writeRaw(file, {
    Particles: particles(values, events),
    ...(firstId === undefined ? {} : { EvtId: { data: ids } }),
  });
}
