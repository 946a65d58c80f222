import { type EventBatch, EventBatchBuilder, range, take } from '../../src/events/event-batch.js';

function batchOf(objects: readonly number[], withIds: boolean): EventBatch {
  const builder = new EventBatchBuilder();
  let at = 0;
  for (const [row, count] of objects.entries()) {
    for (let o = 0; o < count; o++, at++) builder.addObject(10 + at, at / 10, -at / 10, 1 + (at % 4));
    builder.endEvent(2 * row, withIds ? BigInt(row) << 40n : undefined);
  }
  return builder.build();
}

test.each([true, false])('a range is what take gives, event ids: %s', withIds => {
  const batch = batchOf([3, 0, 2, 1, 0, 4], withIds);
  for (let from = 0; from <= 6; from++)
    for (let to = from; to <= 6; to++)
      expect(range(batch, from, to)).toEqual(
        take(
          batch,
          Array.from({ length: to - from }, (_, i) => from + i),
        ),
      );
});
