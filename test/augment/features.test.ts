import { loadAddon, type Columns, type EncoderConfig, type TokenRows } from '../../src/addon.js';
import { featureRows } from '../../src/augment/features.js';
import { initialWeights } from '../../src/model/initialise.js';
import { encoderLayout } from '../../src/model/layout.js';
import { trainerDefaults } from '../support/encoder.js';
import { worst } from '../support/golden.js';
import { drawnJets } from '../support/jets.js';
import { joined, sampleEvents } from './events.js';

const addon = loadAddon();
/** What eta and phi are divided by: as for collisions where left out, as for jets. */
const scales: Pick<EncoderConfig, 'etaScale' | 'phiScale'>[] = [{}, { etaScale: 0.4, phiScale: 0.3 }];
const base: Omit<EncoderConfig, 'features' | 'ptFeature'> = {
  ptScale: 30,
  mask: 'hard',
  width: 32,
  heads: 4,
  layers: 1,
  feedForward: 32,
  output: 16,
  headLayers: 1,
  headNorm: false,
  dropout: 0,
};
/** An event without objects, one whose MET is 0, one of such a MET alone. */
const few: Columns = {
  pt: Float32Array.of(0, 20, 30, 0),
  eta: Float32Array.of(0, 1.5, -2, 0),
  phi: Float32Array.of(1, -2, 3, 0.5),
  kind: Uint8Array.of(1, 2, 4, 1),
  offsets: Int32Array.of(0, 0, 3, 4),
};
/** Rows by the formulas, in float64. */
function formulas({ features, ptFeature, etaScale = 4, phiScale = Math.PI }: EncoderConfig): TokenRows {
  const rows: number[] = [];
  const ends = [0];
  for (let e = 0; e + 1 < events.offsets.length; e++) {
    for (let o = events.offsets[e]; o < events.offsets[e + 1]; o++) {
      const [pt, eta, phi, kind] = [events.pt[o], events.eta[o], events.phi[o], events.kind[o]];
      if (pt === 0) continue;
      rows.push(ptFeature === 'log' ? Math.log1p(pt) / Math.log1p(30) : pt / 30, eta / etaScale);
      rows.push(...(features === 8 ? [Math.sin(phi), Math.cos(phi)] : [phi / phiScale]));
      rows.push(...[1, 2, 3, 4].map(one => (kind === one ? 1 : 0)));
    }
    ends.push(rows.length / features);
  }
  return { x: Float64Array.from(rows), offsets: Int32Array.from(ends) };
}

const ptFeatures = ['linear', 'log'] as const;
const cases = ptFeatures.flatMap(ptFeature => scales.map(given => [ptFeature, given] as const));
let events: Columns;
beforeAll(async () => {
  events = joined([few, await sampleEvents(1000), drawnJets(100, 64, 1)]);
});

describe.each([7, 8] as const)('%i features', features => {
  test.each(cases)('%s pt, scales %j: rows follow the formulas', (ptFeature, given) => {
    const { x, offsets } = featureRows({ features, ptFeature, ptScale: 30, ...given }, events);
    const want = formulas({ ...base, ...given, features, ptFeature });
    expect(offsets).toEqual(want.offsets);
    expect(x.length).toBe(want.x.length);
    const relative = x.map((value, i) => Math.abs(value - want.x[i]) / Math.max(1, Math.abs(want.x[i])));
    expect(Math.max(...relative)).toBeLessThan(3e-7);
  });

  test.each(cases)('%s pt, scales %j: the addon makes the same of events and of rows', async (ptFeature, given) => {
    const config: EncoderConfig = { ...base, ...given, features, ptFeature };
    const trainer = new addon.Trainer({ ...config, ...trainerDefaults, precision: 'f32' });
    trainer.setWeights({ weights: initialWeights(encoderLayout(config), 9, 'f32') });
    const want = await trainer.embed({ events });
    const got = await trainer.reps(featureRows(config, events));
    trainer.dispose();
    expect(worst(got, want)).toBeLessThan(1e-6);
    expect(got).toEqual(want);
  });

  test.each(cases)('%s pt, scales %j: in float64 the addon follows the formulas', async (ptFeature, given) => {
    const config: EncoderConfig = { ...base, ...given, features, ptFeature };
    const trainer = new addon.Trainer({ ...config, ...trainerDefaults, precision: 'f64' });
    trainer.setWeights({ weights: initialWeights(encoderLayout(config), 9, 'f64') });
    const [got, want] = [await trainer.embed({ events }), await trainer.reps(formulas(config))];
    trainer.dispose();
    expect(worst(got, want)).toBeLessThan(1e-12);
  });
});
