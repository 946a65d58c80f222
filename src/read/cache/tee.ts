import type { DecodedEvents, EventFile } from '../event-file.js';
import type { GradualHash } from './fingerprint.js';
import type { PackedWriter } from './packed-writer.js';

/** How a packed copy is made beside the reading of its source. */
export interface Making {
  /** Undefined where none can be made. */
  begin(): Promise<PackedWriter | undefined>;
  /** Whether the source is still what it was. */
  unchanged(): Promise<boolean>;
  /** After the copy is in place. */
  done(): Promise<void>;
  failed(error: unknown): void;
  readonly hash: GradualHash;
}

/**
 * A source that writes its rows into a packed copy as they are read. Once all were read in order, the copy is put in place
 * when the file is closed; else there is none. Whatever becomes of the copy, reading goes on.
 */
export class Tee implements EventFile {
  readonly events: number;
  readonly dataKind: EventFile['dataKind'];
  readonly hasEventIds: boolean;
  readonly stride: number;
  readonly schemaReport?: NonNullable<EventFile['schemaReport']>;
  private writer: PackedWriter | undefined;
  private begun = false;
  private closed = false;
  /** What is being written; the next read waits for it, so that memory stays bounded. */
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly source: EventFile,
    private readonly making: Making,
  ) {
    this.events = source.events;
    this.dataKind = source.dataKind;
    this.hasEventIds = source.hasEventIds;
    this.stride = source.stride;
    if (source.schemaReport) this.schemaReport = source.schemaReport.bind(source);
  }

  async read(from: number, to: number): Promise<DecodedEvents> {
    const rows = await this.source.read(from, to);
    await this.writing;
    if (from === 0 && !this.begun && !this.closed) {
      this.begun = true;
      await (this.writing = this.begin());
    }
    // a consumer that stops early closes the file while it is read ahead
    if (this.writer?.next === from && to > from && !this.closed) this.writing = this.copy(rows, to);
    return rows;
  }

  private async begin(): Promise<void> {
    this.writer = await this.making.begin().catch((error: unknown) => this.giveUp(error));
  }

  private async copy(rows: DecodedEvents, to: number): Promise<void> {
    try {
      await this.writer?.append(rows, to);
      await this.making.hash.advance(to / this.events);
    } catch (error) {
      await this.giveUp(error);
    }
  }

  private async giveUp(error?: unknown): Promise<undefined> {
    const { writer } = this;
    this.writer = undefined;
    if (error !== undefined) this.making.failed(error);
    await this.making.hash.close().catch(() => undefined);
    await writer?.abort();
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.writing;
    await this.source.close();
    const { writer } = this;
    if (!writer) return;
    try {
      const whole = writer.next === this.events;
      const sha256 = whole ? await this.making.hash.finish() : '';
      if (!whole || !(await this.making.unchanged())) {
        await this.giveUp();
        return;
      }
      this.writer = undefined;
      await writer.finish(sha256);
      await this.making.done();
    } catch (error) {
      await this.giveUp(error);
    }
  }
}
