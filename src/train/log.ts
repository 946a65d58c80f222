import { open, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { fileError, syncFolder } from '../files.js';

/** A file of one JSON object a line that a resumed run continues where its checkpoint left it. */
export class MetricsLog {
  private pending = '';

  private constructor(
    private readonly place: string,
    private readonly file: FileHandle | undefined,
    private bytes: number,
  ) {}

  /** Opens `path`, keeping its first `keep` bytes: what was written after the checkpoint will be written again. */
  static async open(place: string, keep: number): Promise<MetricsLog> {
    try {
      const file = await open(place, 'a');
      const { size } = await file.stat();
      const bytes = Math.min(keep, size);
      await file.truncate(bytes);
      await syncFolder(path.dirname(place));
      return new MetricsLog(place, file, bytes);
    } catch (error) {
      throw fileError(place, error, 'write');
    }
  }

  /** Keeps nothing: of ranks that do not write. */
  static silent(): MetricsLog {
    return new MetricsLog('', undefined, 0);
  }

  add(entry: Record<string, unknown>): void {
    this.pending += `${JSON.stringify(entry)}\n`;
  }

  /** Writes what was added, to the disk: a checkpoint shall not outlive its lines. The length of the file afterwards. */
  async flush(): Promise<number> {
    const text = Buffer.from(this.pending);
    this.pending = '';
    if (!this.file || text.length === 0) return this.bytes;
    try {
      await this.file.appendFile(text);
      await this.file.datasync();
    } catch (error) {
      throw fileError(this.place, error, 'write');
    }
    return (this.bytes += text.length);
  }

  async close(): Promise<void> {
    await this.flush();
    await this.file?.close();
  }
}
