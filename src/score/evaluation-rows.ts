import { type Shard, shardRows } from '../config/shard.js';
import { type EventBatch, EventBatchBuilder, range } from '../events/event-batch.js';
import { readEvents, type ReadOptions } from '../read/index.js';

/**
 * Rows of a file that are scored together, counted from its first: the same ones in every process and however the file
 * is stored, since the last digit of a score may depend on what is computed beside it.
 */
export const stretchRows = 8192;

/** Rows [from, to) of a file; `file` is its place among all files of all samples. */
export interface RowsOfFile {
  readonly file: number;
  readonly from: number;
  readonly to: number;
}

/** The rows of a shard, file by file. Shards differ by at most one stretch. */
export function rowsOfShard(rows: readonly number[], shard: Shard): RowsOfFile[] {
  const stretches = rows.map(n => Math.ceil(n / stretchRows));
  const total = stretches.reduce((a, b) => a + b, 0);
  const { from, to } = shardRows(shard, total);
  const found: RowsOfFile[] = [];
  let before = 0;
  for (const [file, n] of stretches.entries()) {
    const [first, end] = [Math.max(from - before, 0), Math.min(to - before, n)];
    if (first < end) found.push({ file, from: first * stretchRows, to: Math.min(end * stretchRows, rows[file]) });
    before += n;
  }
  return found;
}

/**
 * The valid events of rows of a file, a stretch at a time, whatever rows the file has them in together.
 *
 * @param rows - `from` is a multiple of {@link stretchRows}
 */
export async function* readStretches(
  file: string,
  { from, to }: Pick<RowsOfFile, 'from' | 'to'>,
  options: Omit<ReadOptions, 'batch' | 'start' | 'end'>,
): AsyncGenerator<EventBatch, void, void> {
  let pieces: EventBatch[] = [];
  let current = -1;
  for await (const batch of readEvents(file, { ...options, batch: stretchRows, start: from, end: to }))
    for (let first = 0; first < batch.count;) {
      const stretch = Math.floor(batch.rows[first] / stretchRows);
      let end = first + 1;
      while (end < batch.count && batch.rows[end] < (stretch + 1) * stretchRows) end++;
      if (stretch !== current && pieces.length > 0) {
        yield joined(pieces);
        pieces = [];
      }
      current = stretch;
      pieces.push(range(batch, first, end));
      first = end;
    }
  if (pieces.length > 0) yield joined(pieces);
}

function joined(pieces: readonly EventBatch[]): EventBatch {
  if (pieces.length === 1) return pieces[0];
  const builder = new EventBatchBuilder();
  for (const piece of pieces) builder.addBatch(piece);
  return builder.build();
}
