import type { BundleOutputs } from '../bundle/bundle.js';
import type { Card } from '../bundle/card.js';
import type { ServeOptions } from '../config/schema.js';
import { outsideOf } from '../events/domain.js';
import { type EventBatch, EventBatchBuilder } from '../events/event-batch.js';
import { Refusal } from './refusal.js';

/**
 * Does what `--out-of-domain` says with the outputs of a request.
 *
 * @param objects - [events, slots, 4]
 * @throws Refusal (422) under `refuse`, naming the first event outside and the boundaries that it crosses
 */
export function applyDomainPolicy(
  policy: ServeOptions['outOfDomain'],
  card: Card,
  objects: Float32Array,
  slots: number,
  outputs: BundleOutputs,
): BundleOutputs {
  const first = policy === 'flag' ? -1 : outputs.inDomain.indexOf(0);
  if (first < 0) return outputs;
  if (policy === 'refuse') {
    const width = slots * 4;
    const event = oneEvent(objects.subarray(first * width, (first + 1) * width));
    const crossed = outsideOf(card.domain, event, 0).join('; ');
    throw new Refusal(422, 'out-of-domain', `event ${first} is outside the training domain: ${crossed}`);
  }
  return { ...outputs, score: outputs.score?.map((score, e) => (outputs.inDomain[e] === 0 ? NaN : score)) };
}

/** The objects of one padded event. [slots, 4] */
function oneEvent(slots: Float32Array): EventBatch {
  const builder = new EventBatchBuilder();
  for (let i = 0; i < slots.length; i += 4)
    if (slots[i + 3] !== 0) builder.addObject(slots[i], slots[i + 1], slots[i + 2], slots[i + 3]);
  builder.endEvent(0);
  return builder.build();
}
