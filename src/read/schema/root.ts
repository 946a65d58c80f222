import { open } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { AnomalyClrError, printable } from '../../errors.js';
import { show } from '../../files.js';
import type { EventFormat } from '../event-file.js';
import { statFile } from '../hdf5-reader.js';
import { LibraryThread } from '../library-thread.js';
import type { BranchInfo, Column, ColumnFile } from './column-file.js';
import { schemaEvents } from './events.js';
import { type Basket, columnOf, openBasket, type RawBasket } from './root-basket.js';
import { type Layout, type RootBranch, branchesOfTree, type TreeFacts, treeFacts } from './root-branches.js';
import { rootProgram } from './root-worker.js';

const signature = Buffer.from('root', 'latin1');
/** Clusters of more rows than this are not read at once to meet their boundaries: baskets are kept between reads. */
const maxStride = 65536;

const number = z.number().int().min(0);
/** Where the baskets of a branch lie. `seek` is -1 - k where the tree itself holds it as its k-th. */
const basketTable = z.object({
  first: z.array(number),
  seek: z.array(z.number().int()),
  bytes: z.array(number),
});
type BasketTable = z.output<typeof basketTable>;
const rawBasket = z.object({
  bytes: z.custom<Uint8Array>(value => ArrayBuffer.isView(value)),
  key: number,
  last: number,
  rows: number,
  offsets: z.custom<Int32Array>(value => ArrayBuffer.isView(value)).nullable(),
});

/** TTrees of ROOT files, such as CMS NanoAOD; what their branches mean is told by a schema. */
export const root: EventFormat = {
  name: 'ROOT',
  suffixes: ['.root'],
  matches: async file => {
    const handle = await open(file);
    try {
      const { buffer } = await handle.read(Buffer.alloc(signature.length), 0, signature.length, 0);
      return buffer.equals(signature);
    } finally {
      await handle.close();
    }
  },
  open: async (file, schema) => schemaEvents(file, await openRoot(file, schema?.table), schema),
};

interface ReadableBranch extends RootBranch {
  readonly layout: Layout;
}

/**
 * Opens a TTree of a ROOT file, such as `Events` of CMS NanoAOD: branches of numbers, of arrays with a counter or of fixed
 * length, and of std::vector of numbers. Of a tree in several cycles the last is taken. By jsroot.
 *
 * @param tree - its name, with folders before it where it lies in one
 */
export async function openRoot(file: string, tree = 'Events'): Promise<ColumnFile> {
  await statFile(file);
  const thread = LibraryThread.take(rootProgram);
  try {
    const answer = await thread
      .ask({ file: path.resolve(file), tree })
      .catch((error: unknown) => Promise.reject(damage(file, 'cannot be opened', error)));
    const told = treeFacts.safeParse(answer);
    if (!told.success) throw damage(file, `tree ${show(tree)} cannot be read`, 'what it says of itself makes no sense');
    return new RootTree(file, tree, thread, checkTree(file, tree, told.data));
  } catch (error) {
    await LibraryThread.release(thread);
    throw error;
  }
}

function damage(file: string, what: string, error: unknown): AnomalyClrError {
  const cause = printable((error instanceof Error ? error.message : String(error)).split('\n')[0]);
  const lacking = /^unsupported: (.*)/.exec(cause)?.[1];
  if (lacking !== undefined)
    return new AnomalyClrError(
      `${file}: ${what} (${lacking}); write the file again with zlib, LZ4 or ZSTD, by hadd -f505 say`,
    );
  return new AnomalyClrError(`${file}: ${what} (${cause}); the file is damaged, copy or make it again`);
}

type OpenTree = Required<Pick<TreeFacts, 'rows' | 'cluster' | 'branches'>>;

function checkTree(file: string, tree: string, facts: TreeFacts): OpenTree {
  const { keys, className, rows, cluster, branches } = facts;
  if (rows !== undefined && cluster !== undefined && branches) return { rows, cluster, branches };
  const trees = keys.filter(key => /^TTree$|^TNtupleD?$/.test(key.className)).map(key => show(key.name));
  const has = [...new Set(trees)].slice(0, 10).join(', ') || 'none at its top';
  if (className?.endsWith('RNTuple'))
    throw new AnomalyClrError(
      `${file}: ${show(tree)} is an RNTuple, which cannot be read yet; write it as a TTree, or name another tree (trees: ${has})`,
    );
  throw new AnomalyClrError(
    className
      ? `${file}: ${show(tree)} is a ${printable(className)}, not a tree; name one with "tree" in the schema (trees: ${has})`
      : `${file}: no tree ${show(tree)}; name one with "tree" in the schema (trees: ${has})`,
  );
}

/** An open tree. Each branch keeps the basket that it read last, since stretches end within baskets. */
class RootTree implements ColumnFile {
  readonly rows: number;
  readonly branches: readonly BranchInfo[];
  readonly stride: number;
  private readonly byName: ReadonlyMap<string, RootBranch>;
  private readonly tables = new Map<string, BasketTable>();
  private readonly kept = new Map<string, Basket>();
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly file: string,
    private readonly tree: string,
    private readonly thread: LibraryThread,
    { rows, cluster, branches }: OpenTree,
  ) {
    this.rows = rows;
    this.byName = branchesOfTree(branches);
    this.branches = [...this.byName.values()].map(({ info }) => info);
    // AutoFlush: rows of a cluster where above 0, else a size in bytes that tells nothing
    this.stride = cluster > 0 && cluster <= maxStride ? cluster : 1;
  }

  read(names: readonly string[], from: number, to: number): Promise<ReadonlyMap<string, Column>> {
    const turn = this.turn.then(() => this.readNow(names, from, to));
    this.turn = turn.catch(() => undefined);
    return turn;
  }

  private async readNow(names: readonly string[], from: number, to: number): Promise<ReadonlyMap<string, Column>> {
    const columns = new Map<string, Column>();
    const wanted = [...new Set(names)].map(name => this.readable(name));
    await this.readTables(wanted);
    for (const branch of wanted) columns.set(branch.info.name, await this.column(branch, from, to));
    return columns;
  }

  close(): Promise<void> {
    return LibraryThread.release(this.thread);
  }

  private readable(name: string): ReadableBranch {
    const branch = this.byName.get(name);
    if (!branch) throw new AnomalyClrError(`${this.file}: tree ${show(this.tree)} has no branch ${show(name)}`);
    const { layout } = branch;
    if (!layout)
      throw new AnomalyClrError(
        `${this.file}: branch ${show(name)} holds ${branch.info.type}, not numbers that can be read; use another or convert it`,
      );
    if (branch.rows !== this.rows) throw this.broken(name, `it has ${branch.rows} rows, its tree ${this.rows}`);
    return { ...branch, layout };
  }

  private broken(name: string, error: unknown): AnomalyClrError {
    return damage(this.file, `branch ${show(name)} cannot be read`, error);
  }

  private async readTables(branches: readonly RootBranch[]): Promise<void> {
    const missing = branches.filter(({ info }) => !this.tables.has(info.name));
    if (missing.length === 0) return;
    const answer = await this.thread
      .ask({ tables: missing.map(({ index }) => index) })
      .catch((error: unknown) => Promise.reject(this.broken(missing[0].info.name, error)));
    for (const [i, { info }] of missing.entries()) {
      const { name } = info;
      const table = basketTable.safeParse((answer as unknown[])[i]);
      const inOrder = table.data?.first.every(
        (row, k, all) => (k === 0 ? row === 0 : row >= all[k - 1]) && row <= this.rows,
      );
      if (!table.success || !inOrder) throw this.broken(name, 'its list of baskets makes no sense');
      this.tables.set(name, table.data);
    }
  }

  private async column(branch: ReadableBranch, from: number, to: number): Promise<Column> {
    return columnOf(from < to ? await this.baskets(branch, from, to) : [], branch.layout, from, to);
  }

  /** The baskets that hold the rows `from` to `to - 1`, in order. */
  private async baskets(branch: ReadableBranch, from: number, to: number): Promise<Basket[]> {
    const { index, info } = branch;
    const { name } = info;
    const { first, seek, bytes } = this.tables.get(name) ?? { first: [], seek: [], bytes: [] };
    const kept = this.kept.get(name);
    const found: Basket[] = [];
    const missing: { k: number; branch: number; seek: number; bytes: number }[] = [];
    let covered = 0;
    for (let k = lastAtMost(first, from); k < first.length && first[k] < to; k++) {
      covered = first[k + 1] ?? this.rows;
      if (covered <= from || covered === first[k]) continue;
      if (kept?.from === first[k]) found.push(kept);
      else missing.push({ k, branch: index, seek: seek[k], bytes: bytes[k] });
    }
    if (covered < to) throw this.broken(name, `its baskets end at row ${covered}`);
    if (missing.length > 0) {
      const answer = await this.thread
        .ask({ baskets: missing })
        .catch((error: unknown) => Promise.reject(this.broken(name, error)));
      for (const [i, { k }] of missing.entries())
        found.push(await this.open(branch, (answer as unknown[])[i], first[k], first[k + 1] ?? this.rows));
      found.sort((a, b) => a.from - b.from);
    }
    this.kept.set(name, found[found.length - 1]);
    return found;
  }

  private async open(branch: ReadableBranch, answer: unknown, from: number, to: number): Promise<Basket> {
    const { layout, info } = branch;
    const { name } = info;
    const raw = rawBasket.safeParse(answer);
    if (raw.data?.rows !== to - from)
      throw this.broken(name, `its basket at row ${from} is not one of ${to - from} rows`);
    return openBasket(raw.data satisfies RawBasket, from, layout, () => this.lengths(layout, from, to)).catch(
      (error: unknown) => Promise.reject(error instanceof AnomalyClrError ? error : this.broken(name, error)),
    );
  }

  /** Entries of each row as the counter of a branch tells them. */
  private async lengths({ counter }: Layout, from: number, to: number): Promise<ArrayLike<number | bigint>> {
    const branch = [...this.byName.values()].find(({ leaf, layout }) => leaf === counter && layout && !layout.list);
    if (counter === null || !branch) throw new Error('nothing tells where its rows begin');
    const { values } = (await this.readNow([branch.info.name], from, to)).get(branch.info.name) ?? {
      values: new Int32Array(),
    };
    return values;
  }
}

/** Index of the last of `rows`, which never fall, that is not above `row`; 0 if none. */
function lastAtMost(rows: readonly number[], row: number): number {
  let [low, high] = [0, rows.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (rows[middle] <= row) low = middle;
    else high = middle;
  }
  return low;
}
