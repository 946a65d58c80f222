import { fileURLToPath } from 'node:url';
import { arrowProgram } from '../../../src/read/schema/arrow-worker.js';
import { type BranchInfo, type Column, missingIn } from '../../../src/read/schema/column-file.js';
import { openGrouped } from '../../../src/read/schema/grouped.js';
import { parquetProgram } from '../../../src/read/schema/parquet-worker.js';
import { python } from '../../support/python.js';
import { temporaryFolder } from '../craft.js';

const at = temporaryFolder();
const program = fileURLToPath(new URL('columns.py', import.meta.url));

interface Told {
  /** Values of each branch, or its lists, as text. */
  readonly branches: Record<string, (string | string[])[]>;
  readonly parquet: string[];
  /** Branches that the Parquet files do not have. */
  readonly wide: string[];
}
const told = JSON.parse(python(['-B', program, at('')]) ?? 'null') as Told | null;
const withArrow = told ? describe : describe.skip; // needs a Python that has pyarrow and numpy

/** What differs from Python's values, if anything. */
function difference(column: Column, { width = 1 }: BranchInfo, expected: (string | string[])[]): string | undefined {
  const { values, offsets } = column;
  for (const [r, want] of expected.entries()) {
    const own = offsets ? values.slice(offsets[r] * width, offsets[r + 1] * width) : values.slice(r, r + 1);
    const wanted = typeof want === 'string' ? [want] : want;
    const same = (text: string, i: number) =>
      typeof own[i] === 'bigint'
        ? text === (own[i] === missingIn(own) ? 'NaN' : String(own[i]))
        : Object.is(Number(text) + 0, own[i] + 0);
    if (own.length !== wanted.length || !wanted.every(same)) return `row ${r}: ${own.join()} for ${wanted.join()}`;
  }
  return undefined;
}

async function differences(file: string, kind: typeof parquetProgram, names: readonly string[], step: number) {
  const source = await openGrouped(at(file), kind, 'smaller groups');
  const found: string[] = [];
  try {
    expect(source.branches.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
    for (let from = 0; from < source.rows; from += step) {
      const to = Math.min(source.rows, from + step);
      const columns = await source.read(names, from, to);
      for (const branch of source.branches) {
        const column = columns.get(branch.name);
        const expected = told?.branches[branch.name].slice(from, to) ?? [];
        const what = column ? difference(column, branch, expected) : 'not read';
        if (what !== undefined) found.push(`${branch.name} from ${from}: ${what}`);
      }
    }
    return { rows: source.rows, found: found.slice(0, 3) };
  } finally {
    await source.close();
  }
}

withArrow('columns of every type, as pyarrow wrote them', () => {
  const names = Object.keys(told?.branches ?? {});

  test.each(told?.parquet ?? [''])('Parquet, %s', async way => {
    const own = names.filter(name => !told?.wide.includes(name));
    for (const step of [64, 1000])
      expect(await differences(`${way}.parquet`, parquetProgram, own, step)).toEqual({ rows: 300, found: [] });
  });

  test.each(['whole.arrow', 'batches.arrow', 'lz4.arrows', 'zstd.arrows'])('Arrow, %s', async file => {
    for (const step of [64, 1000])
      expect(await differences(file, arrowProgram, names, step)).toEqual({ rows: 300, found: [] });
  });
});
