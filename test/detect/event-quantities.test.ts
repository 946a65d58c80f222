import { eventQuantities, eventQuantityCount, eventQuantityRows } from '../../src/detect/event-quantities.js';
import { type EventBatch, EventBatchBuilder } from '../../src/events/event-batch.js';
import { Kind } from '../../src/events/objects.js';

type Object = [pt: number, eta: number, phi: number, kind: number];
const events = (...all: Object[][]): EventBatch => {
  const builder = new EventBatchBuilder();
  all.forEach((objects, row) => {
    for (const object of objects) builder.addObject(...object);
    builder.endEvent(row);
  });
  return builder.build();
};

/** By name, momenta and masses in GeV. */
function named(batch: EventBatch, event = 0): Record<keyof typeof eventQuantities, number> {
  const row = eventQuantityRows(batch).subarray(event * eventQuantityCount, (event + 1) * eventQuantityCount);
  const entries = Object.keys(eventQuantities).map((name, i) => {
    const plain = i < 3 || name.endsWith('angle');
    return [name, plain ? row[i] : Math.expm1(row[i])] as const;
  });
  return Object.fromEntries(entries) as Record<keyof typeof eventQuantities, number>;
}

const collision: Object[] = [
  [40, 0, Math.PI / 2, Kind.met],
  [30, 1, 0, Kind.electron],
  [20, -1, Math.PI, Kind.electron],
  [25, 0, 0, Kind.muon],
  [50, 0, -Math.PI / 2, Kind.jet],
  [35, 0, Math.PI / 2, Kind.jet],
];

test('the quantities of an event by hand', () => {
  const q = named(events(collision));
  expect([q.electrons, q.muons, q.jets]).toEqual([2, 1, 2]);
  expect(q['electron-sum-pt']).toBeCloseTo(50, 4);
  expect(q['electron-pt']).toBeCloseTo(30, 4);
  expect([q['muon-sum-pt'], q['muon-pt']].map(Math.round)).toEqual([25, 25]);
  expect(q.ht).toBeCloseTo(85, 4);
  expect(q['jet-pt']).toBeCloseTo(50, 4);
  expect(q.met).toBeCloseTo(40, 4);
  // back to back in phi: m^2 = 2 pT1 pT2 (1 + cosh 0)
  expect(q['jet-mass']).toBeCloseTo(2 * Math.sqrt(50 * 35), 3);
  // leptons: p = (35, 0, 30 sinh 1 - 20 sinh 1), E = 50 cosh 1 + 25
  const energy = 50 * Math.cosh(1) + 25;
  const z = 10 * Math.sinh(1);
  expect(q['lepton-mass']).toBeCloseTo(Math.sqrt(energy ** 2 - 35 ** 2 - z ** 2), 3);
  expect(q.mass).toBeCloseTo(Math.sqrt((energy + 85) ** 2 - 35 ** 2 - 15 ** 2 - z ** 2), 3);
  // lepton sum of pT 35 along 0, MET 40 at right angles, jet sum of 15 along -pi/2
  expect(q['transverse-mass']).toBeCloseTo(Math.sqrt(2 * 35 * 40), 3);
  expect(q['lepton-met-angle']).toBeCloseTo(Math.PI / 2, 5);
  expect(q['lepton-jet-angle']).toBeCloseTo(Math.PI / 2, 5);
  expect(q['jet-met-angle']).toBeCloseTo(Math.PI, 5);
});

test('they do not change under a turn or a mirror image of the event', () => {
  const turned = collision.map(([pt, eta, phi, kind]): Object => [
    pt,
    -eta,
    Math.atan2(Math.sin(phi + 2), Math.cos(phi + 2)),
    kind,
  ]);
  const rows = eventQuantityRows(events(collision, turned));
  for (let i = 0; i < eventQuantityCount; i++) expect(rows[eventQuantityCount + i]).toBeCloseTo(rows[i], 5);
});

test('what an event lacks counts as 0', () => {
  const q = named(events([], [[30, 0.5, 0, Kind.muon]], [[20, 0, 0, Kind.met]]), 1);
  expect(q).toMatchObject({
    electrons: 0,
    muons: 1,
    'lepton-mass': 0,
    mass: 0,
    'transverse-mass': 0,
    'lepton-met-angle': 0,
  });
  expect(Object.values(named(events([])))).toEqual(Array.from({ length: eventQuantityCount }, () => 0));
});
