import { AnomalyClrError } from '../../errors.js';
import { show } from '../../files.js';
import { type DatasetInfo, Hdf5Reader } from '../hdf5-reader.js';
import type { BranchInfo, Column, ColumnFile } from './column-file.js';
import { arrayBranch, fixedColumn, rowsOf } from './arrays.js';

/** Largest stretch that is read at once to meet a chunk's boundary. */
const maxStrideBytes = 64 * 2 ** 20;

/**
 * The datasets of an HDF5 group as branches: [rows], [rows, length], [rows, length, width], or lists of variable length.
 *
 * @param group - left out, the root.
 * @param wanted - datasets that are to be read, which tell the number of rows; the others are only named.
 */
export async function openHdf5Columns(
  file: string,
  group: string | undefined,
  wanted: readonly string[],
): Promise<ColumnFile> {
  const reader = await Hdf5Reader.openGroup(file, group ?? '/', wanted);
  try {
    const shapes = reader.datasetNames.map((name): [string, readonly number[]] => [
      name,
      reader.dataset(name)?.shape ?? [],
    ]);
    const rows = rowsOf(file, new Map(shapes), wanted);
    const branches = reader.datasetNames.map(name => branchOf(name, reader.dataset(name)));
    return {
      rows,
      branches,
      stride: strideOf(wanted.flatMap(name => reader.dataset(name) ?? [])),
      async read(names, from, to) {
        const columns = new Map<string, Column>();
        for (const name of names) columns.set(name, await readColumn(file, reader, name, from, to));
        return columns;
      },
      close: () => reader.close(),
    };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

function branchOf(name: string, info: DatasetInfo | undefined): BranchInfo {
  const type = info && info.type !== 'other' ? info.type : 'text, records or float16';
  if (info?.list && info.shape?.length === 1) return { name, type, list: true };
  return arrayBranch(name, type, info?.shape ?? []);
}

async function readColumn(file: string, reader: Hdf5Reader, name: string, from: number, to: number): Promise<Column> {
  const info = reader.dataset(name);
  if (!info?.list) return fixedColumn(await reader.read(name, from, to), info?.shape ?? [], to - from);
  const { values, lengths } = await reader.readLists(name, from, to);
  if (lengths.length !== to - from)
    throw new AnomalyClrError(
      `${file}: ${show(name)} gave ${lengths.length} lists for ${to - from}; the file is damaged`,
    );
  const offsets = new Int32Array(lengths.length + 1);
  for (let r = 0; r < lengths.length; r++) offsets[r + 1] = offsets[r] + lengths[r];
  return { values, offsets };
}

/** The library keeps 1 MB of unpacked chunks, so a larger chunk cut in two is unpacked twice. */
function strideOf(infos: readonly DatasetInfo[]): number {
  const rowBytes = infos.reduce(
    (sum, { shape, bytesPerValue }) => sum + (shape ?? []).slice(1).reduce((a, b) => a * b, bytesPerValue),
    0,
  );
  const rows = Math.max(1, ...infos.map(({ chunks }) => chunks?.[0] ?? 1));
  return rows * rowBytes <= maxStrideBytes ? rows : 1;
}
