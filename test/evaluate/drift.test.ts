import { padEvents } from '../../src/bundle/pad.js';
import { type Drift, DriftAccumulator, type DriftFeature } from '../../src/evaluate/drift.js';
import { kolmogorovSmirnov, populationStability, stabilityNoise } from '../../src/evaluate/drift-statistics.js';
import { type Domain, DomainBuilder } from '../../src/events/domain.js';
import { type EventBatch, EventBatchBuilder, range, take } from '../../src/events/event-batch.js';
import { Kind } from '../../src/events/objects.js';
import { readAll } from '../../src/read/index.js';
import { sample } from '../support/cli.js';
import { generator, normal } from './random.js';

let training: EventBatch;
let other: EventBatch;
let domain: Domain;
beforeAll(async () => {
  ({ batch: training } = await readAll([sample('background_train')], { onBadEvent: 'fail' }));
  ({ batch: other } = await readAll([sample('background_test')], { onBadEvent: 'fail' }));
  domain = domainOf(training);
});

function domainOf(batch: EventBatch): Domain {
  const builder = new DomainBuilder();
  builder.add(batch);
  return builder.build();
}

function driftOf(batch: EventBatch, against = domain): Drift {
  const accumulator = new DriftAccumulator(against);
  accumulator.add(batch);
  return accumulator.snapshot();
}

function feature({ features }: Drift, name: string): DriftFeature {
  const found = features.find(one => one.feature === name);
  if (!found) throw new Error(`no ${name} among ${features.map(one => one.feature).join(', ')}`);
  return found;
}

/** The events with `change` applied to each value of one feature of one kind. */
function changed(batch: EventBatch, kind: number, quantity: 'pt' | 'eta' | 'phi', change: (x: number) => number) {
  return { ...batch, [quantity]: batch[quantity].map((x, o) => (batch.kind[o] === kind ? change(x) : x)) };
}

const moved = ({ features }: Drift) =>
  features.filter(({ verdict }) => ['shifted', 'changed'].includes(verdict)).map(one => one.feature);

test('other events of the same distribution are stable in every feature', () => {
  const drift = driftOf(other);
  expect(drift).toMatchObject({ training: training.count, events: other.count, invalid: 0 });
  expect(drift.features.map(one => one.feature)).toEqual([
    'MET pT',
    'MET phi',
    'MET per event',
    ...['electron', 'muon', 'jet'].flatMap(kind => [
      ...['pT', 'eta', 'phi'].map(name => `${kind} ${name}`),
      `${kind}s per event`,
    ]),
    'objects per event',
  ]);
  expect(drift.features.filter(({ verdict }) => verdict !== 'stable')).toEqual([]);
  expect(Math.max(...drift.features.map(one => one.psi!))).toBeLessThan(0.01);
});

test('a jet scale off by a tenth is found in the pT of jets and nowhere else', () => {
  const scaled = driftOf(changed(other, Kind.jet, 'pt', pt => 1.1 * pt));
  expect(moved(scaled)).toEqual(['jet pT']);
  expect(feature(scaled, 'jet pT').ksP).toBeLessThan(1e-6);
  const rest = (drift: Drift) => drift.features.filter(one => one.feature !== 'jet pT');
  expect(rest(scaled)).toEqual(rest(driftOf(other)));
});

test('noise in eta is found there, and how much of it lies outside', () => {
  const noise = normal(other.eta.length, 0, generator(5));
  let k = 0;
  const drift = driftOf(changed(other, Kind.jet, 'eta', eta => eta + 2 * noise[k++]));
  expect(moved(drift)).toEqual(['jet eta']);
  const { outside, ks, bins } = feature(drift, 'jet eta');
  expect(outside).toBeGreaterThan(0.02);
  expect(ks).toBeGreaterThanOrEqual(outside / 2);
  expect(bins.sample.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
  expect(bins.edges).toHaveLength(bins.sample.length + 1);
});

test('a small difference in many events is slight, not an alarm', () => {
  const drift = driftOf(changed(other, Kind.met, 'pt', pt => 1.05 * pt));
  expect(feature(drift, 'MET pT')).toMatchObject({ verdict: 'slight' });
  expect(feature(drift, 'MET pT').psi).toBeLessThan(0.1);
});

test('few events raise no alarm', () => {
  expect(new Set(driftOf(range(other, 0, 60)).features.map(one => one.verdict))).toEqual(new Set(['few']));
  const alarms = Array.from({ length: 40 }, (_, k) => moved(driftOf(range(other, 120 * k, 120 * (k + 1)))));
  expect(alarms.flat()).toEqual([]);
});

test('missing kinds, new kinds, no events: always finite', () => {
  const electronsOnly = new EventBatchBuilder();
  const withMuons = new EventBatchBuilder();
  for (let e = 0; e < 300; e++) {
    electronsOnly.addObject(30 + e, 0, 1, Kind.electron);
    electronsOnly.endEvent(e);
    withMuons.addObject(30 + e, 0, 1, Kind.muon);
    withMuons.endEvent(e);
  }
  const electrons = domainOf(electronsOnly.build());
  const drift = driftOf(withMuons.build(), electrons);
  expect(drift.features.some(one => one.feature === 'muon pT')).toBe(false);
  expect(feature(drift, 'muons per event')).toMatchObject({ verdict: 'changed', outside: 1 });
  expect(feature(drift, 'electron pT')).toMatchObject({ sample: 0, psi: null, ks: null, verdict: 'few' });
  const broken = new DriftAccumulator(domain);
  broken.addPadded(Float32Array.of(NaN, 0, 0, 4, 30, Infinity, 0, 4, 30, 0, 0, 9, 30, 0, 0, 1.5, 40, 1, 1, 4), 1, 5);
  expect(broken.snapshot()).toMatchObject({ events: 1, invalid: 4 });
  expect(feature(broken.snapshot(), 'jet pT').sample).toBe(1);
  for (const one of [drift, driftOf(range(other, 0, 0)), broken.snapshot()])
    JSON.stringify(one, (_, value: unknown) => {
      if (typeof value === 'number') expect(Number.isFinite(value)).toBe(true);
      return value;
    });
});

test('parts put together, padded or not, are the whole', () => {
  const whole = driftOf(other);
  const half = other.count >> 1;
  const first = new DriftAccumulator(domain);
  first.add(range(other, 0, half));
  const second = new DriftAccumulator(domain);
  const { objects, slots } = padEvents(range(other, half, other.count));
  second.addPadded(objects, other.count - half, slots);
  expect(first.plus(second).snapshot()).toEqual(whole);
  const every3rd = new DriftAccumulator(domain);
  every3rd.addPadded(objects, other.count - half, slots, 1, 3);
  const index = Array.from({ length: other.count - half }, (_, k) => half + k).filter(k => (k - half) % 3 === 1);
  expect(every3rd.snapshot()).toEqual(driftOf(take(other, index)));
});

test.each([true, false])('agrees with plain sums over sorted values (percentiles known: %p)', known => {
  const old = structuredClone(domain);
  if (!known)
    for (const kind of Object.values(old.kinds))
      for (const quantity of ['pt', 'eta', 'phi'] as const) delete kind[quantity]?.percentiles;
  const batch = changed(other, Kind.jet, 'pt', pt => 15 + 1.2 * (pt - 15));
  const got = feature(driftOf(batch, old), 'jet pT');
  const values = (from: EventBatch) =>
    Array.from(from.pt.filter((_, o) => from.kind[o] === Kind.jet)).sort((a, b) => a - b);
  const [a, b] = [values(batch), values(training)];
  const below = (sorted: number[], x: number) => sorted.filter(value => value <= x).length / sorted.length;
  let exact = 0;
  for (let k = 0; k < a.length; k += 70) exact = Math.max(exact, Math.abs((k + 1) / a.length - below(b, a[k])));
  expect(got.ksResolution).toBeCloseTo(known ? 0.01 : 0.25, 9);
  expect(exact - got.ks!).toBeLessThan(got.ksResolution + 0.002);
  expect(got.ks! - exact).toBeLessThan(0.002);

  const shares = known ? [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99] : [1, 5, 25, 50, 75, 95, 99];
  const edges = [-Infinity, ...shares.map(p => b[Math.ceil((p / 100) * b.length) - 1]), Infinity];
  let psi = 0;
  for (let k = 1; k < edges.length; k++) {
    const [p, q] = [a, b].map(sorted => below(sorted, edges[k]) - below(sorted, edges[k - 1]));
    psi += (p - q) * Math.log(p / q);
  }
  expect(Math.abs(got.psi! - psi)).toBeLessThan(0.003);
  expect(got.psi!).toBeGreaterThan(0.01);
});

describe('statistics', () => {
  test('index by hand; empty bins count half a value', () => {
    expect(populationStability([50, 50], [500, 500])).toBe(0);
    expect(populationStability([75, 25], [50, 50])).toBeCloseTo(0.25 * Math.log(1.5) - 0.25 * Math.log(0.5), 12);
    const empty = populationStability([100, 0], [50, 50]);
    expect(empty).toBeCloseTo(0.5 * Math.log(2) + (0.005 - 0.5) * Math.log(0.01), 12);
    expect(populationStability([0, 0], [1, 1])).toBeNull();
  });

  test('mean and limit of the index are what draws of one distribution give', () => {
    const random = generator(11);
    const draw = (n: number) => {
      const counts = Array.from({ length: 10 }, () => 0);
      for (let k = 0; k < n; k++) counts[Math.floor(10 * random())] += 1;
      return counts;
    };
    const found = Array.from({ length: 4000 }, () => populationStability(draw(500), draw(2000))!);
    const { mean, limit } = stabilityNoise(10, 500, 2000);
    expect(found.reduce((a, b) => a + b, 0) / found.length / mean).toBeCloseTo(1, 1);
    const beyond = found.filter(psi => psi > limit).length;
    expect(beyond).toBeGreaterThan(0);
    expect(beyond).toBeLessThan(16);
    expect(stabilityNoise(1, 10, 10)).toEqual({ mean: 0, limit: 0 });
  });

  test('Kolmogorov-Smirnov: tabled points, and the critical distance is passed once in twenty times', () => {
    // lambda 1.3581 and 1.6276: 5 and 1 % (Smirnov 1948)
    expect(kolmogorovSmirnov(1.3581e-4, 2e8, 2e8).p).toBeCloseTo(0.05, 3);
    expect(kolmogorovSmirnov(1.6276e-4, 2e8, 2e8).p).toBeCloseTo(0.01, 3);
    expect(kolmogorovSmirnov(0, 100, 100).p).toBe(1);
    expect(kolmogorovSmirnov(1, 1000, 1000).p).toBe(0);
    const { critical } = kolmogorovSmirnov(0.1, 300, 700);
    expect(kolmogorovSmirnov(critical, 300, 700).p).toBeCloseTo(0.05, 4);
  });
});
