import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { fileError } from '../../files.js';
import type { EventSchema } from '../schema/schema.js';

/** What a packed copy was made of. A file that has another now is read itself. */
export interface Fingerprint {
  /** Bytes. */
  readonly size: number;
  /** Last change, ns since 1970. */
  readonly changed: string;
  /** SHA-256 of bytes at its start, its end and places between. */
  readonly sample: string;
  /** SHA-256 of the schema that it was read by; empty without one. */
  readonly schema: string;
}

const endBytes = 2 ** 16;
const spreadBytes = 2 ** 12;
const spread = 64;

/** @throws AnomalyClrError where the file cannot be read */
export async function fingerprintOf(file: string, schema: EventSchema | undefined): Promise<Fingerprint> {
  try {
    const handle = await open(file);
    try {
      const { size, mtimeNs } = await handle.stat({ bigint: true });
      const sample = await sampleOf(handle, Number(size));
      return { size: Number(size), changed: String(mtimeNs), sample, schema: schemaHash(schema) };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(file, error, 'read');
  }
}

export function sameFingerprint(a: Fingerprint, b: Fingerprint): boolean {
  return a.size === b.size && a.changed === b.changed && a.sample === b.sample && a.schema === b.schema;
}

export function schemaHash(schema: EventSchema | undefined): string {
  return schema ? createHash('sha256').update(JSON.stringify(schema)).digest('hex') : '';
}

async function sampleOf(handle: FileHandle, size: number): Promise<string> {
  const hash = createHash('sha256');
  const take = async (at: number, bytes: number): Promise<void> => {
    const buffer = Buffer.alloc(bytes);
    const { bytesRead } = await handle.read(buffer, 0, bytes, at);
    hash.update(buffer.subarray(0, bytesRead));
  };
  await take(0, endBytes);
  for (let i = 1; i <= spread; i++) await take(Math.floor((size * i) / (spread + 1)), spreadBytes);
  await take(Math.max(0, size - endBytes), endBytes);
  return hash.digest('hex');
}

/** SHA-256 of a file's bytes, hexadecimal. */
export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 2 ** 20 }), hash).catch((error: unknown) =>
    Promise.reject(fileError(file, error, 'read')),
  );
  return hash.digest('hex');
}

/** SHA-256 of a file that is taken in parts, beside other work on it. */
export class GradualHash {
  private readonly hash = createHash('sha256');
  private handle: FileHandle | undefined;
  private at = 0;

  constructor(
    private readonly file: string,
    private readonly size: number,
  ) {}

  /** Goes on to that share of the file, 0 to 1. */
  async advance(share: number): Promise<void> {
    this.handle ??= await open(this.file);
    const end = Math.min(this.size, Math.floor(this.size * share));
    const buffer = Buffer.allocUnsafe(Math.min(2 ** 20, Math.max(0, end - this.at)));
    while (this.at < end) {
      const { bytesRead } = await this.handle.read(buffer, 0, Math.min(buffer.length, end - this.at), this.at);
      if (bytesRead === 0) throw new Error('the file was cut');
      this.hash.update(buffer.subarray(0, bytesRead));
      this.at += bytesRead;
    }
  }

  async finish(): Promise<string> {
    await this.advance(1);
    await this.close();
    return this.hash.digest('hex');
  }

  async close(): Promise<void> {
    await this.handle?.close();
    this.handle = undefined;
  }
}
