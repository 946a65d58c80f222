import { open } from 'node:fs/promises';
import type { EventFile, EventFormat } from '../event-file.js';
import { statFile } from '../hdf5-reader.js';
import { arrowProgram } from './arrow-worker.js';
import type { ColumnFile } from './column-file.js';
import { schemaEvents } from './events.js';
import { openGrouped } from './grouped.js';
import { openNpz } from './npz.js';
import { parquetProgram } from './parquet-worker.js';
import { branchesOf, type EventSchema } from './schema.js';

/** Larger than the flatbuffers of any honest schema. */
const maxArrowMessage = 2 ** 26;

/** A container that only a schema can make sense of. */
function container(
  name: string,
  suffixes: readonly string[],
  matches: (head: Buffer, size: number) => boolean,
  openColumns: (file: string, schema: EventSchema | undefined) => Promise<ColumnFile>,
): EventFormat {
  return {
    name,
    suffixes,
    matches: async file => matches(await readHead(file), (await statFile(file)).size),
    open: async (file, schema): Promise<EventFile> => schemaEvents(file, await openColumns(file, schema), schema),
  };
}

export const parquet = container(
  'Parquet',
  ['.parquet'],
  head => head.toString('latin1', 0, 4) === 'PAR1',
  file => openGrouped(file, parquetProgram, 'write it again with smaller row groups, of 100000 rows say'),
);

/** Files and streams; a stream begins with the size of its schema. */
export const arrow = container(
  'Arrow',
  ['.arrow', '.feather', '.ipc', '.arrows'],
  (head, size) => {
    if (head.toString('latin1', 0, 6) === 'ARROW1') return true;
    if (head.length < 8 || head.readInt32LE(0) !== -1) return false;
    const length = head.readInt32LE(4);
    return length > 0 && length < Math.min(size, maxArrowMessage);
  },
  file => openGrouped(file, arrowProgram, 'write it again with smaller record batches, of 100000 rows say'),
);

/** Archives of arrays, as np.savez and np.savez_compressed write them. */
export const npz = container(
  'NumPy',
  ['.npz'],
  head => ['PK\x03\x04', 'PK\x05\x06'].includes(head.toString('latin1', 0, 4)),
  (file, schema) => openNpz(file, schema ? branchesOf(schema) : []),
);

async function readHead(file: string): Promise<Buffer> {
  const handle = await open(file);
  try {
    const head = Buffer.alloc(8);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    return head.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
