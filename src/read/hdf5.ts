import { open } from 'node:fs/promises';
import { AnomalyClrError } from '../errors.js';
import { show } from '../files.js';
import { layout } from '../events/objects.js';
import type { EventFile, EventFormat } from './event-file.js';
import { type DatasetInfo, Hdf5Reader } from './hdf5-reader.js';
import { schemaEvents } from './schema/events.js';
import { openHdf5Columns } from './schema/hdf5-columns.js';
import { branchesOf, type EventSchema } from './schema/schema.js';
import { decodeSlots, valuesPerEvent } from './slots.js';

const signature = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');
/** Largest stretch that is read at once to meet a chunk's boundary. */
const maxStrideBytes = 64 * 2 ** 20;

/**
 * ADC2021 HDF5: `Particles` float32 or float64 (N, 19, 4), any chunking, gzip and shuffle or none; `EvtId` (N) where
 * present. See `slots.ts` for what the 19 slots hold.
 */
export const hdf5: EventFormat = {
  name: 'HDF5',
  suffixes: ['.h5', '.hdf5'],
  matches: hasSignature,
  open: openHdf5,
};

/** HDF5 may begin at byte 0, or after a user block at 512, 1024, 2048 and so on. */
async function hasSignature(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(signature.length);
    for (let at = 0; at + signature.length <= size; at = at === 0 ? 512 : at * 2) {
      await handle.read(bytes, 0, bytes.length, at);
      if (bytes.equals(signature)) return true;
    }
    return false;
  } finally {
    await handle.close();
  }
}

async function openHdf5(file: string, schema?: EventSchema): Promise<EventFile> {
  if (schema) return schemaEvents(file, await openHdf5Columns(file, schema.table, branchesOf(schema)), schema);
  const reader = await Hdf5Reader.open(file, ['Particles', 'EvtId']);
  try {
    const particles = checkParticles(file, reader);
    const events = particles.shape[0];
    const hasEventIds = checkEventIds(file, reader, events);
    return {
      events,
      dataKind: 'event',
      hasEventIds,
      stride: chunkStride(particles),
      read: async (from, to) => {
        const values = (await reader.read('Particles', from, to)) as Float32Array | Float64Array;
        const ids = hasEventIds ? toInt64(await reader.read('EvtId', from, to)) : undefined;
        return decodeSlots(values, from, ids);
      },
      close: () => reader.close(),
    };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

function checkParticles(file: string, reader: Hdf5Reader): DatasetInfo & { shape: readonly number[] } {
  const info = reader.dataset('Particles');
  if (!info) {
    const has = reader.names.slice(0, 10).map(show).join(', ') || 'nothing';
    throw new AnomalyClrError(
      `${file}: no dataset Particles (at its top: ${has}); give a file in the ADC2021 layout, or say by --schema what is in it`,
    );
  }
  const { shape, type } = info;
  if (shape?.length !== 3 || shape[1] !== layout.slots || shape[2] !== 4)
    throw new AnomalyClrError(
      `${file}: Particles has shape (${shape?.join(', ') ?? ''}), expected (events, ${layout.slots}, 4)`,
    );
  if (type !== 'float32' && type !== 'float64')
    throw new AnomalyClrError(`${file}: Particles holds ${type}, expected float32 or float64`);
  return { ...info, shape };
}

function checkEventIds(file: string, reader: Hdf5Reader, events: number): boolean {
  const info = reader.dataset('EvtId');
  if (!info && !reader.names.includes('EvtId')) return false;
  if (info?.shape?.length !== 1 || info.shape[0] !== events)
    throw new AnomalyClrError(
      `${file}: EvtId has shape (${info?.shape?.join(', ') ?? ''}), expected (${events}) as Particles has events`,
    );
  if (!/^u?int/.test(info.type)) throw new AnomalyClrError(`${file}: EvtId holds ${info.type}, expected int64`);
  return true;
}

function toInt64(values: ArrayLike<number | bigint>): BigInt64Array {
  return values instanceof BigInt64Array ? values : BigInt64Array.from(Array.from(values, BigInt));
}

/** The library keeps 1 MB of unpacked chunks, so a larger chunk cut in two is unpacked twice. */
function chunkStride({ chunks, bytesPerValue }: DatasetInfo): number {
  const rows = chunks?.[0] ?? 1;
  return rows * valuesPerEvent * bytesPerValue <= maxStrideBytes ? rows : 1;
}
