import { cutNames, cuts, cutScores } from '../../src/evaluate/cuts.js';
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
  expect(Object.keys(scores)).toEqual(cutNames);
  expect(cutNames).toEqual(Object.keys(cuts));
});
