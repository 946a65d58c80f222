import { EventBatchBuilder } from '../../src/events/event-batch.js';
import { codesOf, noKinds, sumCount, withSums } from '../../src/events/event-sums.js';
import { eventKindNames, Kind } from '../../src/events/objects.js';

const builder = new EventBatchBuilder();
builder.addObject(40, 0, 1, Kind.met);
builder.addObject(30, 0.1, 0, Kind.jet);
builder.addObject(25, -1, 2, Kind.electron);
builder.addObject(50, 2, -1, Kind.jet);
builder.endEvent(0);
builder.addObject(0, 0, 0, Kind.met); // balances
builder.addObject(200, 1, 0, Kind.muon);
builder.endEvent(1);
const events = builder.build();

test('numbers, largest pT and sums of the others stand behind rows, in the order of the kinds', () => {
  const codes = codesOf(eventKindNames);
  expect(sumCount(codes)).toBe(10);
  const first = [1, 0, 2, 0.4, 0.25, 0, 0.5, 0, 0, 0.3];
  const second = [0, 1, 0, 0, 0, 2, 0, 0, 0, 0];
  expect(withSums(Float64Array.of(7, 8, -7, -8), events, codes)).toEqual(
    Float64Array.of(7, 8, ...first, -7, -8, ...second),
  );
  expect(withSums(new Float32Array(0), events, codes)).toEqual(Float32Array.of(...first, ...second));
});

test('only the kinds asked for, in their order', () => {
  const codes = codesOf(['jet', 'met']);
  expect(withSums(new Float64Array(0), events, codes)).toEqual(Float64Array.of(2, 0.5, 0.4, 0.3, 0, 0, 0, 0));
});

test('no kinds give the rows themselves', () => {
  const rows = Float32Array.of(1, 2);
  expect(withSums(rows, events, noKinds)).toBe(rows);
  expect(sumCount(noKinds)).toBe(0);
});
