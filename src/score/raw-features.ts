import { dataKind, type DataKindName } from '../events/data-kinds.js';
import type { EventBatch } from '../events/event-batch.js';
import { Kind, kindNames } from '../events/objects.js';

/** pt, eta and phi of every slot of a data kind. */
export const rawFeatureCountOf = (data: DataKindName = 'event'): number => dataKind(data).raw.slots * 3;

/** Of the 19 slots of ADC2021. */
export const rawFeatureCount = rawFeatureCountOf();

/** GeV */
const ptScale = 100;

/**
 * The plain data of an event as an autoencoder reads them: [events, 3 slots], slot by slot pt', eta, phi over the scales
 * of the data kind (4 and pi for collisions, which have 19 slots), empty slots 0. pt' = pt/100 GeV, or
 * log(1 + pt)/log(101). Objects past the slots of their kind are left out, as in the public data.
 */
export function rawFeatures(batch: EventBatch, pt: 'linear' | 'log', data: DataKindName = 'event'): Float32Array {
  const { raw, etaScale, phiScale } = dataKind(data);
  const length = raw.slots * 3;
  const rows = new Float32Array(batch.count * length);
  const places = [undefined, ...kindNames.map(name => raw.places[name])]; // by class code
  const used = new Int32Array(Object.keys(Kind).length + 1);
  for (let e = 0; e < batch.count; e++) {
    used.fill(0);
    for (let o = batch.offsets[e]; o < batch.offsets[e + 1]; o++) {
      const kind = batch.kind[o];
      const place = places[kind];
      if (!place || used[kind] === place.capacity) continue;
      const at = e * length + 3 * (place.firstSlot + used[kind]++);
      rows[at] = pt === 'linear' ? batch.pt[o] / ptScale : Math.log1p(batch.pt[o]) / Math.log1p(ptScale);
      rows[at + 1] = batch.eta[o] / etaScale;
      rows[at + 2] = batch.phi[o] / phiScale;
    }
  }
  return rows;
}
