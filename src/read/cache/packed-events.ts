import type { EventBatch } from '../../events/event-batch.js';
import type { BadEvent, DecodedEvents } from '../event-file.js';
import { type PackedFile, type PackedRows, RowStatus } from './packed-file.js';

/** The rows `from` to `to - 1` of a packed copy, as the reader of its source gave them. */
export async function readPacked(file: PackedFile, from: number, to: number): Promise<DecodedEvents> {
  const { batchRows, hasEventIds } = file.header;
  const parts: DecodedEvents[] = [];
  for (let at = from; at < to;) {
    const index = Math.floor(at / batchRows);
    const first = index * batchRows;
    const end = Math.min(to, first + batchRows);
    parts.push(stretch(await file.batch(index), at - first, end - first, first));
    at = end;
  }
  return parts.length === 1 ? parts[0] : join(parts, hasEventIds);
}

/** Rows of one record batch, whose first is row `first` of the file: views of its columns if all are events. */
function stretch(columns: PackedRows, from: number, to: number, first: number): DecodedEvents {
  const { offsets, status, eventIds } = columns;
  const [begin, end] = [offsets[from], offsets[to]];
  const objects = {
    pt: columns.pt.subarray(begin, end),
    eta: columns.eta.subarray(begin, end),
    phi: columns.phi.subarray(begin, end),
    kind: columns.kind.subarray(begin, end),
  };
  if (status.subarray(from, to).every(one => one === RowStatus.event)) {
    const places = offsets.subarray(from, to + 1);
    const batch = {
      count: to - from,
      offsets: begin === 0 ? places : places.map(offset => offset - begin),
      ...objects,
      rows: counting(first + from, to - from),
    };
    return { batch: eventIds ? { ...batch, eventIds: eventIds.subarray(from, to) } : batch, problems: [] };
  }
  const good: number[] = [];
  const problems: BadEvent[] = [];
  for (let row = from; row < to; row++)
    if (status[row] === RowStatus.event) good.push(row);
    else if (status[row] === RowStatus.bad)
      problems.push({ message: columns.problem(row), row: first + row, eventId: eventIds?.[row] });
  const batch = {
    count: good.length,
    // a row that is no event has no objects
    offsets: Int32Array.from([...good.map(row => offsets[row] - begin), end - begin]),
    ...objects,
    rows: Int32Array.from(good, row => first + row),
  };
  const ids = eventIds && BigInt64Array.from(good.map(row => eventIds[row]));
  return { batch: ids ? { ...batch, eventIds: ids } : batch, problems };
}

function counting(from: number, count: number): Int32Array {
  const rows = new Int32Array(count);
  for (let i = 0; i < count; i++) rows[i] = from + i;
  return rows;
}

function join(parts: readonly DecodedEvents[], hasEventIds: boolean): DecodedEvents {
  const batches = parts.map(({ batch }) => batch);
  const count = batches.reduce((sum, batch) => sum + batch.count, 0);
  const objects = batches.reduce((sum, { pt }) => sum + pt.length, 0);
  const out = {
    count,
    offsets: new Int32Array(count + 1),
    pt: new Float32Array(objects),
    eta: new Float32Array(objects),
    phi: new Float32Array(objects),
    kind: new Uint8Array(objects),
    rows: new Int32Array(count),
    ...(hasEventIds ? { eventIds: new BigInt64Array(count) } : {}),
  } satisfies EventBatch;
  let [event, object] = [0, 0];
  for (const batch of batches) {
    for (const column of ['pt', 'eta', 'phi', 'kind'] as const) out[column].set(batch[column], object);
    out.rows.set(batch.rows, event);
    if (batch.eventIds) out.eventIds?.set(batch.eventIds, event);
    for (let e = 1; e <= batch.count; e++) out.offsets[event + e] = object + batch.offsets[e];
    event += batch.count;
    object += batch.pt.length;
  }
  return { batch: out, problems: parts.flatMap(({ problems }) => problems) };
}
