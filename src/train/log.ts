import { open, type FileHandle } from 'node:fs/promises';
import { fileError } from '../files.js';

/** A file of one JSON object a line that a resumed run continues where its checkpoint left it. */
export class MetricsLog {
  private pending = '';

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle | undefined,
    private bytes: number,
  ) {}

  /** Opens `path`, keeping its first `keep` bytes: what was written after the checkpoint will be written again. */
  static async open(path: string, keep: number): Promise<MetricsLog> {
    try {
      const file = await open(path, 'a');
      const { size } = await file.stat();
      const bytes = Math.min(keep, size);
      await file.truncate(bytes);
      return new MetricsLog(path, file, bytes);
    } catch (error) {
      throw fileError(path, error, 'write');
    }
  }

  /** Keeps nothing: of ranks that do not write. */
  static silent(): MetricsLog {
    return new MetricsLog('', undefined, 0);
  }

  add(entry: Record<string, unknown>): void {
    this.pending += `${JSON.stringify(entry)}\n`;
  }

  /** Writes what was added; the length of the file afterwards. */
  async flush(): Promise<number> {
    const text = Buffer.from(this.pending);
    this.pending = '';
    if (!this.file) return 0;
    try {
      await this.file.appendFile(text);
    } catch (error) {
      throw fileError(this.path, error, 'write');
    }
    return (this.bytes += text.length);
  }

  async close(): Promise<void> {
    await this.flush();
    await this.file?.close();
  }
}
