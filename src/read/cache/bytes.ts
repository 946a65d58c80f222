import { type FileHandle, open } from 'node:fs/promises';

/**
 * Stretches of a file, read into memory of their own: mapped pages would be as fast, but whoever cuts the file, or a server
 * that loses it, would end the process with a signal.
 */
export class FileBytes {
  private constructor(
    private readonly handle: FileHandle,
    readonly size: number,
  ) {}

  static async open(file: string): Promise<FileBytes> {
    const handle = await open(file);
    try {
      return new FileBytes(handle, (await handle.stat()).size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The bytes `from` to `to - 1`, on an 8-byte boundary of memory. */
  async read(from: number, to: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(to - from);
    for (let at = 0; at < bytes.length;) {
      const { bytesRead } = await this.handle.read(bytes, at, bytes.length - at, from + at);
      if (bytesRead === 0) throw new Error('it ends too early');
      at += bytesRead;
    }
    return bytes;
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}
