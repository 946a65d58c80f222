import { stat } from 'node:fs/promises';
import { AnomalyClrError } from '../errors.js';
import { fileError } from '../files.js';
import type { EventFile } from './event-file.js';

/** Files as they were when they were first looked at: all that a command reads of one has to be of the same. */
export class SeenFiles {
  /** Size and time of last change by path. The inode is left out: not all network file systems keep it. */
  private readonly seen = new Map<string, string>();

  /** @throws AnomalyClrError where the file is gone, or has changed since it was first checked here */
  async check(file: string): Promise<void> {
    const { size, mtimeNs } = await stat(file, { bigint: true }).catch((error: unknown) =>
      Promise.reject(fileError(file, error, 'read')),
    );
    const now = `${size} ${mtimeNs}`;
    const before = this.seen.get(file);
    if (before !== undefined && before !== now)
      throw new AnomalyClrError(
        `${file}: has changed while it was in use; leave it as it is until the command is done, and start again`,
      );
    this.seen.set(file, now);
  }

  /** The same file, each reading of which is checked. What a change made of a reading is told as that change. */
  watched(file: string, source: EventFile): EventFile {
    const { events, dataKind, hasEventIds, stride } = source;
    return {
      events,
      dataKind,
      hasEventIds,
      stride,
      ...(source.schemaReport ? { schemaReport: source.schemaReport.bind(source) } : {}),
      read: async (from, to) => {
        const rows = await source.read(from, to).catch(async (error: unknown) => {
          await this.check(file);
          throw error;
        });
        await this.check(file);
        return rows;
      },
      close: () => source.close(),
    };
  }
}
