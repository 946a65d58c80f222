import { AnomalyClrError } from '../../errors.js';
import { show } from '../../files.js';
import type { EventFile } from '../event-file.js';
import type { BranchInfo, Column, ColumnFile } from './column-file.js';
import { SchemaDecoder } from './decode.js';
import type { EventSchema } from './schema.js';

/** Branches named in a message. */
const named = 10;

/**
 * The events of a file of columns, by a schema. Closes `columns` where it fails.
 *
 * @throws AnomalyClrError where the branches are not what the schema asks for
 */
export async function schemaEvents(
  file: string,
  columns: ColumnFile,
  schema: EventSchema | undefined,
): Promise<EventFile> {
  try {
    const { rows, branches, stride } = columns;
    if (!schema) throw needsSchema(file, branches);
    if (rows >= 2 ** 31)
      throw new AnomalyClrError(`${file}: ${rows} rows are more than 2^31; split it into several files`);
    const decoder = new SchemaDecoder(schema, branches, file);
    const names = decoder.used.map(({ name }) => name);
    return {
      events: rows,
      dataKind: schema.data,
      hasEventIds: schema.id !== undefined,
      stride,
      read: async (from, to) => {
        const read = await columns.read(names, from, to);
        for (const branch of decoder.used) checkColumn(file, branch, read.get(branch.name), to - from);
        return decoder.decode(read, from, to - from);
      },
      schemaReport: () => decoder.report(),
      close: () => columns.close(),
    };
  } catch (error) {
    await columns.close();
    throw error;
  }
}

function needsSchema(file: string, branches: readonly BranchInfo[]): AnomalyClrError {
  const names = branches.slice(0, named).map(({ name }) => show(name));
  const more = branches.length > named ? ` and ${branches.length - named} more` : '';
  const has = names.length > 0 ? `${names.join(', ')}${more}` : 'nothing';
  return new AnomalyClrError(`${file}: needs --schema, which says what its branches mean; it has ${has}`);
}

/** A column's numbers and lists as its rows and its branch promise them, whatever the file and its library do. */
function checkColumn(file: string, branch: BranchInfo, column: Column | undefined, rows: number): void {
  const fail = (): never => {
    throw new AnomalyClrError(`${file}: the lists of ${show(branch.name)} do not fit together; the file is damaged`);
  };
  if (!column) return fail();
  const { values, offsets } = column;
  const { width = 1, length, list } = branch;
  if ((offsets !== undefined) !== list) fail();
  if (offsets) {
    if (offsets.length !== rows + 1 || offsets[0] !== 0) fail();
    for (let r = 0; r < rows; r++) {
      const entries = offsets[r + 1] - offsets[r];
      if (entries < 0 || (length !== undefined && entries !== length)) fail();
    }
  }
  if (values.length !== (offsets ? offsets[rows] : rows) * width) fail();
}
