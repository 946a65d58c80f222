/** Numbers of a branch. What cannot be told exactly, an int64 above 2^53 say, comes as bigint. */
export type Numbers =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/**
 * What stands for a missing value: NaN, or in 64-bit integers their lowest (signed) or highest value. As float64, which has
 * NaN, the others would be rounded, and not in all rows: only where a reading comes across a gap.
 */
export const missingIn = (values: Numbers): number | bigint =>
  values instanceof BigInt64Array ? -(2n ** 63n) : values instanceof BigUint64Array ? 2n ** 64n - 1n : NaN;

/** The same for the programs of library threads. */
export const missingSource = `
const missingIn = (values) =>
  values instanceof BigInt64Array ? -(2n ** 63n) : values instanceof BigUint64Array ? 2n ** 64n - 1n : NaN;
const bearsGaps = (values) => values instanceof Float64Array || typeof missingIn(values) === 'bigint';
`;

/**
 * One branch over some rows: flat values, and for a branch with a list per row where each row's begins. A table has
 * `width` values for each entry, one after the other.
 */
export interface Column {
  readonly values: Numbers;
  /** [rows + 1], from 0, in entries; left out where every row has one entry. */
  readonly offsets?: Int32Array;
}

/** What a branch says of itself. */
export interface BranchInfo {
  readonly name: string;
  /** Such as `float32`, `bool`, `int64`; for messages and `inspect`. */
  readonly type: string;
  /** A list per row, of a length of its own or of `length`. */
  readonly list: boolean;
  /** Entries of each row's list, where all are known to have as many. */
  readonly length?: number;
  /** For a table [rows, length, width] such as JetNet's particle features: how many numbers each object has. */
  readonly width?: number;
}

/**
 * An open file of named branches: a ROOT tree, an HDF5 group, a Parquet or Arrow table, an .npz archive. A new container
 * is a file that makes one of these; what its branches mean is told by a schema alone.
 */
export interface ColumnFile {
  readonly rows: number;
  readonly branches: readonly BranchInfo[];
  /** Rows that are cheap to read together, as in EventFile. */
  readonly stride: number;
  /** The branches `names` over the rows `from` to `to - 1`. Whatever is wrong, it throws AnomalyClrError only. */
  read(names: readonly string[], from: number, to: number): Promise<ReadonlyMap<string, Column>>;
  close(): Promise<void>;
}
