import { shuffle } from '../../src/events/philox.js';
import { BlockShuffle, type Stretches } from '../../src/train/blocks.js';

/** A list 0, 1, 2 .. in stretches of `counts`; a block is its numbers. `loads` sees what is read. */
function list(counts: number[], loads: number[][] = []): Stretches<Int32Array> {
  const first = [0];
  for (const count of counts) first.push(first.at(-1)! + count);
  return {
    counts: Int32Array.from(counts),
    load: stretches => {
      loads.push([...stretches]);
      const numbers = [...stretches].flatMap(s => Array.from({ length: counts[s] }, (_, i) => first[s] + i));
      return Promise.resolve(Int32Array.from(numbers));
    },
  };
}

async function batchesOf(blocks: BlockShuffle<Int32Array>, epoch: number, batch: number, from = 0) {
  const batches: number[][] = [];
  for await (const parts of blocks.batches(epoch, batch, from))
    batches.push(parts.flatMap(({ block, index }) => [...index].map(i => block[i])));
  return batches;
}

const uneven = Array.from({ length: 23 }, (_, s) => 40 + ((s * 7) % 30));
const total = uneven.reduce((a, b) => a + b, 0);

test.each([1, 4, 23, 100])('%i stretches a block: every item once an epoch, in whole batches', async perBlock => {
  const blocks = new BlockShuffle(list(uneven), 3, perBlock);
  expect([blocks.items, blocks.blocks]).toEqual([total, Math.max(1, Math.ceil(23 / perBlock))]);
  for (const epoch of [0, 1]) {
    const batches = await batchesOf(blocks, epoch, 64);
    expect(batches.map(one => one.length)).toEqual([
      ...Array.from({ length: Math.floor(total / 64) }, () => 64),
      total % 64,
    ]);
    expect(batches.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, i) => i));
  }
});

test('one block is the plain shuffle, and is read once for all epochs', async () => {
  const loads: number[][] = [];
  const blocks = new BlockShuffle(list(uneven, loads), 3, 23);
  for (const epoch of [0, 5])
    expect((await batchesOf(blocks, epoch, 64)).flat()).toEqual([...shuffle(total, 3, epoch)]);
  expect(loads).toHaveLength(1);
});

test('what goes on in the middle is as if it had begun at the beginning', async () => {
  const blocks = new BlockShuffle(list(uneven), 9, 5);
  const whole = await batchesOf(blocks, 2, 32);
  for (const done of [0, 1, 7, 8, 20, whole.length - 1, whole.length])
    expect(await batchesOf(new BlockShuffle(list(uneven), 9, 5), 2, 32, done * 32)).toEqual(whole.slice(done));
});

test('reads forward, each stretch once an epoch, other ones together each time, and never more than two blocks ahead', async () => {
  const loads: number[][] = [];
  const blocks = new BlockShuffle(list(uneven, loads), 9, 5);
  let most = 0;
  for await (const _ of blocks.batches(0, 8)) most = Math.max(most, loads.length);
  expect(most).toBe(5);
  const first = blocks.batches(1, 8);
  await first.next();
  expect(loads).toHaveLength(7); // the block in use and the next
  await first.return();
  const epoch = loads.slice(0, 5);
  for (const stretches of epoch) expect(stretches).toEqual(stretches.toSorted((a, b) => a - b));
  expect(epoch.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 23 }, (_, i) => i));
  expect(loads.slice(5, 7)).not.toEqual(epoch.slice(0, 2));
});

test('a failed read ends the epoch where its block is due', async () => {
  const source = list(uneven);
  let reads = 0;
  const failing = {
    ...source,
    load: (s: Int32Array) => (++reads === 3 ? Promise.reject(new Error('gone')) : source.load(s)),
  };
  const blocks = new BlockShuffle(failing, 9, 5);
  const seen: number[] = [];
  await expect(
    (async () => {
      for await (const parts of blocks.batches(0, 64)) seen.push(parts.length);
    })(),
  ).rejects.toThrow('gone');
  expect(seen.length).toBeGreaterThan(3);
});

describe('a list in order of processes', () => {
  // 200 stretches of 500; the first 30 % are of one process
  const stretches = 200;
  const perStretch = 500;
  const share = 0.3;
  const items = stretches * perStretch;
  const counts = Array.from({ length: stretches }, () => perStretch);
  /** Of each batch of 500: how many are of that process. */
  async function found(perBlock: number): Promise<number[]> {
    const ours: number[] = [];
    for (let epoch = 0; epoch < 10; epoch++)
      for (const one of await batchesOf(new BlockShuffle(list(counts), 1, perBlock), epoch, 500))
        ours.push(one.filter(i => i < share * items).length / 500);
    return ours;
  }
  const variance = (values: number[]): number => values.reduce((s, v) => s + (v - share) ** 2, 0) / values.length;

  test.each([
    [200, 0],
    [50, 1 / 50 - 1 / 200],
    [20, 1 / 20 - 1 / 200],
  ])('%i stretches a block: batches vary as the formula says', async (perBlock, more) => {
    const pq = share * (1 - share);
    // of a batch drawn at random, and of the block's own share
    const expected = pq / 500 + pq * more;
    const got = variance(await found(perBlock));
    // blocks are few: 10 epochs of 1, 4 or 10
    expect(got / expected).toBeGreaterThan(0.6);
    expect(got / expected).toBeLessThan(1.6);
  });

  test('neighbours in the list are in one batch no more often than block-mates are', async () => {
    const together = async (perBlock: number): Promise<number> => {
      const batches = await batchesOf(new BlockShuffle(list(counts), 1, perBlock), 0, 500);
      const batchOf = new Int32Array(items);
      batches.forEach((batch, b) => batch.forEach(i => (batchOf[i] = b)));
      let same = 0;
      for (let i = 0; i + 1 < items; i++) same += Number(batchOf[i] === batchOf[i + 1]);
      return same / items;
    };
    // in a block of n items two of them share a batch with probability 500 / n
    expect((await together(200)) / (500 / items)).toBeCloseTo(1, 0);
    expect((await together(20)) / (500 / (items / 10))).toBeCloseTo(1, 0);
  });
});
