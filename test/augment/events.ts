import type { Columns } from '../../src/addon.js';
import { readAll } from '../../src/read/index.js';
import { fromSlots, repeat, toColumns } from '../support/augment.js';
import { sample } from '../support/cli.js';
import { Golden } from '../support/golden.js';

/** `copies` of each of the 500 golden events. */
export async function goldenEvents(copies: number): Promise<Columns> {
  const golden = await Golden.load('aug/events500');
  return repeat(toColumns(fromSlots(golden.f64('events'), golden.shape('events'))), copies);
}

export async function sampleEvents(maxEvents: number): Promise<Columns> {
  const { batch } = await readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents });
  return batch;
}

/** Sets of events one after another. */
export function joined(sets: readonly Columns[]): Columns {
  const offsets = [0];
  for (const set of sets) {
    const shift = offsets[offsets.length - 1] - set.offsets[0];
    for (const end of set.offsets.subarray(1)) offsets.push(end + shift);
  }
  const all = (column: 'pt' | 'eta' | 'phi' | 'kind') => sets.flatMap(set => Array.from(set[column]));
  return {
    pt: Float32Array.from(all('pt')),
    eta: Float32Array.from(all('eta')),
    phi: Float32Array.from(all('phi')),
    kind: Uint8Array.from(all('kind')),
    offsets: Int32Array.from(offsets),
  };
}

/** The columns as bytes: -0 is not 0 there. */
export const bytes = ({ pt, eta, phi, kind, offsets }: Columns): Buffer[] =>
  [pt, eta, phi, kind, offsets].map(({ buffer, byteOffset, byteLength }) =>
    Buffer.from(buffer, byteOffset, byteLength),
  );
