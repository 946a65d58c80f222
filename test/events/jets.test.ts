import { dataKind, dataKindNames, dataKinds } from '../../src/events/data-kinds.js';
import { boundaryOf, DomainBuilder, domainSchema, inDomain, kindsOf, outsideOf } from '../../src/events/domain.js';
import { type EventBatch, EventBatchBuilder } from '../../src/events/event-batch.js';
import { formatInspection, Inspector } from '../../src/events/inspect.js';
import { Kind, kindNames } from '../../src/events/objects.js';
import { rawFeatureCountOf, rawFeatures } from '../../src/score/raw-features.js';

type Constituent = readonly [pt: number, eta: number, phi: number];

function jets(...all: readonly (readonly Constituent[])[]): EventBatch {
  const b = new EventBatchBuilder();
  for (const [row, constituents] of all.entries()) {
    for (const [pt, eta, phi] of constituents) b.addObject(pt, eta, phi, Kind.constituent);
    b.endEvent(row);
  }
  return b.build();
}

const training = jets(
  [
    [120, 0.1, -0.2],
    [40, -0.3, 0.1],
  ],
  [
    [200, 0, 0],
    [60, 0.2, 0.3],
    [10, -0.1, 0.2],
  ],
);

test('every data kind is made of known kinds of object, in the order of their codes, each with places of its own', () => {
  for (const name of dataKindNames) {
    const { kinds, raw, cuts, cutsOf } = dataKind(name);
    expect(kinds).toEqual(kindNames.filter(kind => kinds.includes(kind)));
    const taken = kinds.flatMap(kind => {
      const place = raw.places[kind];
      return place ? Array.from({ length: place.capacity }, (_, i) => place.firstSlot + i) : [-1];
    });
    expect(taken.toSorted((a, b) => a - b)).toEqual(Array.from({ length: raw.slots }, (_, slot) => slot));
    expect(cutsOf(new EventBatchBuilder().build(), 0)).toHaveLength(Object.keys(cuts).length);
  }
});

test('the domain of jets says so and has constituents alone; that of events is as ever', () => {
  const builder = new DomainBuilder('jet');
  builder.add(training);
  const domain = builder.build();
  expect(domain).toMatchObject({
    version: 1,
    data: 'jet',
    events: 2,
    ptScale: 430 / 5,
    multiplicity: { min: 2, max: 3 },
  });
  expect(kindsOf(domain)).toEqual(['constituent']);
  expect(Object.keys(domain.kinds)).toEqual(['constituent']);
  expect(domainSchema.parse(JSON.parse(JSON.stringify(domain)))).toEqual(domain);
  // phi is no circle here: its ends are those that were seen
  expect(boundaryOf(domain, 'constituent', 'phi')).toMatchObject({ min: Math.fround(-0.2), max: Math.fround(0.3) });

  const events = new DomainBuilder();
  const b = new EventBatchBuilder();
  b.addObject(10, 0, 0, Kind.met);
  b.endEvent(0);
  events.add(b.build());
  expect(Object.keys(events.build())).toEqual(['version', 'ptScale', 'events', 'kinds', 'multiplicity']);
  const mixed = { ...events.build(), data: 'jet' };
  expect(
    domainSchema.safeParse(mixed).error?.issues.map(({ path, message }) => `${path.join('.')} ${message}`),
  ).toEqual([
    'kinds.met is no kind of jets',
    'kinds.electron is no kind of jets',
    'kinds.muon is no kind of jets',
    'kinds.jet is no kind of jets',
    'kinds.constituent is missing',
  ]);
});

test('in and outside the domain of jets', () => {
  const builder = new DomainBuilder('jet');
  builder.add(training);
  const domain = builder.build();
  const inside: Constituent[] = [
    [120, 0, 0],
    [10, 0, 0],
  ];
  const tried = jets(
    inside,
    [[500, 0, 0], inside[1]],
    [inside[0], [20, 0, 1]],
    [...inside, ...inside],
    [inside[0]],
    [],
  );
  expect(Array.from(inDomain(domain, tried))).toEqual([1, 0, 0, 0, 0, 0]);
  expect(inDomain(domain, training)).toEqual(Uint8Array.of(1, 1));
  expect([1, 2, 3, 4].map(e => outsideOf(domain, tried, e))).toEqual([
    ['constituent 1: pT 500 GeV is above the greatest seen, 200'],
    [`constituent 2: phi 1 rad is above the greatest seen, ${Math.fround(0.3)}`],
    ['constituent count 4 is above the greatest seen, 3'],
    ['constituent count 1 is below the least seen, 2'],
  ]);
  const b = new EventBatchBuilder();
  b.addObject(120, 0, 0, Kind.jet);
  b.addObject(20, 0, 0, Kind.jet);
  b.endEvent(0);
  const foreign = b.build();
  expect(inDomain(domain, foreign)[0]).toBe(0);
  expect(outsideOf(domain, foreign, 0)[0]).toBe('jet 1: is no part of jets');
});

test('plain data of jets: the leading 40 constituents, over their own scales', () => {
  const many = Array.from({ length: 50 }, (_, i): Constituent => [100 - i, 0.2, -0.1]);
  const rows = rawFeatures(jets(many, [[50, -0.4, 0.4]]), 'linear', 'jet');
  expect(rawFeatureCountOf('jet')).toBe(120);
  expect(rows).toHaveLength(240);
  expect(Array.from(rows.subarray(117, 120))).toEqual([0.61, 0.5, -0.25].map(Math.fround));
  expect(Array.from(rows.subarray(120, 123))).toEqual([0.5, -1, 1]);
  expect(rows.subarray(123).every(x => x === 0)).toBe(true);
});

test('inspection of jets: constituents, mass and pT, and no word of MET or HT', () => {
  const inspector = new Inspector('jet');
  inspector.add(training);
  const result = inspector.build({ file: 'jets.h5', rows: 2, hasEventIds: false });
  expect(result.quantities?.['pt']).toMatchObject({ min: 160, max: 270 });
  expect(result.quantities?.['mass']?.min).toBeCloseTo(dataKinds.jet.cutsOf(training, 0)[1], 6);
  expect(Object.keys(result)).not.toContain('ht');
  expect(Object.keys(result)).not.toContain('withoutJets');
  const text = formatInspection(result);
  expect(text).toMatch(/^jets\.h5\n {2}2 jets, 2 valid\n {2}without any constituent 0\n/);
  expect(text).toMatch(/constituent eta/);
  expect(text).toMatch(/mass \[GeV\]/);
  expect(text).toMatch(/per jet/);
  expect(text).not.toMatch(/met|HT/);

  const wide = new Inspector('jet');
  const sizes = [1, 10, 20, 30, 40];
  wide.add(jets(...sizes.map(n => Array.from({ length: n }, (_, i): Constituent => [100 - i, 0, 0]))));
  const lines = formatInspection(wide.build({ file: 'jets.h5', rows: 5, hasEventIds: false })).split('\n');
  const at = lines.findIndex(line => line.includes('per jet'));
  expect(lines.slice(at, at + 2).map(line => line.trim().split(/ {2,}/))).toEqual([
    ['per jet', 'mean', 'min', '1 %', 'median', '99 %', 'max'],
    ['constituent', '20.2', '1', '1', '20', '40', '40'],
  ]);
});
