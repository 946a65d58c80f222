import { padEvents } from '../../src/bundle/pad.js';
import { EventBatchBuilder } from '../../src/events/event-batch.js';
import { Kind } from '../../src/events/objects.js';

function batchOf(...multiplicities: number[]) {
  const builder = new EventBatchBuilder();
  multiplicities.forEach((objects, e) => {
    for (let o = 0; o < objects; o++) builder.addObject(20 + o, o / 2, -o / 4, Kind.jet);
    builder.endEvent(100 + e);
  });
  return builder.build();
}

test('slots are as many as the largest event has, zeros where an event has fewer', () => {
  const { objects, events, slots } = padEvents(batchOf(1, 3, 0));
  expect([events, slots]).toEqual([3, 3]);
  expect(Array.from(objects.subarray(0, 12))).toEqual([20, 0, -0, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(Array.from(objects.subarray(12, 24))).toEqual([20, 0, -0, 4, 21, 0.5, -0.25, 4, 22, 1, -0.5, 4]);
  expect(Array.from(objects.subarray(24))).toEqual(Array.from({ length: 12 }, () => 0));
});

test('there is one slot at least, and an empty batch is empty', () => {
  expect(padEvents(batchOf(0))).toEqual({ objects: new Float32Array(4), events: 1, slots: 1 });
  expect(padEvents(batchOf())).toEqual({ objects: new Float32Array(0), events: 0, slots: 1 });
});

test('64 objects fit; an event of more is told by its row', () => {
  expect(padEvents(batchOf(64, 2)).slots).toBe(64);
  expect(() => padEvents(batchOf(2, 64, 65))).toThrow(/^event 102: has 65 objects, and a bundle takes at most 64; /);
});
