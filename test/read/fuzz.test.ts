import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { AnomalyClrError } from '../../src/errors.js';
import { readEvents, writeEvents } from '../../src/read/index.js';
import { collect, expectSame, paddedEvents, particles, temporaryFolder, writeRaw } from './craft.js';

const at = temporaryFolder();

/** Small valid files, one for each way of laying them out: headers with and without checksums, chunks or none. */
async function validFiles(): Promise<Buffer[]> {
  const EvtId = { data: BigInt64Array.from({ length: 40 }, (_, e) => BigInt(e)) };
  const values = Float32Array.from(paddedEvents(40));
  await writeRaw(at('plain.h5'), { Particles: particles(values), EvtId });
  await writeRaw(at('packed.h5'), { Particles: { ...particles(values), chunks: [7, 5, 4], gzip: 6 }, EvtId });
  await writeEvents(at('ours.h5'), readEvents(at('plain.h5'), { onBadEvent: 'fail' }));
  return ['plain.h5', 'packed.h5', 'ours.h5'].map(name => readFileSync(at(name)));
}

/** Even over [0, 1): fast-check's own leaning towards 0 would spend itself on the first byte. */
const fraction = fc.noBias(fc.nat(2 ** 20 - 1)).map(n => n / 2 ** 20);
/** Headers take little of a file and break in more ways than data, so half of the damage goes to its first fifth. */
const place = fc.oneof(
  fraction,
  fraction.map(x => x / 5),
);
const mask = fc.oneof(
  fc.nat(7).map(bit => 1 << bit),
  fc.integer({ min: 1, max: 255 }),
);
const damage = fc.record({
  base: fc.nat(2),
  keep: fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fraction }),
  flips: fc.array(fc.record({ place, mask }), { maxLength: 6 }),
});

test('damaged files are read or refused, never worse, and the next file is read right', async () => {
  const valid = await validFiles();
  const whole = (await collect(at('plain.h5'))).all;
  const outcomes = { read: 0, refused: 0 };
  let run = 0;
  await fc.assert(
    fc.asyncProperty(damage, async ({ base, keep, flips }) => {
      const bytes = Buffer.from(valid[base].subarray(0, Math.floor(keep * valid[base].length)));
      for (const { place, mask } of flips) if (bytes.length > 0) bytes[Math.floor(place * bytes.length)] ^= mask;
      writeFileSync(at('damaged.h5'), bytes);
      try {
        const { all } = await collect(at('damaged.h5'), { onBadEvent: 'skip' });
        outcomes.read += 1;
        expect(all.pt.every(pt => pt >= 0 && pt < 14000)).toBe(true);
      } catch (error) {
        if (!(error instanceof AnomalyClrError)) throw error;
        outcomes.refused += 1;
        expect(error.message.startsWith(at('damaged.h5'))).toBe(true);
        expect(error.message).not.toContain('\n');
      }
      run += 1;
      if (run % 20 === 0) expectSame((await collect(at('plain.h5'))).all, whole);
    }),
    { numRuns: 200, seed: 20 },
  );
  // Both ends are met, so the test is not idle.
  expect(outcomes.read).toBeGreaterThan(30);
  expect(outcomes.refused).toBeGreaterThan(60);
}, 600_000);
