import type { Column } from './column-file.js';
import { arrayOf, type Layout, vectorHeader } from './root-branches.js';

/** One basket as the thread unpacks it. */
export interface RawBasket {
  /** The numbers of its rows, then (in most) where rows begin. */
  readonly bytes: Uint8Array;
  /** Length of the key before `bytes`; places of rows count from the key's beginning. */
  readonly key: number;
  /** Where the numbers end. */
  readonly last: number;
  readonly rows: number;
  /** Where rows begin, if that is not in `bytes`. */
  readonly offsets: Int32Array | null;
}

/** The rows `from` to `to - 1` of one branch. */
export interface Basket {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
  /** Where each row begins in `bytes`, and the last ends. [rows + 1] */
  readonly starts: Int32Array;
}

/**
 * Finds the rows of a basket.
 *
 * @param lengths - entries of each row as a counter tells them; asked where the basket does not tell where rows begin
 * @throws Error in a few words where basket and branch do not agree
 */
export async function openBasket(
  raw: RawBasket,
  from: number,
  layout: Layout,
  lengths: () => Promise<ArrayLike<number | bigint>>,
): Promise<Basket> {
  const { bytes, rows } = raw;
  const end = raw.last - raw.key;
  if (!(end >= 0 && end <= bytes.length)) throw new Error('its numbers end beyond it');
  const starts = new Int32Array(rows + 1);
  const told = layout.list ? (raw.offsets ?? placesAfter(bytes, end)) : undefined;
  if (told) {
    if (told.length < rows) throw new Error(`it tells where ${told.length} rows begin, of ${rows}`);
    for (let r = 0; r < rows; r++) starts[r] = told[r] - raw.key;
    starts[rows] = end;
  } else {
    const entries = layout.list ? await lengths() : undefined;
    for (let r = 0; r < rows; r++)
      starts[r + 1] = starts[r] + layout.header + Number(entries?.[r] ?? 1) * layout.width * layout.bytes;
  }
  if (starts[0] !== 0 || starts[rows] !== end) throw new Error(`it has ${end} bytes, expected ${starts[rows]}`);
  checkRows(bytes, from, starts, layout);
  return { from, to: from + rows, bytes, starts };
}

/** Where rows begin, as it stands after the numbers of a basket: how many places, then each, in 4 bytes. */
function placesAfter(bytes: Uint8Array, end: number): Int32Array | undefined {
  if (bytes.length - end < 4) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + end);
  const count = view.getInt32(0);
  if (!(count >= 0 && count * 4 + 4 <= view.byteLength)) throw new Error('its places of rows are cut short');
  const from = end + 4;
  return new Int32Array(littleEndian(bytes.slice(from, from + count * 4), 4));
}

/** Every row has whole entries, and a std::vector as many as it says. */
function checkRows(bytes: Uint8Array, from: number, starts: Int32Array, { header, width, bytes: size }: Layout): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let r = 0; r + 1 < starts.length; r++) {
    const length = starts[r + 1] - starts[r] - header;
    if (!(length >= 0 && length % (size * width) === 0)) throw new Error(`row ${from + r} is not whole`);
    if (header === vectorHeader && view.getUint32(starts[r] + 6) * size !== length)
      throw new Error(`the vector of row ${from + r} is not as long as it says`);
  }
}

/** The rows `from` to `to - 1` of a branch out of baskets that hold them, in order. */
export function columnOf(baskets: readonly Basket[], layout: Layout, from: number, to: number): Column {
  const { header, width, bytes: size } = layout;
  const parts = baskets.map(basket => {
    const [first, end] = [Math.max(from, basket.from), Math.min(to, basket.to)].map(row => row - basket.from);
    return { ...basket, first, end, length: basket.starts[end] - basket.starts[first] - header * (end - first) };
  });
  const packed = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  const offsets = new Int32Array(to - from + 1);
  let [at, row] = [0, 0];
  for (const { bytes, starts, first, end, length } of parts) {
    if (header === 0) packed.set(bytes.subarray(starts[first], starts[end]), at);
    let place = at;
    for (let r = first; r < end; r++) {
      if (header > 0) packed.set(bytes.subarray(starts[r] + header, starts[r + 1]), place);
      place += starts[r + 1] - starts[r] - header;
      offsets[++row] = place;
    }
    at += length;
  }
  const values = new arrayOf[layout.type](littleEndian(packed, size));
  if (layout.list) {
    const entry = size * width;
    return { values, offsets: offsets.map(place => place / entry) };
  }
  return width > 1 ? { values, offsets: offsets.map((_, r) => r * width) } : { values };
}

/** Numbers of `size` bytes, swapped in place. */
function littleEndian(packed: Uint8Array<ArrayBuffer>, size: number): ArrayBuffer {
  const swapped = Buffer.from(packed.buffer);
  if (size === 2) swapped.swap16();
  if (size === 4) swapped.swap32();
  if (size === 8) swapped.swap64();
  return packed.buffer;
}
