import type { BundleOutputs } from '../../src/bundle/bundle.js';
import { type Card, crossedSizeOf } from '../../src/bundle/card.js';
import { padEvents } from '../../src/bundle/pad.js';
import { DriftAccumulator } from '../../src/evaluate/drift.js';
import { type Domain, DomainBuilder, inDomain } from '../../src/events/domain.js';
import { type EventBatch, EventBatchBuilder, range } from '../../src/events/event-batch.js';
import { Kind } from '../../src/events/objects.js';
import { readAll } from '../../src/read/index.js';
import { Monitor } from '../../src/serve/monitor.js';
import { generator, normal } from '../evaluate/random.js';
import { bareCard } from '../support/card.js';
import { sample } from '../support/cli.js';

const crossedSize = crossedSizeOf({});
let events: EventBatch;
let domain: Domain;
beforeAll(async () => {
  ({ batch: events } = await readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents: 30_000 }));
  const builder = new DomainBuilder();
  builder.add(range(events, 0, 10_000));
  domain = builder.build();
});

function cardOf(thresholds: readonly ['1e-2' | '1e-3', number][], part: Card['part'] = 'scorer'): Card {
  const share = { events: 1000, passed: 10, efficiency: { value: 0.01, low: 0.005, high: 0.018 } };
  return bareCard(domain, {
    part,
    calibration: {
      files: [],
      heldBack: true,
      events: 2000,
      inputRate: null,
      thresholds: thresholds.map(([rate, threshold]) => ({
        rate,
        threshold,
        calibration: share,
        check: share,
        triggerRate: null,
      })),
      missing: [],
    },
  });
}

function outputs(batch: EventBatch, score: Float32Array | undefined): BundleOutputs {
  const inside = inDomain(domain, batch);
  return {
    score,
    representation: new Float32Array(0),
    inDomain: inside,
    distance: Float32Array.from(inside, flag => 1 - flag),
    crossed: new Int32Array(batch.count * crossedSize),
  };
}

/** Records events in requests of `size`, `rate` a second on a clock of our own. */
class Feed {
  time = Date.UTC(2026, 0, 1);
  readonly monitor: Monitor;
  constructor(card: Card) {
    this.monitor = new Monitor(card, () => this.time);
  }

  send(batch: EventBatch, scores: Float32Array | undefined, size = 100, rate = 5000): void {
    for (let from = 0; from < batch.count; from += size) {
      const to = Math.min(batch.count, from + size);
      const part = range(batch, from, to);
      const padded = padEvents(part);
      this.monitor.record(padded.objects, to - from, padded.slots, outputs(part, scores?.subarray(from, to)));
      this.time += (1000 * (to - from)) / rate;
    }
  }
}

const heavyTailed = (n: number, seed: number) => normal(n, 0, generator(seed)).map(x => Math.exp(x));

test('nothing seen: a whole answer without a NaN', () => {
  const live = new Monitor(cardOf([['1e-2', 5]])).snapshot();
  expect(live).toMatchObject({ events: 0, scores: { spectrum: null, quantiles: null }, anomalies: [] });
  expect(live.rate).toEqual(Array.from({ length: 120 }, () => 0));
  expect(JSON.parse(JSON.stringify(live))).toEqual(live);
});

test('scores: spectrum, quantiles and passes agree with sorted values', () => {
  const scores = heavyTailed(events.count, 1);
  const sorted = scores.toSorted();
  const thresholds: ['1e-2' | '1e-3', number][] = [
    ['1e-2', sorted[29_700]],
    ['1e-3', sorted[29_970]],
  ];
  const feed = new Feed(cardOf(thresholds));
  feed.send(events, scores);
  const { scores: got, events: count, recent, anomalies } = feed.monitor.snapshot();
  expect(count).toBe(30_000);
  expect(recent.events).toBe(30_000);
  for (const [p, name] of [
    [0.5, 'p50'],
    [0.9, 'p90'],
    [0.99, 'p99'],
    [0.999, 'p999'],
  ] as const)
    expect(got!.quantiles![name] / sorted[Math.ceil(p * 30_000) - 1]).toBeCloseTo(1, 1);
  expect(got!.thresholds.map(one => [one.wanted, one.total!.passed, one.recent!.passed])).toEqual([
    [0.01, 300, 300],
    [0.001, 30, 30],
  ]);
  const { edges, counts } = got!.spectrum!;
  expect(edges).toHaveLength(counts.length + 1);
  expect(counts.reduce((a, b) => a + b, 0)).toBeCloseTo(30_000, -1);
  for (const [k, n] of counts.entries()) {
    if (k === 0) continue; // with all below
    const exact = sorted.filter(score => score >= edges[k] && score < edges[k + 1]).length;
    expect(Math.abs(n - exact)).toBeLessThanOrEqual(5 + 0.03 * exact);
  }
  expect(anomalies.map(one => Math.fround(one.score))).toEqual(Array.from(sorted.subarray(-12)).reverse());
});

test('scores on both sides of 0: even bins, quantiles below 0', () => {
  const scores = normal(events.count, 0, generator(3));
  scores[7] = 1000; // which must not squeeze all others into one bin
  const sorted = scores.toSorted();
  const feed = new Feed(cardOf([['1e-2', sorted[29_700]]]));
  feed.send(events, scores);
  const { scores: got } = feed.monitor.snapshot();
  const { log, edges, counts } = got!.spectrum!;
  expect(log).toBe(false);
  expect(edges[0] / sorted[30]).toBeCloseTo(1, 1);
  expect(edges.at(-1)).toBeGreaterThan(5);
  expect(edges.at(-1)).toBeLessThan(20);
  expect(counts.reduce((a, b) => a + b, 0)).toBeCloseTo(30_000, -1);
  for (let k = 1; k + 1 < counts.length; k++) {
    const exact = sorted.filter(score => score >= edges[k] && score < edges[k + 1]).length;
    expect(Math.abs(counts[k] - exact)).toBeLessThanOrEqual(8 + 0.05 * exact);
  }
  expect(Math.abs(got!.quantiles!.p50)).toBeLessThan(0.03);
  expect(got!.quantiles!.p90 / sorted[27_000]).toBeCloseTo(1, 1);
  const below = new Feed(cardOf([]));
  below.send(
    events,
    scores.map(score => score - 2000),
  );
  expect(below.monitor.snapshot().scores!.quantiles!.p50 / -2000).toBeCloseTo(1, 1);
});

test('what is old is forgotten, the counts since the start are not', () => {
  const feed = new Feed(cardOf([['1e-2', 100]]));
  feed.send(range(events, 0, 2000), new Float32Array(2000).fill(1000));
  for (let k = 0; k < 36; k++) feed.send(range(events, 0, 20_000), new Float32Array(20_000).fill(1));
  const live = feed.monitor.snapshot();
  expect(live.events).toBe(722_000);
  expect(live.recent.seconds).toBeLessThanOrEqual(125);
  expect(live.recent.events).toBeLessThan(722_000);
  expect(live.scores!.thresholds[0]).toMatchObject({ total: { passed: 2000 }, recent: { passed: 0 } });
  expect(live.anomalies.every(one => one.score === 1)).toBe(true);
  expect(live.rate.every(n => n === 0 || Math.abs(n - 5000) <= 100)).toBe(true);
});

test('an idle server keeps what it saw, and its rate goes to zero', () => {
  const feed = new Feed(cardOf([]));
  feed.send(range(events, 0, 500), heavyTailed(500, 2), 100, 100);
  feed.time += 3_600_000;
  const live = feed.monitor.snapshot();
  expect(live).toMatchObject({ recent: { events: 500, seconds: 3605 }, rate: Array.from({ length: 120 }, () => 0) });
  feed.time -= 7_200_000; // a clock set back
  expect(feed.monitor.snapshot().rate).toHaveLength(120);
});

test('outside the domain: share, boundaries in words, and of each event its own', () => {
  const batch = range(events, 0, 1000);
  const hard = { ...batch, pt: batch.pt.map(pt => (pt > 100 ? 1e5 : pt)) };
  const feed = new Feed(cardOf([]));
  const outside = outputs(hard, heavyTailed(1000, 3));
  const jetPtAbove = 3 * 4; // row jet, column pt
  for (const [e, flag] of outside.inDomain.entries()) if (flag === 0) outside.crossed[e * crossedSize + jetPtAbove] = 2;
  const { objects, slots } = padEvents(hard);
  feed.monitor.record(objects, 1000, slots, outside);
  const crossing = outside.inDomain.filter(flag => flag === 0).length;
  expect(crossing).toBeGreaterThan(10);
  const live = feed.monitor.snapshot();
  expect(live.outOfDomain.total).toBe(crossing);
  expect(live.outOfDomain.recent).toMatchObject({ passed: crossing, events: 1000 });
  const limit = Number(domain.kinds.jet.pt!.max.toPrecision(4));
  expect(live.outOfDomain.boundaries).toEqual([{ boundary: `jet pT above ${limit} GeV`, events: crossing }]);
  for (const one of live.anomalies) expect(one.crossed.length > 0).toBe(!one.inDomain);
});

test('drift is that of the events, or of a sample of them at a high rate', () => {
  const card = cardOf([]);
  const slow = new Feed(card);
  const batch = range(events, 10_000, 20_000);
  slow.send(batch, heavyTailed(10_000, 4), 100, 500);
  const exact = new DriftAccumulator(domain);
  exact.add(batch);
  const { features } = exact.snapshot();
  const got = slow.monitor.snapshot().drift;
  expect(got.map(one => [one.feature, one.values, one.verdict])).toEqual(
    features.map(one => [one.feature, one.sample, one.verdict]),
  );

  const fast = new Feed(card);
  const scaled = { ...batch, pt: batch.pt.map((pt, o) => (batch.kind[o] === 4 ? 1.1 * pt : pt)) };
  for (let k = 0; k < 10; k++) fast.send(scaled, heavyTailed(10_000, 5), 33, 20_000);
  const live = fast.monitor.snapshot();
  const looked = live.drift.find(one => one.feature === 'objects per event')!.values;
  expect(looked).toBeGreaterThan(2000);
  expect(looked).toBeLessThan(30_000); // all of the first second, then about a thousand of each
  const moved = live.drift.filter(one => one.verdict === 'shifted' || one.verdict === 'changed');
  expect(moved.map(one => one.feature)).toEqual(['jet pT']);
});

test('NaN, infinite, zero and negative scores', () => {
  const feed = new Feed(cardOf([['1e-2', 5]]));
  feed.send(range(events, 0, 6), Float32Array.of(NaN, Infinity, 0, -3, 1e-40, 2));
  const live = feed.monitor.snapshot();
  expect(live.scores).toMatchObject({ without: 1, thresholds: [{ total: { events: 5, passed: 1 } }] });
  expect(live.anomalies.map(one => one.score)).toEqual([Number.MAX_VALUE, 2, expect.any(Number), 0, -3]);
  expect(JSON.parse(JSON.stringify(live))).toEqual(live);
});

test('an encoder has no scores; the farthest events outside lead', () => {
  const feed = new Feed(cardOf([], 'encoder'));
  const batch = range(events, 0, 50);
  const { objects, slots } = padEvents(batch);
  const made = outputs(batch, undefined);
  made.distance.fill(0);
  made.distance.set([3, Infinity, 7], 10);
  feed.monitor.record(objects, 50, slots, made);
  const live = feed.monitor.snapshot();
  expect(live.scores).toBeNull();
  expect(live.anomalies.map(one => one.score)).toEqual([7, 3]);
});

test('jets: drawn in their own plane, drift and boundaries in their own words', () => {
  const b = new EventBatchBuilder();
  for (let e = 0; e < 200; e++) {
    for (let k = 0; k < 3 + (e % 5); k++) b.addObject(200 / (k + 1), 0.1 * k, 0.01 * (e % 7), Kind.constituent);
    b.endEvent(e);
  }
  const jets = b.build();
  const builder = new DomainBuilder('jet');
  builder.add(jets);
  const feed = new Feed(bareCard(builder.build()));
  const padded = padEvents(range(jets, 0, 4));
  padded.objects[0] = 999; // harder than any that was seen
  const crossed = new Int32Array(4 * crossedSizeOf({ data: 'jet' }));
  crossed[0] = 2;
  feed.monitor.record(padded.objects, 4, padded.slots, {
    score: Float32Array.of(9, 1, 1, 1),
    representation: new Float32Array(0),
    inDomain: Uint8Array.of(0, 1, 1, 1),
    distance: Float32Array.of(3, 0, 0, 0),
    crossed,
  });
  const { model, drift, outOfDomain, anomalies } = feed.monitor.snapshot();
  expect(model.plane!.eta).toBeCloseTo(0.6, 2);
  expect(model.plane!.phi).toBe(model.plane!.eta);
  expect(drift.map(({ feature }) => feature)).toEqual([
    'constituent pT',
    'constituent eta',
    'constituent phi',
    'constituents per jet',
  ]);
  expect(outOfDomain.boundaries).toEqual([{ events: 1, boundary: 'constituent pT above 200 GeV' }]);
  expect(anomalies[0].crossed).toEqual(['constituent 1: pT 999 GeV is above the greatest seen, 200']);
  expect(new Set(anomalies[0].objects.map(({ kind }) => kind))).toEqual(new Set(['constituent']));
});
