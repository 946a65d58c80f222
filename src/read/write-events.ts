import { AnomalyClrError, UsageError } from '../errors.js';
import type { EventBatch } from '../events/event-batch.js';
import { layout } from '../events/objects.js';
import { GrowingHdf5 } from './hdf5-growing.js';
import { encodeSlots } from './slots.js';

/** One slot a chunk, so that empty slots cost next to nothing: 16 % smaller than whole events a chunk. */
const chunk = [8192, 1, 4];

/**
 * Writes events in the ADC2021 layout, `Particles` as float32, with `EvtId` where the batches have it. Takes the
 * batches as they come, and puts the file in place only when it is whole.
 *
 * @param options - `gzip`: level 1 to 9 (after shuffle), 0 for none. Default 6.
 * @returns the number of events written.
 * @throws {@link AnomalyClrError} where an event has more objects of a kind than the layout has slots (1 MET,
 * 4 electrons, 4 muons, 10 jets), is not valid otherwise, or the file cannot be written.
 * @example
 * await writeEvents('clean.h5', readEvents('raw.h5', { onBadEvent: 'skip' }));
 */
export async function writeEvents(
  file: string,
  batches: AsyncIterable<EventBatch> | Iterable<EventBatch>,
  options: { readonly gzip?: number } = {},
): Promise<number> {
  const { gzip = 6 } = options;
  if (!(Number.isInteger(gzip) && gzip >= 0 && gzip <= 9))
    throw new UsageError(`gzip is ${gzip}, expected a whole number from 0 to 9`);
  let output: GrowingHdf5 | undefined;
  let withIds: boolean | undefined;
  let events = 0;
  try {
    for await (const batch of batches) {
      if (batch.count === 0) continue;
      withIds ??= batch.eventIds !== undefined;
      if (withIds !== (batch.eventIds !== undefined))
        throw new AnomalyClrError(`${file}: some batches have EvtId and some not; give it to all or none`);
      output ??= await create(file, gzip, withIds);
      output.append('Particles', encodeSlots(batch));
      if (batch.eventIds) output.append('EvtId', batch.eventIds);
      events += batch.count;
    }
    output ??= await create(file, gzip, false);
  } catch (error) {
    await output?.abort();
    throw error;
  }
  await output.close();
  return events;
}

function create(file: string, gzip: number, withIds: boolean): Promise<GrowingHdf5> {
  const ids = { name: 'EvtId', type: 'int64', chunk: [65536] } as const;
  return GrowingHdf5.create(
    file,
    [{ name: 'Particles', type: 'float32', chunk, row: [layout.slots, 4] }, ...(withIds ? [ids] : [])],
    gzip,
    {
      Particles_Names: ['Pt', 'Eta', 'Phi', 'Class'],
      Particles_Classes: ['MET_class_1', 'Four_Ele_class_2', 'Four_Mu_class_3', 'Ten_Jet_class_4'],
    },
  );
}
