import { Kind } from '../../src/events/objects.js';
import { dataKinds } from '../../src/events/data-kinds.js';
import { loadSchema } from '../../src/read/schema/schema.js';
import { openEvents, readAll } from '../../src/read/index.js';
import { toyJet, toyKinds, writeToyJets, type ToyKind } from '../../tools/toy-jets.js';
import { temporaryFolder } from './craft.js';

const at = temporaryFolder();
const some = (kind: ToyKind, count = 400) => Array.from({ length: count }, (_, i) => toyJet(kind, 5, i));
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

test.each(toyKinds)('%s: jets balance about their axis, fall in pT, and depend on seed and index alone', kind => {
  const jets = some(kind);
  expect(toyJet(kind, 5, 123)).toEqual(jets[123]);
  expect(toyJet(kind, 6, 123)).not.toEqual(jets[123]);
  for (const { constituents, pt } of jets) {
    const pts = constituents.map(one => one.pt);
    expect(pts).toEqual(pts.toSorted((a, b) => b - a));
    const across = sum(constituents.map(one => one.pt * Math.sin(one.phi)));
    expect(Math.abs(across) / pt).toBeLessThan(1e-9);
    expect(sum(constituents.map(one => one.pt * Math.cos(one.phi))) / pt).toBeCloseTo(1, 9);
    expect(pt).toBeGreaterThanOrEqual(500);
  }
});

test('two prongs have the mass of what decayed; QCD falls off, and the kinds differ in nothing but their inside', () => {
  const [qcd, prongs, dark] = toyKinds.map(kind => some(kind));
  const near = (jets: typeof qcd) => jets.filter(({ mass }) => Math.abs(mass - 86) < 12).length / jets.length;
  expect(near(prongs)).toBeGreaterThan(0.6);
  expect(near(qcd)).toBeLessThan(0.25);
  for (const jets of [prongs, dark])
    expect(median(jets.map(({ pt }) => pt)) / median(qcd.map(({ pt }) => pt))).toBeCloseTo(1, 1);
  expect(median(dark.map(({ mass }) => mass))).toBeGreaterThan(1.3 * median(qcd.map(({ mass }) => mass)));
});

test('a file of jets in the layout of JetNet comes back by its schema', async () => {
  const file = at('toy.h5');
  await writeToyJets(file, 'two-prong', { jets: 1300, seed: 5, particles: 30 });
  const schema = await loadSchema('jetnet');
  const source = await openEvents(file, { schema });
  expect({ events: source.events, dataKind: source.dataKind }).toEqual({ events: 1300, dataKind: 'jet' });
  await source.close();
  const { batch, skipped } = await readAll([file], { onBadEvent: 'fail', schema });
  expect({ skipped, count: batch.count }).toEqual({ skipped: 0, count: 1300 });
  expect(new Set(batch.kind)).toEqual(new Set([Kind.constituent]));
  for (const e of [0, 77, 1299]) {
    const { constituents, mass } = toyJet('two-prong', 5, e);
    const kept = constituents.slice(0, 30);
    const [from, to] = [batch.offsets[e], batch.offsets[e + 1]];
    expect(to - from).toBe(kept.length);
    for (const [i, { pt, eta, phi }] of kept.entries()) {
      expect(batch.pt[from + i] / pt).toBeCloseTo(1, 5);
      expect(batch.eta[from + i]).toBeCloseTo(eta, 6);
      expect(batch.phi[from + i]).toBeCloseTo(phi, 6);
    }
    // the mass of what is kept, which is most of it
    expect(dataKinds.jet.cutsOf(batch, e)[1] / mass).toBeGreaterThan(0.8);
  }
});
