import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { AnomalyClrError } from '../../../src/errors.js';
import { openEvents } from '../../../src/read/index.js';
import { temporaryFolder } from '../craft.js';
import { expected, files, fixture, plain } from './fixtures.js';

const at = temporaryFolder();
/** Damaged files of each format; more where the environment says so. */
const runs = Number(process.env['ANOMALYCLR_FUZZ_RUNS'] ?? 25);

const fraction = fc.noBias(fc.nat(2 ** 20 - 1)).map(n => n / 2 ** 20);
/** What describes a file lies at its beginning or end and breaks in more ways than data. */
const place = fc.oneof(
  fraction,
  fraction.map(x => x / 20),
  fraction.map(x => 1 - x / 8),
);
const damage = fc.record({
  keep: fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fraction }),
  flips: fc.array(fc.record({ place, byte: fc.oneof(fc.nat(255), fc.constantFrom(0, 127, 128, 255)) }), {
    minLength: 1,
    maxLength: 4,
  }),
});

const tried = [
  'flat.parquet',
  'records.parquet',
  'lz4.feather',
  'stream.arrows',
  'stored.npz',
  'packed.npz',
  'lists.h5',
];

test.each(files.filter(({ file }) => tried.includes(file)))(
  '$file, damaged, is read or refused in one line, and the next file is read right',
  async ({ file, schema: schemaOf, holds }) => {
    const schema = await schemaOf();
    const valid = readFileSync(fixture(file));
    const damaged = at(`damaged${path.extname(file)}`);
    const outcomes = { read: 0, refused: 0 };
    const read = async (name: string) => {
      const source = await openEvents(name, { schema });
      try {
        return await source.read(0, source.events);
      } finally {
        await source.close();
      }
    };
    await fc.assert(
      fc.asyncProperty(damage, async ({ keep, flips }) => {
        const bytes = Buffer.from(valid.subarray(0, Math.floor(keep * valid.length)));
        for (const { place, byte } of flips)
          if (bytes.length > 0) bytes[Math.min(bytes.length - 1, Math.floor(place * bytes.length))] = byte;
        writeFileSync(damaged, bytes);
        try {
          const { batch } = await read(damaged);
          outcomes.read += 1;
          expect(batch.pt.every(pt => pt >= 0 && pt < 14000)).toBe(true);
          expect(batch.eta.every(eta => Math.abs(eta) <= 10)).toBe(true);
          expect(batch.phi.every(phi => Math.abs(phi) <= Math.fround(Math.PI))).toBe(true);
        } catch (error) {
          if (!(error instanceof AnomalyClrError)) throw error;
          outcomes.refused += 1;
          expect(error.message.startsWith(damaged)).toBe(true);
          expect(error.message).not.toContain('\n');
        }
      }),
      { numRuns: runs, seed: 8 },
    );
    expect(plain((await read(fixture(file))).batch)).toEqual(expected[holds]);
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(runs / 20);
  },
  600_000,
);
