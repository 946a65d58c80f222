import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import h5wasm from 'h5wasm/node';
import { type EventBatch, EventBatchBuilder } from '../../src/events/event-batch.js';
import { eventKindNames, Kind, layout } from '../../src/events/objects.js';
import { type OnBadEvent, readEvents } from '../../src/read/index.js';

/** A folder for the files of one test file, removed after it. */
export function temporaryFolder(): (name: string) => string {
  const folder = mkdtempSync(path.join(tmpdir(), 'anomalyclr-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return name => path.join(folder, name);
}

type Values = Float32Array | Float64Array | Int32Array | BigInt64Array | string[];

/** A dataset as an alien writer might make it. */
export interface Raw {
  data: Values;
  shape?: number[];
  dtype?: string;
  chunks?: number[];
  gzip?: number;
}

/** Writes datasets as they are given, past all checks. */
export async function writeRaw(file: string, datasets: Record<string, Raw>): Promise<void> {
  (await h5wasm.ready).activate_throwing_error_handler();
  const output = new h5wasm.File(file, 'w');
  for (const [name, { gzip, ...rest }] of Object.entries(datasets))
    output.create_dataset({ name, ...rest, ...(gzip ? { compression: gzip } : {}) });
  output.close();
}

/** pT of the first jet of event `e` of {@link paddedEvents}, GeV. */
export const leadingJetPt = (e: number) => Math.fround(100.1 + (e % 5000) * 2.3);

/** Padded events of which each has MET, an electron and two jets that all differ. [events * 76] */
export function paddedEvents(events: number): Float64Array {
  const values = new Float64Array(events * 76);
  for (let e = 0; e < events; e++) {
    const set = (slot: number, object: number[]) => values.set(object.map(Math.fround), e * 76 + slot * 4);
    set(0, [20 + e / 8, 0, -3 + (e % 48) / 8, 1]);
    set(1, [30 + e / 16, 1.5, 0.5, 2]);
    set(9, [leadingJetPt(e), -2.2, 2.7, 4]);
    set(10, [50, 3.3, -1.1, 4]);
  }
  return values;
}

export const particles = (data: Values, events = data.length / 76): Raw => ({ data, shape: [events, 19, 4] });

/** Everything that a file yields. */
export async function collect(
  file: string,
  options: { batch?: number; start?: number; end?: number; onBadEvent?: OnBadEvent } = {},
): Promise<{ all: EventBatch; sizes: number[]; skipped: string[] }> {
  const builder = new EventBatchBuilder();
  const sizes: number[] = [];
  const skipped: string[] = [];
  const onSkip = (message: string) => void skipped.push(message);
  for await (const batch of readEvents(file, { onBadEvent: 'fail', ...options, onSkip })) {
    builder.addBatch(batch);
    sizes.push(batch.count);
  }
  return { all: builder.build(), sizes, skipped };
}

const float32 = (min: number, max: number) => fc.float({ min: Math.fround(min), max: Math.fround(max), noNaN: true });

/** Any valid batch: every multiplicity that the layout has room for, events without objects included. */
export function anyBatch(maxEvents: number): fc.Arbitrary<EventBatch> {
  const objects = eventKindNames.map(name =>
    fc.array(fc.tuple(float32(0.001, 13999), float32(-10, 10), float32(-Math.PI, Math.PI)), {
      maxLength: layout[name].capacity,
    }),
  );
  const events = fc.array(fc.tuple(fc.tuple(...objects), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), {
    maxLength: maxEvents,
  });
  return fc.tuple(events, fc.boolean()).map(([list, withIds]) => {
    const builder = new EventBatchBuilder();
    for (const [row, [kinds, id]] of list.entries()) {
      for (const [k, name] of eventKindNames.entries())
        for (const [pt, eta, phi] of kinds[k].toSorted((a, b) => b[0] - a[0]))
          builder.addObject(pt, name === 'met' ? 0 : eta, phi, Kind[name]);
      builder.endEvent(row, withIds ? id : undefined);
    }
    return builder.build();
  });
}

/** Bit for bit the same; jest's own comparison takes seconds on long columns. */
export function expectSame(got: EventBatch, expected: EventBatch): void {
  for (const column of ['offsets', 'pt', 'eta', 'phi', 'kind', 'rows', 'eventIds'] as const) {
    const [a, b] = [got[column], expected[column]].map(x => x && Buffer.from(x.buffer, x.byteOffset, x.byteLength));
    const same = a && b ? a.equals(b) : a === b;
    expect({ column, same, length: got[column]?.length }).toEqual({
      column,
      same: true,
      length: expected[column]?.length,
    });
  }
}
