import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { packageRoot } from '../../src/addon.js';
import { AnomalyClrError } from '../../src/errors.js';
import { loadSchema } from '../../src/read/schema/schema.js';
import { readAll } from '../../src/read/index.js';
import { openRoot } from '../../src/read/schema/root.js';
import { expectSame, temporaryFolder } from './craft.js';

const at = temporaryFolder();
const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/ttree/${name}`, import.meta.url));

const example = path.join(packageRoot(), 'sample', 'nanoaod.root');

/** A file in each compression, one of ROOT itself, and the example; with the tree in each. */
const valid = [
  ...['none', 'zlib', 'lz4', 'zstd', 'lzma'].map(name => [fixture(`${name}.root`), 'Events']),
  [fixture('root-written/uproot-small-evnt-tree-fullsplit.root'), 'tree'],
  [example, 'Events'],
].map(([file, tree]) => ({ bytes: readFileSync(file), tree }));

const fraction = fc.noBias(fc.nat(2 ** 20 - 1)).map(n => n / 2 ** 20);
/** Keys and the description of branches lie at both ends and break in more ways than numbers. */
const place = fc.oneof(
  fraction,
  fraction.map(x => x / 50),
  fraction.map(x => 1 - x / 2),
);
const mask = fc.oneof(
  fc.nat(7).map(bit => 1 << bit),
  fc.integer({ min: 1, max: 255 }),
);
const damage = fc.record({
  base: fc.nat(valid.length - 1),
  keep: fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fraction }),
  flips: fc.array(fc.record({ place, mask }), { maxLength: 6 }),
});

/** All branches that can be read, over all rows and over some. */
async function readAllOf(file: string, tree: string): Promise<void> {
  const columns = await openRoot(file, tree);
  try {
    for (const { name } of columns.branches)
      for (const [from, to] of [
        [0, columns.rows],
        [columns.rows >> 1, (columns.rows >> 1) + 1],
      ])
        if (to <= columns.rows) await columns.read([name], from, to).catch((error: unknown) => refused(file, error));
  } finally {
    await columns.close();
  }
}

/** An error that says of which file, in one line. */
function refused(file: string, error: unknown): void {
  if (!(error instanceof AnomalyClrError)) throw error;
  expect(error.message.startsWith(file)).toBe(true);
  expect(error.message).not.toContain('\n');
}

test('damaged ROOT files are read or refused, never worse, and the next file is read right', async () => {
  const schema = await loadSchema('nanoaod');
  const reading = { onBadEvent: 'fail', ...(schema ? { schema } : {}) } as const;
  const { batch: good } = await readAll([example], reading);
  const outcomes = { read: 0, refused: 0 };
  let run = 0;
  await fc.assert(
    fc.asyncProperty(damage, async ({ base, keep, flips }) => {
      const { bytes: whole, tree } = valid[base];
      const bytes = Buffer.from(whole.subarray(0, Math.floor(keep * whole.length)));
      for (const { place, mask } of flips) if (bytes.length > 0) bytes[Math.floor(place * bytes.length)] ^= mask;
      const file = at('damaged.root');
      writeFileSync(file, bytes);
      try {
        await readAllOf(file, tree);
        if (base === valid.length - 1) await readAll([file], { ...reading, onBadEvent: 'skip' });
        outcomes.read += 1;
      } catch (error) {
        refused(file, error);
        outcomes.refused += 1;
      }
      run += 1;
      if (run % 30 === 0) expectSame((await readAll([example], reading)).batch, good);
    }),
    { numRuns: 120, seed: 21 },
  );
  // Both ends are met, so the test is not idle.
  expect(outcomes.read).toBeGreaterThan(20);
  expect(outcomes.refused).toBeGreaterThan(20);
}, 600_000);
