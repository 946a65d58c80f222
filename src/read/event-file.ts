import type { DataKindName } from '../events/data-kinds.js';
import type { EventBatch } from '../events/event-batch.js';
import type { SchemaReport } from './schema/report.js';
import type { EventSchema } from './schema/schema.js';

/** An open file of events. Events are addressed by row, so any stretch can be read without those before it. */
export interface EventFile {
  /** Number of events. */
  readonly events: number;
  /** What an event of it is. */
  readonly dataKind: DataKindName;
  readonly hasEventIds: boolean;
  /** Rows that are cheap to read together: reads that begin and end at multiples of it touch nothing twice. */
  readonly stride: number;
  /** Reads the rows `from` to `to - 1`: the valid events, and one message for each of the others. */
  read(from: number, to: number): Promise<DecodedEvents>;
  /** Where a schema makes the events: what it did to all rows read so far. */
  schemaReport?(): SchemaReport;
  close(): Promise<void>;
}

/**
 * Events as read: bad ones are left out of `batch`, and `problems` says why. Rows that are in neither were cut by a
 * schema.
 */
export interface DecodedEvents {
  readonly batch: EventBatch;
  readonly problems: readonly BadEvent[];
}

/** An event that breaks the rules of its format. */
export interface BadEvent {
  /** One line, without the name of the file. */
  readonly message: string;
  readonly row: number;
  /** `EvtId`, where the file has it. */
  readonly eventId: bigint | undefined;
}

/** A format of event files: one file of code each, one line in the table of `read/index.ts`. */
export interface EventFormat {
  readonly name: string;
  readonly suffixes: readonly string[];
  /** Whether the file is of this format, by its content. */
  matches(file: string): Promise<boolean>;
  /** @param schema - what its branches mean, where that is not fixed by the format. */
  open(file: string, schema?: EventSchema): Promise<EventFile>;
}
