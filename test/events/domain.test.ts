import fc from 'fast-check';
import { AnomalyClrError } from '../../src/errors.js';
import { DomainBuilder, domainSchema, inDomain, outsideOf, quantileProbabilities } from '../../src/events/domain.js';
import { type EventBatch, EventBatchBuilder, take } from '../../src/events/event-batch.js';
import { Kind, eventKindNames } from '../../src/events/objects.js';

type Objects = [kind: number, pt: number, eta: number, phi: number][];

function batchOf(...events: Objects[]): EventBatch {
  const builder = new EventBatchBuilder();
  for (const [row, objects] of events.entries()) {
    for (const [kind, pt, eta, phi] of objects) builder.addObject(pt, eta, phi, kind);
    builder.endEvent(row);
  }
  return builder.build();
}

function domainOf(...batches: EventBatch[]) {
  const builder = new DomainBuilder();
  for (const batch of batches) builder.add(batch);
  return builder.build();
}

/** Steep pT, flat angles, 0 to 8 objects: every kind in every order of magnitude. */
const anyEvents = fc
  .array(
    fc.array(
      fc.tuple(
        fc.integer({ min: 1, max: 4 }),
        fc.double({ min: -3, max: 4.1, noNaN: true }).map(x => Math.fround(10 ** x)),
        fc.float({ min: -10, max: 10, noNaN: true }),
        fc.float({ min: -3, max: 3, noNaN: true }),
      ),
      { maxLength: 8 },
    ),
    { minLength: 1, maxLength: 60 },
  )
  .filter(events => events.some(objects => objects.length > 0))
  .map(events => batchOf(...events.map(o => o.toSorted((a, b) => a[0] - b[0]))));

test('figures of a small batch, by hand', () => {
  const domain = domainOf(
    batchOf(
      [
        [Kind.met, 10, 0, 1],
        [Kind.jet, 40, 2, -1],
        [Kind.jet, 20, -2, 1],
      ],
      [[Kind.met, 30, 0, -3]],
    ),
  );
  expect(domain.events).toBe(2);
  expect(domain.ptScale).toBe(25);
  expect(domain.kinds.met.pt).toMatchObject({ min: 10, max: 30, mean: 20, std: 10 });
  expect(domain.kinds.met.eta).toEqual({
    min: 0,
    max: 0,
    mean: 0,
    std: 0,
    quantiles: Array(9).fill(0),
    percentiles: Array(101).fill(0),
  });
  expect(domain.kinds.met.phi).toMatchObject({ min: -3, max: 1, mean: -1, std: 2 });
  expect(domain.kinds.jet).toMatchObject({ objects: 2, multiplicity: { min: 0, max: 2, mean: 1, counts: [1, 0, 1] } });
  expect(domain.kinds.electron).toMatchObject({ objects: 0, pt: null, eta: null, phi: null });
  expect(domain.kinds.muon.multiplicity).toEqual({ min: 0, max: 0, mean: 0, counts: [2] });
  expect(domain.multiplicity).toEqual({ min: 1, max: 3, mean: 2, counts: [0, 1, 0, 1] });
});

test('quantiles agree with exact ones to the stated error', () => {
  fc.assert(
    fc.property(anyEvents, batch => {
      const domain = domainOf(batch);
      for (const kind of eventKindNames)
        for (const feature of ['pt', 'eta', 'phi'] as const) {
          const values = batch[feature].filter((_, o) => batch.kind[o] === Kind[kind]).sort();
          const summary = domain.kinds[kind][feature];
          expect(summary === null).toBe(values.length === 0);
          if (!summary) continue;
          const expectNear = (got: number, p: number) => {
            const exact = values[Math.max(1, Math.ceil(p * values.length)) - 1];
            const error = feature === 'pt' ? Math.max(exact / 2048, 1e-3) : 1 / 2048;
            expect(Math.abs(got - exact)).toBeLessThanOrEqual(error * 1.0001);
          };
          for (const [i, p] of quantileProbabilities.entries()) expectNear(summary.quantiles[i], p);
          const percentiles = summary.percentiles!;
          expect(percentiles).toHaveLength(101);
          expect([percentiles[0], percentiles[100]]).toEqual([summary.min, summary.max]);
          for (let k = 1; k <= 100; k++) {
            expectNear(percentiles[k], k / 100);
            expect(percentiles[k]).toBeGreaterThanOrEqual(percentiles[k - 1]);
          }
        }
    }),
    { numRuns: 100, seed: 3 },
  );
});

test('the split into batches changes nothing, and the order no quantile', () => {
  fc.assert(
    fc.property(anyEvents, batch => {
      const all = Array.from({ length: batch.count }, (_, e) => e);
      const whole = domainOf(batch);
      expect(domainOf(...all.map(e => take(batch, [e])))).toEqual(whole);
      const reversed = domainOf(take(batch, all.toReversed()));
      for (const kind of eventKindNames)
        expect(reversed.kinds[kind].pt?.quantiles).toEqual(whole.kinds[kind].pt?.quantiles);
    }),
    { numRuns: 30, seed: 4 },
  );
});

test('mean and deviation agree with two-pass sums', () => {
  fc.assert(
    fc.property(anyEvents, batch => {
      const domain = domainOf(batch);
      const values = Array.from(batch.pt).filter((_, o) => batch.kind[o] === Kind.jet);
      fc.pre(values.length > 0);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
      expect(domain.kinds.jet.pt?.mean).toBeCloseTo(mean, 6);
      expect(domain.kinds.jet.pt?.std).toBeCloseTo(std, 6);
      expect(domain.ptScale).toBeCloseTo(batch.pt.reduce((a, b) => a + b, 0) / batch.pt.length, 6);
    }),
    { numRuns: 50, seed: 5 },
  );
});

describe('in domain', () => {
  const seen = batchOf(
    [
      [Kind.met, 10, 0, 1],
      [Kind.electron, 25, -1, 0],
      [Kind.jet, 100, 2, -1],
    ],
    [
      [Kind.met, 50, 0, -1],
      [Kind.jet, 30, -2, 1],
    ],
  );
  const domain = domainOf(seen);

  test('is all that was seen, after a passage through JSON', () => {
    fc.assert(
      fc.property(anyEvents, batch => {
        const loaded = domainSchema.parse(JSON.parse(JSON.stringify(domainOf(batch))));
        expect(inDomain(loaded, batch)).toEqual(new Uint8Array(batch.count).fill(1));
      }),
      { numRuns: 30, seed: 6 },
    );
  });

  test.each<[string, Objects, RegExp[]]>([
    [
      'both edges at once',
      [
        [Kind.met, 50, 0, 1],
        [Kind.jet, 100, -2, 1],
      ],
      [],
    ],
    [
      'soft MET',
      [
        [Kind.met, 9.5, 0, 0],
        [Kind.jet, 50, 0, 0],
      ],
      [/^met 1: pT 9.5 GeV is below the least seen, 10$/],
    ],
    [
      'hard second jet',
      [
        [Kind.met, 20, 0, 0],
        [Kind.jet, 90, 0, 0],
        [Kind.jet, 101, 0, 0],
      ],
      [/^jet 2: pT 101 GeV is above the greatest seen, 100$/, /^jet count 2 is above the greatest seen, 1$/],
    ],
    [
      'eta, and phi only beyond the circle',
      [
        [Kind.met, 20, 0, 3.5],
        [Kind.jet, 90, -2.5, 1.5],
      ],
      [/^met 1: phi 3.5 rad is above/, /^jet 1: eta -2.5 is below/],
    ],
    [
      'a kind never seen',
      [
        [Kind.met, 20, 0, 0],
        [Kind.muon, 30, 0, 0],
        [Kind.jet, 90, 0, 0],
      ],
      [/^muon count 1 is above the greatest seen, 0$/],
    ],
    [
      'nothing at all',
      [],
      [
        /^met count 0 is below the least seen, 1$/,
        /^jet count 0 is below the least seen, 1$/,
        /^object count 0 is below the least seen, 2$/,
      ],
    ],
    [
      'NaN',
      [
        [Kind.met, NaN, 0, 0],
        [Kind.jet, 90, 0, 0],
      ],
      [/^met 1: pT NaN GeV/],
    ],
  ])('%s', (_, objects, expected) => {
    const batch = batchOf(
      seen.count
        ? [
            [Kind.met, 10, 0, 1],
            [Kind.jet, 100, 2, -1],
          ]
        : [],
      objects,
    );
    expect(Array.from(inDomain(domain, batch))).toEqual([1, expected.length === 0 ? 1 : 0]);
    const crossed = outsideOf(domain, batch, 1);
    expect(crossed).toHaveLength(expected.length);
    for (const [i, pattern] of expected.entries()) expect(crossed[i]).toMatch(pattern);
  });
});

test('inDomain is 1 where outsideOf names nothing', () => {
  let [inside, outside] = [0, 0];
  fc.assert(
    fc.property(anyEvents, anyEvents, (seen, batch) => {
      const domain = domainOf(seen);
      const want = Array.from({ length: batch.count }, (_, e) => (outsideOf(domain, batch, e).length === 0 ? 1 : 0));
      expect(Array.from(inDomain(domain, batch))).toEqual(want);
      inside += want.filter(flag => flag === 1).length;
      outside += want.filter(flag => flag === 0).length;
    }),
    { numRuns: 300, seed: 8 },
  );
  expect(Math.min(inside, outside)).toBeGreaterThan(100);
});

test('no objects, no domain', () => {
  expect(() => domainOf(batchOf([], []))).toThrow(AnomalyClrError);
  expect(() => new DomainBuilder().build()).toThrow(/in 0 events/);
});

test('the schema takes a file from before there were percentiles', () => {
  const old = JSON.parse(JSON.stringify(domainOf(batchOf([[Kind.met, 10, 0, 1]]))));
  for (const quantity of ['pt', 'eta', 'phi']) delete old.kinds.met[quantity].percentiles;
  expect(domainSchema.parse(old).kinds.met.pt).not.toHaveProperty('percentiles');
  old.kinds.met.pt.percentiles = [1, 2, 3];
  expect(domainSchema.safeParse(old).success).toBe(false);
});

test('the schema refuses what is not a domain', () => {
  const domain = domainOf(batchOf([[Kind.met, 10, 0, 1]]));
  expect(domainSchema.safeParse({ ...domain, version: 2 }).success).toBe(false);
  expect(domainSchema.safeParse({ ...domain, ptScale: 0 }).success).toBe(false);
  expect(domainSchema.safeParse({ ...domain, extra: 1 }).success).toBe(false);
  expect(domainSchema.safeParse({ ...domain, kinds: { met: domain.kinds.met } }).success).toBe(false);
});
