import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../src/addon.js';
import { openEvents, readAll } from '../../src/read/index.js';
import { LibraryThread } from '../../src/read/library-thread.js';
import type { Column, ColumnFile } from '../../src/read/schema/column-file.js';
import { openRoot } from '../../src/read/schema/root.js';
import { rootProgram } from '../../src/read/schema/root-worker.js';
import { loadSchema } from '../../src/read/schema/schema.js';
import { sample } from '../support/cli.js';
import { python } from '../support/python.js';
import { expectSame, temporaryFolder } from './craft.js';

const at = temporaryFolder();
const fixtures = fileURLToPath(new URL('./fixtures/ttree/', import.meta.url));
const fixture = (name: string): string => path.join(fixtures, name);
const example = path.join(packageRoot(), 'sample', 'nanoaod.root');

/** What `make.py` says of a branch: type, how many numbers, and SHA-256 of them and of the entries of each row. */
interface Expected {
  readonly type: string;
  readonly numbers: number;
  readonly values: string;
  readonly entries: string | null;
}
type Trees = Readonly<Record<string, Readonly<Record<string, Expected>>>>;
const expected = JSON.parse(readFileSync(fixture('expected.json'), 'utf8')) as Record<string, Trees>;

const sha256 = ({ buffer, byteOffset, byteLength }: NodeJS.ArrayBufferView): string =>
  createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');

function contentOf(tree: ColumnFile, name: string, column: Column | undefined, listed: boolean): Expected {
  if (!column) throw new Error(`nothing of ${name}`);
  const { values, offsets } = column;
  const entries = offsets?.slice(1).map((end, r) => end - offsets[r]);
  return {
    type: tree.branches.find(branch => branch.name === name)?.type ?? '',
    numbers: values.length,
    values: sha256(values),
    entries: listed && entries ? sha256(entries) : null,
  };
}

/** `use` of an open tree, which is closed whatever comes. */
async function within<T>(file: string, name: string | undefined, use: (tree: ColumnFile) => Promise<T>): Promise<T> {
  const tree = await openRoot(file, name);
  try {
    return await use(tree);
  } finally {
    await tree.close();
  }
}

/** All that `trees` tells of a file is there. */
async function expectTrees(file: string, trees: Trees): Promise<number> {
  let branches = 0;
  for (const [name, wanted] of Object.entries(trees))
    await within(file, name, async tree => {
      const columns = await tree.read(Object.keys(wanted), 0, tree.rows);
      const found: Record<string, Expected> = {};
      for (const [branch, { entries, type }] of Object.entries(wanted)) {
        const content = contentOf(tree, branch, columns.get(branch), entries !== null);
        // ROOT says that a counter in a class is an Int_t, whatever uproot makes of it
        found[branch] = branch === 'N' ? { ...content, type } : content;
      }
      expect({ file, name, found }).toEqual({ file, name, found: wanted });
      branches += Object.keys(wanted).length;
    });
  return branches;
}

test.each(['none', 'zlib', 'lz4', 'zstd', 'lzma'])('what uproot reads, to the last bit: %s', async packed => {
  expect(await expectTrees(fixture(`${packed}.root`), expected['none.root'])).toBeGreaterThan(15);
});

test('trees in folders, trees without rows, and of a tree in two cycles the last', async () => {
  await expectTrees(fixture('trees.root'), expected['trees.root']);
  const rows: Record<string, number> = {};
  for (const name of ['Events', 'folder/inner', 'empty'])
    rows[name] = await within(fixture('trees.root'), name, async tree => tree.rows);
  expect(rows).toEqual({ Events: 5, 'folder/inner': 4, empty: 0 });
});

const byRoot = Object.keys(expected).filter(file => file.startsWith('root-written/'));
test.each(byRoot)('what ROOT itself wrote: %s', async file => {
  expect(await expectTrees(fixture(file), expected[file])).toBeGreaterThan(5);
});

test('every stretch of rows is the same stretch of the whole, in any order', async () => {
  await within(fixture('zlib.root'), undefined, async tree => {
    const names = ['flat_u8', 'flat_b1', 'fixed_f4', 'list_f8', 'list_b1'];
    const whole = await tree.read(names, 0, tree.rows);
    // baskets end at 60, 61 and 100
    for (const [from, to] of [
      [0, 1],
      [59, 62],
      [60, 61],
      [99, 100],
      [10, 95],
      [0, 60],
      [61, 61],
      [3, 100],
    ]) {
      const part = await tree.read(names, from, to);
      for (const name of names) {
        const [all, some] = [whole.get(name), part.get(name)];
        const [first, end] = all?.offsets ? [all.offsets[from], all.offsets[to]] : [from, to];
        const base = all?.offsets?.[from] ?? 0;
        expect(some?.values).toEqual(all?.values.slice(first, end));
        expect(some?.offsets).toEqual(all?.offsets?.slice(from, to + 1).map(offset => offset - base));
      }
    }
  });
});

test('integers beyond what a double tells apart are exact', async () => {
  await within(fixture('zlib.root'), undefined, async tree => {
    const columns = await tree.read(['flat_u8', 'flat_i8'], 0, tree.rows);
    expect([...(columns.get('flat_u8')?.values ?? [])]).toContain(2n ** 64n - 2n);
    expect([...(columns.get('flat_i8')?.values ?? [])]).toContain(-(2n ** 63n));
  });
});

describe('what cannot be read is refused in a line that says what to do', () => {
  test.each([
    [
      'a tree that is not there',
      'trees.root',
      'Nothing',
      /no tree "Nothing"; name one with "tree" in the schema \(trees: "Events", "empty"\)$/,
    ],
    ['what is no tree', 'trees.root', 'histogram', /"histogram" is a TH1D, not a tree; .*"Events"/],
    [
      'an RNTuple',
      'root-written/rntuple.root',
      'ntuple',
      /"ntuple" is an RNTuple, which cannot be read yet; write it as a TTree/,
    ],
  ])('%s', async (_, file, tree, message) => {
    await expect(openRoot(fixture(file), tree)).rejects.toThrow(message);
  });

  test('a branch of anything but numbers, and one that is not there', async () => {
    await within(fixture('root-written/uproot-small-flat-tree.root'), 'tree', async tree => {
      await expect(tree.read(['Str'], 0, 1)).rejects.toThrow(/branch "Str" holds TLeafC, not numbers that can be read/);
      await expect(tree.read(['Nix'], 0, 1)).rejects.toThrow(/tree "tree" has no branch "Nix"/);
      expect((await tree.read(['Int32'], 0, 2)).get('Int32')?.values).toHaveLength(2);
    });
  });

  test('a compression that nobody knows', async () => {
    const bytes = readFileSync(fixture('zlib.root'));
    for (let i = bytes.indexOf('ZL\x08'); i >= 0; i = bytes.indexOf('ZL\x08', i + 1)) bytes.write('QQ', i, 'latin1');
    writeFileSync(at('unknown.root'), bytes);
    await within(at('unknown.root'), undefined, async tree => {
      await expect(tree.read(['flat_f8'], 0, 1)).rejects.toThrow(
        /compression marked "QQ"\); write the file again with zlib/,
      );
    });
  });

  // the library that jsroot brings never comes to its end
  test('zstd that ends before its block does', async () => {
    const bytes = readFileSync(fixture('zstd.root'));
    const empty = Buffer.from('28b52ffd2000010000', 'hex');
    for (let i = bytes.indexOf('ZS\x01'); i >= 0; i = bytes.indexOf('ZS\x01', i + 1)) empty.copy(bytes, i + 9);
    writeFileSync(at('early.root'), bytes);
    await within(at('early.root'), undefined, async tree => {
      await expect(tree.read(['flat_f8'], 0, 1)).rejects.toThrow(
        /early.root: branch "flat_f8" cannot be read \(a block gave 0 bytes for \d+\); the file is damaged/,
      );
    });
  });

  test('a file that is not ROOT, for all its suffix, and ROOT without a schema', async () => {
    writeFileSync(at('text.root'), 'not a tree');
    await expect(openEvents(at('text.root'))).rejects.toThrow(/is not ROOT, for all its suffix/);
    await expect(openEvents(example)).rejects.toThrow(/needs --schema/);
  });
});

test.each(['new Array(2 ** 20)', 'new TBuffer().classStreamer()'])(
  'what a damaged file has the library make without end is bounded: %s',
  async make => {
    const module = at('library.mjs');
    writeFileSync(
      module,
      `export class TBuffer { classStreamer() {} readNdimArray() {} }
      export class FileProxy {}
      export const internals = {};
      export const openFile = () => { for (;;) ${make}; };`,
    );
    const thread = LibraryThread.take({ ...rootProgram, module, also: [module, 'zstddec'] });
    const answer = thread.ask({ file: fixture('zlib.root'), tree: 'Events' }, 60);
    await expect(answer).rejects.toThrow(/a list of \d+ after \d+/);
    await LibraryThread.release(thread);
  },
);

describe('the NanoAOD example', () => {
  test('gives back the events of the sample that it was made of', async () => {
    const schema = await loadSchema('nanoaod');
    const { batch } = await readAll([example], { onBadEvent: 'fail', ...(schema ? { schema } : {}) });
    const { batch: made } = await readAll([sample('background_test')], { onBadEvent: 'fail', maxEvents: batch.count });
    expect(batch.count).toBe(400);
    const { eventIds, ...rest } = batch;
    expectSame(rest, made);
    expect(eventIds?.every((id, e) => id === 2n ** 53n + 1n + 2n * BigInt(e))).toBe(true);
  });

  test('with a trigger asked for, gives those that fired it', async () => {
    const text = readFileSync(new URL('../../schemas/nanoaod.yaml', import.meta.url), 'utf8');
    writeFileSync(at('fired.yaml'), text.replace('where: []', 'where: [{ branch: HLT_IsoMu24, equals: true }]'));
    const schema = await loadSchema(at('fired.yaml'));
    const { batch } = await readAll([example], { onBadEvent: 'fail', ...(schema ? { schema } : {}) });
    expect([...batch.rows]).toEqual(Array.from({ length: 200 }, (_, e) => 2 * e));
  });
});

const program = `
import sys
sys.path.insert(0, sys.argv[1])
import make, numpy as np, json
rng = np.random.default_rng(int(sys.argv[2]))
with make.uproot.recreate(sys.argv[3], compression=make.uproot.ZSTD(3)) as file:
    make.write(file, "Events", (700, 1, 2300, 40), rng)
print(json.dumps(make.contents(sys.argv[3])))
`;
const hasUproot = python(['-B', '-c', 'import uproot, awkward']) !== undefined;
(hasUproot ? test : test.skip)('a file that uproot writes now', async () => {
  mkdirSync(at('live'), { recursive: true });
  const file = at('live/events.root');
  const told = python(['-B', '-c', program, fixtures, '11', file]);
  expect(existsSync(file)).toBe(true);
  expect(await expectTrees(file, JSON.parse(told ?? '{}') as Trees)).toBeGreaterThan(15);
});
