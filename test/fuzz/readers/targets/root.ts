import { openEvents } from '../../../../src/read/index.js';
import { openRoot } from '../../../../src/read/schema/root.js';
import { loadSchema } from '../../../../src/read/schema/schema.js';
import { readBase } from '../bases.js';
import { changed, Choices } from '../choices.js';
import { demand, nothingLeft, readThrough, scratchFile, tried } from '../oracle.js';

const nanoaod = await loadSchema('nanoaod');
const kinds = [
  { base: readBase('none.root'), tree: 'Events' },
  { base: readBase('nanoaod.root'), schema: nanoaod },
  { base: readBase('zlib.root'), tree: 'Events' },
  { base: readBase('lz4.root'), tree: 'Events' },
  { base: readBase('zstd.root'), tree: 'Events' },
  { base: readBase('lzma.root'), tree: 'Events' },
  { base: readBase('uproot-small-evnt-tree-fullsplit.root'), tree: 'tree' },
  { base: readBase('uproot-small-dy-nooffsets.root'), tree: 'tree' },
  { base: readBase('uproot-issue38a.root'), tree: 'ntupler/tree' },
  { base: readBase('uproot-small-flat-tree.root'), tree: 'tree' },
  { base: readBase('rntuple.root'), tree: 'Staff' },
];

/** Branches of a file that are read for one input. */
const some = 8;

/**
 * ROOT files: some of the branches, or by the schema of NanoAOD. Byte 0: which file and branches; with bit 7 the whole file
 * follows.
 */
export async function fuzz(data: Buffer): Promise<void> {
  const choices = new Choices(data);
  const kind = choices.byte();
  const { base, tree, schema } = kinds[(kind & 127) % kinds.length];
  const file = scratchFile('events.root', kind & 128 ? choices.rest() : changed(base, choices));
  if (schema) await readThrough(file, () => openEvents(file, { schema }));
  else await readBranches(file, tree ?? 'Events', Math.floor((kind & 127) / kinds.length) * some);
  nothingLeft();
}

/** Branches from the `first` on over all rows, one of them twice, and over a row in the middle. */
async function readBranches(file: string, tree: string, first: number): Promise<void> {
  const columns = await tried(() => openRoot(file, tree), file);
  if (!columns) return;
  const { rows, branches } = columns;
  const most = Math.min(rows, 4096);
  try {
    for (const { name, list, width = 1 } of branches.slice(first, first + some)) {
      const read = (from: number, to: number) =>
        tried(async () => (await columns.read([name], from, to)).get(name), file);
      const all = await read(0, most);
      if (!all) continue;
      const { values, offsets } = all;
      demand(Boolean(offsets) === list, `${name}: lists that are none`);
      demand(!offsets || (offsets.length === most + 1 && offsets[0] === 0), `${name}: other lists`);
      demand(offsets?.every((at, i) => i === 0 || at >= offsets[i - 1]) ?? true, `${name}: offsets that fall`);
      demand(values.length === (offsets ? offsets[most] : most) * width, `${name}: other values`);
      if (name === branches[first].name)
        demand(bytesOf(values).equals(bytesOf((await read(0, most))?.values)), `${name}: read twice, not the same`);
      await read(most >> 1, Math.min(most, (most >> 1) + 1));
    }
  } finally {
    await columns.close();
  }
}

const bytesOf = (view: ArrayBufferView | undefined): Buffer =>
  view ? Buffer.from(view.buffer, view.byteOffset, view.byteLength) : Buffer.from('missing');
