import { type FileHandle, open, statfs } from 'node:fs/promises';
import process from 'node:process';
import { setImmediate } from 'node:timers/promises';
import { loadAddon, type NativeMappedFile } from '../../addon.js';

/** Stretches of a file. */
export interface FileBytes {
  readonly size: number;
  /** The bytes `from` to `to - 1`, on 8-byte boundaries of memory where `from` is a multiple of 8. */
  read(from: number, to: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A file mapped into memory where that is possible and safe, else one that is read. */
export async function openBytes(file: string): Promise<FileBytes> {
  const mapped = (await isLocal(file)) ? map(file) : undefined;
  return mapped ? new MappedBytes(mapped) : HandleBytes.open(file);
}

function map(file: string): NativeMappedFile | undefined {
  try {
    return new (loadAddon().MappedFile)({ file });
  } catch {
    return undefined; // no addon, or a file that opening says more of
  }
}

/** f_type of ext, xfs, btrfs, tmpfs, overlay, zfs, f2fs. */
const localFileSystems = [0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010];

/** On a network's file system another machine may take a file away, and a page of it that is then touched is fatal. */
async function isLocal(file: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  const { type } = await statfs(file).catch(() => ({ type: 0 }));
  return localFileSystems.includes(type >>> 0);
}

class MappedBytes implements FileBytes {
  readonly size: number;

  constructor(private readonly file: NativeMappedFile) {
    this.size = file.size();
  }

  async read(from: number, to: number): Promise<Uint8Array> {
    // what nobody holds any more is unmapped between turns of the event loop, and only there
    await setImmediate();
    if (!this.file.unchanged()) throw new Error('it has changed since it was opened');
    return new Uint8Array(this.file.bytes({ from, to }));
  }

  async close(): Promise<void> {
    this.file.dispose();
  }
}

class HandleBytes implements FileBytes {
  private constructor(
    private readonly handle: FileHandle,
    readonly size: number,
  ) {}

  static async open(file: string): Promise<HandleBytes> {
    const handle = await open(file);
    try {
      return new HandleBytes(handle, (await handle.stat()).size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

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
