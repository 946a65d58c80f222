import { dataKind, type DataKindName, dataKinds } from '../events/data-kinds.js';
import type { EventBatch } from '../events/event-batch.js';

/** Names of the cuts of every data kind. */
export const cutNames: readonly string[] = [
  ...new Set(Object.values(dataKinds).flatMap(({ cuts }) => Object.keys(cuts))),
];

/**
 * The score that each cut of a data kind gives each event: the cuts a person would try first, larger is more anomalous;
 * 0 where an event lacks the objects.
 *
 * @returns per cut [events], in the unit that its description in the data kind says
 */
export function cutScores(batch: EventBatch, data: DataKindName = 'event'): Record<string, Float32Array> {
  const { cuts, cutsOf } = dataKind(data);
  const scores = Object.keys(cuts).map(name => [name, new Float32Array(batch.count)] as const);
  for (let e = 0; e < batch.count; e++) for (const [k, value] of cutsOf(batch, e).entries()) scores[k][1][e] = value;
  return Object.fromEntries(scores);
}
