import { type BranchInfo, type Column, missingIn } from './column-file.js';
import { describePlace } from './cuts.js';
import type { Place, Reference } from './schema.js';

/** Numbers at a place over some rows. */
export interface Part {
  readonly values: ArrayLike<number>;
  /** [rows + 1]; left out where every row has one number. */
  readonly offsets?: Int32Array | undefined;
}

/** Columns over some rows, and their numbers brought beside each other. */
export class Slab {
  /** What is wrong with the lists of a row, by its place in the slab. */
  readonly broken = new Map<number, string>();

  constructor(
    private readonly columns: ReadonlyMap<string, Column>,
    private readonly branches: ReadonlyMap<string, BranchInfo>,
    readonly rows: number,
  ) {}

  private column(name: string): Column {
    const column = this.columns.get(name);
    if (!column) throw new Error(`branch ${name} was not read`);
    return column;
  }

  part(place: Place): Part {
    const { values, offsets } = this.column(place.branch);
    const { width, length, list } = this.branches.get(place.branch) ?? { list: false };
    const { column } = place;
    if (width !== undefined && column !== undefined) return { values: every(values, width, column), offsets };
    if (list && length !== undefined && column !== undefined) return { values: every(values, length, column) };
    const numbers = values instanceof BigInt64Array || values instanceof BigUint64Array ? toFloat64(values) : values;
    return { values: numbers, offsets };
  }

  /** The integers of a branch of one number a row, exactly; undefined where one is missing. */
  integers({ branch, column = 0 }: Place): (row: number) => bigint | undefined {
    const { values } = this.column(branch);
    const width = values.length / this.rows;
    const missing = missingIn(values);
    return row => {
      const value = values[row * width + column];
      return Object.is(value, missing) ? undefined : BigInt(value);
    };
  }

  /** The numbers at `place` for each object whose list is `like`; a number of a row goes to all of its objects. */
  align(place: Place, like: Part, name: string): ArrayLike<number> {
    const part = this.part(place);
    const { offsets } = like;
    if (!offsets) return part.values;
    if (part.offsets && sameOffsets(part.offsets, offsets)) return part.values;
    const out = new Float64Array(offsets[this.rows]);
    for (let r = 0; r < this.rows; r++) {
      const [from, to] = [offsets[r], offsets[r + 1]];
      if (!part.offsets) out.fill(part.values[r], from, to);
      else {
        const [first, entries] = [part.offsets[r], part.offsets[r + 1] - part.offsets[r]];
        if (entries === to - from) for (let k = 0; k < entries; k++) out[from + k] = part.values[first + k];
        else if (!this.broken.has(r))
          this.broken.set(r, `${name}: ${describePlace(place)} has ${entries} entries, its pt ${to - from}`);
      }
    }
    return out;
  }

  /** A reference's numbers, times and minus what it says. */
  evaluate(reference: Reference, like: Part, name: string): ArrayLike<number> {
    const { times, minus } = reference;
    const values = this.align(reference, like, name);
    if (times === undefined && minus === undefined) return values;
    const other = (one: Place | number | undefined) =>
      typeof one === 'object' ? this.align(one, like, name) : undefined;
    const [factor, term] = [other(times), other(minus)];
    const [constantFactor, constantTerm] = [Number(times ?? 1), Number(minus ?? 0)];
    const out = new Float64Array(values.length);
    for (let i = 0; i < out.length; i++)
      out[i] = values[i] * (factor ? factor[i] : constantFactor) - (term ? term[i] : constantTerm);
    return out;
  }
}

function every(values: Column['values'], width: number, column: number): Float64Array {
  const out = new Float64Array(values.length / width);
  for (let i = 0; i < out.length; i++) out[i] = Number(values[i * width + column]);
  return out;
}

function toFloat64(values: BigInt64Array | BigUint64Array): Float64Array {
  const out = new Float64Array(values.length);
  const missing = missingIn(values);
  for (let i = 0; i < out.length; i++) out[i] = values[i] === missing ? NaN : Number(values[i]);
  return out;
}

function sameOffsets(a: Int32Array, b: Int32Array): boolean {
  if (a === b) return true;
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
