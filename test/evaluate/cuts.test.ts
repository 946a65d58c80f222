import { cutNames, cutScores } from '../../src/evaluate/cuts.js';
import { dataKinds } from '../../src/events/data-kinds.js';
import { EventBatchBuilder } from '../../src/events/event-batch.js';
import { Kind } from '../../src/events/objects.js';

test('cuts of a hand-made batch, an empty event among it', () => {
  const b = new EventBatchBuilder();
  b.addObject(80, 0, 1, Kind.met);
  b.addObject(30, 0.5, 0, Kind.electron);
  b.addObject(45, -0.5, 2, Kind.muon);
  b.addObject(40, 1, 3, Kind.jet);
  b.addObject(25, 2, -1, Kind.jet);
  b.endEvent(0);
  b.endEvent(1);
  b.addObject(10, 0, 1, Kind.met);
  b.endEvent(2);
  const scores = cutScores(b.build());
  expect(Array.from(scores['leading-pt'])).toEqual([45, 0, 0]);
  expect(Array.from(scores.ht)).toEqual([65, 0, 0]);
  expect(Array.from(scores.met)).toEqual([80, 0, 10]);
  expect(Array.from(scores.multiplicity)).toEqual([4, 0, 0]);
  expect(Object.keys(scores)).toEqual(Object.keys(dataKinds.event.cuts));
});

test('cuts of jets: the mass of two massless constituents is that of the textbook, an empty jet has 0', () => {
  const b = new EventBatchBuilder();
  b.addObject(300, 0.2, 0.1, Kind.constituent);
  b.addObject(100, -0.3, -0.2, Kind.constituent);
  b.endEvent(0);
  b.endEvent(1);
  b.addObject(50, 0.1, 0, Kind.constituent);
  b.endEvent(2);
  const { mass, ...scores } = cutScores(b.build(), 'jet');
  const expected = Math.sqrt(2 * 300 * 100 * (Math.cosh(0.5) - Math.cos(0.3)));
  expect(mass[0]).toBeCloseTo(expected, 3);
  expect(mass[1]).toBe(0);
  expect(mass[2]).toBeCloseTo(0, 3); // a single massless constituent
  expect(scores['mass-over-pt'][0]).toBeCloseTo(expected / 400, 6);
  expect(Array.from(scores.multiplicity)).toEqual([2, 0, 1]);
  expect(Array.from(scores['leading-fraction'])).toEqual([0.25, 0, 0]);
  expect(scores.width[0]).toBeCloseTo((300 * Math.hypot(0.2, 0.1) + 100 * Math.hypot(0.3, 0.2)) / 400, 6);
  expect(scores.width[1]).toBe(0);
});

test('every cut of every data kind is known by name', () => {
  const all = Object.values(dataKinds).flatMap(({ cuts }) => Object.keys(cuts));
  expect([...cutNames].sort()).toEqual([...new Set(all)].sort());
});
