import { openEvents } from '../../../../src/read/index.js';
import { loadSchema } from '../../../../src/read/schema/schema.js';
import { readBase, fixtureSchema } from '../bases.js';
import { changed, Choices } from '../choices.js';
import { nothingLeft, readThrough, scratchFile } from '../oracle.js';

const jetnet = await loadSchema('jetnet');
const lists = fixtureSchema('_', { group: 'ntuple/events' });
/** In the ADC2021 layout, then by a schema. */
const kinds = [
  { base: readBase('adc-plain.h5') },
  { base: readBase('adc-packed.h5') },
  { base: readBase('adc-ours.h5') },
  { base: readBase('jetnet.h5'), schema: jetnet },
  { base: readBase('lists.h5'), schema: lists },
  { base: readBase('adc-latest.h5') },
];

/** HDF5 files: in the ADC2021 layout, and by schemas. Byte 0: which, and with bit 7 the whole file follows. */
export async function fuzz(data: Buffer): Promise<void> {
  const choices = new Choices(data);
  const kind = choices.byte();
  const { base, schema } = kinds[(kind & 127) % kinds.length];
  const file = scratchFile('events.h5', kind & 128 ? choices.rest() : changed(base, choices));
  await readThrough(file, () => openEvents(file, { schema }));
  nothingLeft();
}
