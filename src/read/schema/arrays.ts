import { AnomalyClrError } from '../../errors.js';
import { show } from '../../files.js';
import type { BranchInfo, Column, Numbers } from './column-file.js';

/** An array of fixed shape as a branch: [rows], [rows, length] or [rows, length, width]. */
export function arrayBranch(name: string, type: string, shape: readonly number[]): BranchInfo {
  const [, length, width] = shape;
  if (shape.length < 1 || shape.length > 3) return { name, type: `an array of ${shape.length} axes`, list: false };
  if (width !== undefined) return { name, type, list: true, length, width };
  return length === undefined ? { name, type, list: false } : { name, type, list: true, length };
}

/** Values of rows of such an array, as a column. */
export function fixedColumn(values: Numbers, [, length]: readonly number[], rows: number): Column {
  if (length === undefined) return { values };
  return { values, offsets: Int32Array.from({ length: rows + 1 }, (_, r) => r * length) };
}

/**
 * Number of rows of arrays that lie beside each other: that of those in `wanted` that are there, which must agree.
 *
 * @throws AnomalyClrError naming two that do not
 */
export function rowsOf(
  file: string,
  shapes: ReadonlyMap<string, readonly number[]>,
  wanted: readonly string[],
): number {
  const known = wanted.filter(name => (shapes.get(name)?.length ?? 0) > 0);
  const rows = (name: string) => shapes.get(name)?.[0] ?? 0;
  const other = known.find(name => rows(name) !== rows(known[0]));
  if (other !== undefined)
    throw new AnomalyClrError(
      `${file}: ${show(known[0])} has ${rows(known[0])} rows and ${show(other)} ${rows(other)}; they must have as many`,
    );
  return known.length > 0 ? rows(known[0]) : 0;
}
