import { inputName } from '../bundle/card.js';
import { padEvents } from '../bundle/pad.js';
import { openSession } from '../bundle/session.js';
import { range, type EventBatch } from '../events/event-batch.js';
import { buildModel, type GraphOptions, type ModelParts } from './model.js';

/** Events whose values are looked at together. */
const batchEvents = 1024;

/**
 * The largest absolute number that each dense layer of the encoder reads on these events, by the layer's path in the
 * graph: what int8 spreads its 127 steps over. Take background that is typical of use; what lies beyond is cut off.
 *
 * @throws AnomalyClrError where onnxruntime-node is not installed
 */
export async function activationRanges(
  parts: ModelParts,
  { layout }: Pick<GraphOptions, 'layout'>,
  events: EventBatch,
): Promise<ReadonlyMap<string, number>> {
  const probe = buildModel(parts, { part: 'encoder', precision: 'f32', layout }, {}, true);
  const session = await openSession(probe, { provider: 'cpu', name: 'the model whose ranges are measured' });
  const ranges = new Map<string, number>();
  try {
    for (let from = 0; from < events.count; from += batchEvents) {
      const {
        objects,
        events: count,
        slots,
      } = padEvents(range(events, from, Math.min(events.count, from + batchEvents)));
      const outputs = await session.run({ [inputName]: { type: 'float32', dims: [count, slots, 4], data: objects } });
      for (const [name, { data }] of Object.entries(outputs))
        if (name.startsWith(probePrefix)) {
          const path = name.slice(probePrefix.length);
          ranges.set(path, Math.max(ranges.get(path) ?? 0, largest(data as Float32Array)));
        }
    }
  } finally {
    await session.dispose();
  }
  return ranges;
}

const probePrefix = 'probe/';

function largest(data: Float32Array): number {
  let found = 0;
  for (const value of data) if (Math.abs(value) > found) found = Math.abs(value);
  return found;
}
