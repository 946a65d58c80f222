import { cardSchema, type Card } from '../../src/bundle/card.js';
import type { Domain } from '../../src/events/domain.js';

/** A valid card that says as little as it may, but for what `told` has. */
export function bareCard(domain: Domain, told: Partial<Card> = {}): Card {
  return cardSchema.parse({
    format: 'anomalyclr.bundle.1',
    name: 'test',
    version: '0.0.0',
    created: '2026-01-01T00:00:00.000Z',
    part: 'scorer',
    precision: 'f32',
    layout: 'packed',
    representation: { name: 'pool', size: 2 },
    signature: {},
    selection: [],
    domain,
    training: { loss: 'clr', seed: 1, options: {}, files: [], skipped: 0, engine: '', machine: '', started: '' },
    calibration: null,
    precisionChange: null,
    nuisances: [],
    licence: '',
    citation: [],
    reference: { tolerance: { score: 5e-4, representation: 1e-5 }, events: [] },
    ...told,
  });
}
