import { loadAddon } from '../../src/addon.js';
import { dropoutKeep, dropoutScale, dropoutStream, dropoutThreshold } from '../../src/augment/dropout.js';
import { Draws } from '../../src/events/philox.js';

const addon = loadAddon();
const key = { seed: 7 + 3 * 2 ** 32, epoch: 2 ** 32 - 3, stream: dropoutStream(1, 2, 3) };
const ids = Uint32Array.of(0, 9, 9, 2 ** 32 - 1, 4, 5);
const counts = Int32Array.of(1, 0, 16, 4000, 37, 63);

test('the threshold of a rate, the factor of a threshold, the stream of a site', () => {
  expect([0, 0.1, 0.5, 0.999].map(dropoutThreshold)).toEqual([0, 26, 128, 255]);
  expect([0, 128].map(dropoutScale)).toEqual([1, 2]);
  expect(dropoutScale(26)).toBe(Math.fround(256 / 230));
  expect(dropoutStream(0, 0, 0)).toBe(0x20000000);
  expect(dropoutStream(2, 3, 1)).toBe(0x2200000d);
});

describe.each([0, 1, 26, 128, 255, 256])('threshold %i', threshold => {
  const got = dropoutKeep(key, ids, counts, threshold);

  test('each unit goes by its byte of the stream of its event', () => {
    const want: number[] = [];
    for (const [e, count] of counts.entries()) {
      const draws = new Draws(key.seed, key.epoch, ids[e], key.stream);
      let word = 0;
      for (let i = 0; i < count; i++) {
        if (i % 4 === 0) word = draws.next();
        want.push(((word >>> (8 * (i % 4))) & 0xff) >= threshold ? 1 : 0);
      }
    }
    expect([...got]).toEqual(want);
  });

  test('the addon says the same', () => {
    expect(got).toEqual(addon.dropoutKeep({ ...key, ids, counts, threshold }));
  });
});

test('no events, no units', () => {
  expect(dropoutKeep(key, [], [], 128)).toEqual(new Uint8Array(0));
});
