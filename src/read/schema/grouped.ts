import path from 'node:path';
import * as z from 'zod';
import { AnomalyClrError } from '../../errors.js';
import { explainIssue, oneLine, show } from '../../files.js';
import { statFile } from '../hdf5-reader.js';
import { LibraryThread, type LibraryProgram } from '../library-thread.js';
import type { BranchInfo, Column, ColumnFile, Numbers } from './column-file.js';

const count = z.int().min(0);
const isNumbers = (value: unknown) => ArrayBuffer.isView(value) && !(value instanceof DataView);
/** What a program tells of a file whose rows lie in groups: rows of each, and branches. Checked, as files may be damaged. */
const opened = z.object({
  groups: z.array(count),
  leaves: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      list: z.boolean(),
      length: count.optional(),
      width: count.optional(),
    }),
  ),
  texts: z.array(z.tuple([z.string(), z.string()])).default([]),
});
const columnsRead = z.record(
  z.string(),
  z.object({ values: z.custom<Numbers>(isNumbers), offsets: z.instanceof(Int32Array).optional() }),
);

/** Beyond any honest read of a small file, s; and of the bytes of a large one, over a slow network, per second. */
const patience = 15;
const slowest = 1e6;

/** Larger groups are kept unpacked and read from piece by piece. */
const maxStride = 65536;

/** One that may say something of itself. */
export interface GroupedFile extends ColumnFile {
  /** What stands beside its columns, by key. */
  readonly texts: ReadonlyMap<string, string>;
}

/**
 * A file whose rows lie in groups that are read as a whole (row groups of Parquet, record batches of Arrow), by a library
 * in a thread. The group read last is kept.
 *
 * @param hint - what to do about groups that are too large.
 */
export async function openGrouped(file: string, program: LibraryProgram, hint: string): Promise<GroupedFile> {
  const { size } = await statFile(file);
  const seconds = Math.round(patience + size / slowest);
  const thread = LibraryThread.take(program);
  const damage = (what: string) => (error: unknown) => {
    if (error instanceof AnomalyClrError) return Promise.reject(new AnomalyClrError(`${file}: ${error.message}`));
    const cause = error instanceof z.ZodError ? explainIssue(error.issues[0]) : oneLine((error as Error).message);
    const advice = /out of memory|memory limit/i.test(cause) ? hint : 'the file is damaged, copy or make it again';
    return Promise.reject(new AnomalyClrError(`${file}: ${what} (${cause}); ${advice}`));
  };
  try {
    const { groups, leaves, texts } = await thread
      .ask({ file: path.resolve(file) }, seconds)
      .then(answer => opened.parse(answer))
      .catch(damage('cannot be opened'));
    const load = async (group: number, names: readonly string[]) => {
      const columns = await thread
        .ask({ group, names }, seconds)
        .then(answer => columnsRead.parse(answer))
        .catch(damage(`rows from ${starts[group]} on cannot be read`));
      return new Map(Object.entries(columns));
    };
    const starts = [0];
    for (const [g, rows] of groups.entries()) starts.push(starts[g] + rows);
    const largest = groups.reduce((most, rows) => Math.max(most, rows), 1);
    const cache = new GroupCache(file, starts, leaves, load);
    return {
      rows: starts[groups.length],
      branches: leaves,
      texts: new Map(texts),
      stride: Math.min(maxStride, largest),
      read: (names, from, to) => cache.read(names, from, to),
      close: () => LibraryThread.release(thread),
    };
  } catch (error) {
    await LibraryThread.release(thread);
    throw error;
  }
}

type Columns = ReadonlyMap<string, Column>;

class GroupCache {
  private group = -1;
  private columns: Columns = new Map();

  /** @param starts - first row of each group, and the end of the last. */
  constructor(
    private readonly file: string,
    private readonly starts: readonly number[],
    private readonly branches: readonly BranchInfo[],
    private readonly load: (group: number, names: readonly string[]) => Promise<Columns>,
  ) {}

  async read(names: readonly string[], from: number, to: number): Promise<Columns> {
    const { starts } = this;
    const parts: Columns[] = [];
    for (let g = 0; g + 1 < starts.length; g++) {
      const [first, end] = [Math.max(from, starts[g]), Math.min(to, starts[g + 1])];
      if (first >= end) continue;
      const columns = await this.columnsOf(g, names);
      parts.push(new Map(names.map(name => [name, this.slice(columns, name, first - starts[g], end - starts[g])])));
    }
    if (parts.length === 1) return parts[0];
    return new Map(
      names.map(name => [
        name,
        join(
          parts.flatMap(part => part.get(name) ?? []),
          this.branch(name),
        ),
      ]),
    );
  }

  private async columnsOf(group: number, names: readonly string[]): Promise<Columns> {
    if (group !== this.group || names.some(name => !this.columns.has(name))) {
      this.columns = new Map(); // not two groups in memory
      this.columns = await this.load(group, names);
      this.group = group;
    }
    return this.columns;
  }

  private branch(name: string): BranchInfo {
    return this.branches.find(one => one.name === name) ?? { name, type: 'nothing', list: false };
  }

  private slice(columns: Columns, name: string, from: number, to: number): Column {
    const column = columns.get(name);
    const { width = 1 } = this.branch(name);
    const { values, offsets } = column ?? { values: new Float32Array() };
    if (!offsets) return { values: values.subarray(from * width, to * width) };
    const [first, end] = [offsets[from], offsets[to]];
    if (!(first >= 0 && end >= first && end * width <= values.length))
      throw new AnomalyClrError(`${this.file}: the lists of ${show(name)} do not fit together; the file is damaged`);
    const own = new Int32Array(to - from + 1);
    for (let r = 0; r < own.length; r++) own[r] = offsets[from + r] - first;
    return { values: values.subarray(first * width, end * width), offsets: own };
  }
}

/** Columns end to end. A group with gaps in its integers brings them as float64. */
function join(columns: readonly Column[], { list }: BranchInfo): Column {
  const [first] = columns;
  if (!first) return list ? { values: new Float32Array(), offsets: new Int32Array(1) } : { values: new Float32Array() };
  const alike = columns.every(({ values }) => values.constructor === first.values.constructor);
  const length = columns.reduce((sum, { values }) => sum + values.length, 0);
  const make = (alike ? first.values.constructor : Float64Array) as new (length: number) => Numbers;
  const values = new make(length);
  const offsets = first.offsets && [0];
  let at = 0;
  for (const column of columns) {
    values.set((alike ? column.values : Float64Array.from(column.values, Number)) as never, at);
    at += column.values.length;
    if (!offsets || !column.offsets) continue;
    const before = offsets[offsets.length - 1];
    for (const offset of column.offsets.subarray(1)) offsets.push(before + offset);
  }
  return { values, ...(offsets ? { offsets: Int32Array.from(offsets) } : {}) };
}
