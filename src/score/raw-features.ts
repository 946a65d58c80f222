import type { EventBatch } from '../events/event-batch.js';
import { Kind, kindNames, layout } from '../events/objects.js';

/** pt, eta and phi of the 19 slots. */
export const rawFeatureCount = layout.slots * 3;

/** GeV */
const ptScale = 100;

/**
 * The plain data of an event as an autoencoder reads them: [events, 57], slot by slot pt', eta/4, phi/pi, empty slots 0.
 * pt' = pt/100 GeV, or log(1 + pt)/log(101). Objects past the slots of their kind are left out, as in the public data.
 */
export function rawFeatures(batch: EventBatch, pt: 'linear' | 'log'): Float32Array {
  const rows = new Float32Array(batch.count * rawFeatureCount);
  const slots = Object.fromEntries(kindNames.map(name => [Kind[name], layout[name]]));
  const used = new Int32Array(5);
  for (let e = 0; e < batch.count; e++) {
    used.fill(0);
    for (let o = batch.offsets[e]; o < batch.offsets[e + 1]; o++) {
      const kind = batch.kind[o];
      const { firstSlot, capacity } = slots[kind];
      if (used[kind] === capacity) continue;
      const at = e * rawFeatureCount + 3 * (firstSlot + used[kind]++);
      rows[at] = pt === 'linear' ? batch.pt[o] / ptScale : Math.log1p(batch.pt[o]) / Math.log1p(ptScale);
      rows[at + 1] = batch.eta[o] / 4;
      rows[at + 2] = batch.phi[o] / Math.PI;
    }
  }
  return rows;
}
