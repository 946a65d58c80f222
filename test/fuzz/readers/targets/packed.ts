import { Footer } from 'apache-arrow/fb/footer';
import { ByteBuffer } from 'flatbuffers';
import { crc32 } from 'node:zlib';
import { AnomalyClrError } from '../../../../src/errors.js';
import { readPacked } from '../../../../src/read/cache/packed-events.js';
import { DamagedCopy, PackedFile } from '../../../../src/read/cache/packed-file.js';
import { readBase } from '../bases.js';
import { changed, Choices } from '../choices.js';
import { checkEvents, demand, nothingLeft, same, scratchFile, tried } from '../oracle.js';

/** A packed copy taken apart: record batches, the JSON of its header, and its checksums. */
interface Copy {
  readonly bytes: Buffer;
  /** [from, to) of each record batch. */
  readonly batches: readonly (readonly [number, number])[];
  /** [from, to) of the JSON. */
  readonly header: readonly [number, number];
  /** Place of the checksum of the JSON, 8 hexadecimal digits. */
  readonly check: number;
}

const copies = ['copy.arrow', 'copy-bad.arrow'].map(name => takeApart(readBase(name)));

/**
 * Packed copies. Byte 0: which (bit 0), how it is changed (bits 1 and 2: anywhere; in its batches, in its header, in what
 * lies behind the batches but for the header, with all checksums made right again), with bit 7 the whole file follows.
 */
export async function fuzz(data: Buffer): Promise<void> {
  const choices = new Choices(data);
  const kind = choices.byte();
  const file = scratchFile(
    'copy.arrow',
    kind & 128 ? choices.rest() : forged(copies[kind & 1], (kind >> 1) & 3, choices),
  );
  const packed = await tried(() => PackedFile.open(file).catch(asOurs));
  if (packed) {
    try {
      await readAll(packed);
    } finally {
      await packed.close();
    }
  }
  nothingLeft();
}

async function readAll(packed: PackedFile): Promise<void> {
  const { rows, hasEventIds, data: dataKind } = packed.header;
  const end = Math.min(rows, 4096);
  const read = (from: number, to: number) => tried(() => readPacked(packed, from, to).catch(asOurs));
  const all = await read(0, end);
  if (all) {
    checkEvents(all, { hasEventIds, dataKind }, 0, end, true);
    const again = await read(0, end);
    demand(again !== undefined && same(all, again), 'read twice, it was not the same');
  }
  const some = await read(Math.floor(rows / 2), Math.min(rows, Math.floor(rows / 2) + 2));
  if (some) checkEvents(some, { hasEventIds, dataKind }, Math.floor(rows / 2), rows, true);
}

/** What is wrong with a copy ends in a warning; its words must be as good as an error's. */
function asOurs(error: unknown): never {
  throw error instanceof DamagedCopy ? new AnomalyClrError(error.message) : error;
}

function takeApart(bytes: Buffer): Copy {
  const end = bytes.length - 10;
  const footer = Footer.getRootAsFooter(new ByteBuffer(bytes.subarray(end - bytes.readInt32LE(end), end)));
  const batches = Array.from({ length: footer.recordBatchesLength() }, (_, i) => {
    const block = footer.recordBatches(i);
    const from = Number(block?.offset());
    return [from, from + (block?.metaDataLength() ?? 0) + Number(block?.bodyLength())] as const;
  });
  const from = bytes.lastIndexOf('{"format":');
  const text = bytes.toString('utf8', from, from + bytes.readUInt32LE(from - 4));
  const check = bytes.lastIndexOf(crc32(text).toString(16).padStart(8, '0'));
  return { bytes, batches, header: [from, from + text.length], check };
}

function forged({ bytes: base, batches, header, check }: Copy, how: number, choices: Choices): Buffer {
  if (how === 0) return changed(base, choices);
  const bytes = Buffer.from(base);
  const [from, to] =
    how === 1 ? [batches[0][0], batches[batches.length - 1][1]] : [batches[batches.length - 1][1], base.length];
  if (how !== 2) bytes.set(changed(base.subarray(from, to), choices).subarray(0, to - from), from);
  let text = base.toString('utf8', ...header);
  if (how === 2) text = changed(Buffer.from(text), choices).toString('latin1');
  else {
    const checks = Buffer.concat(batches.map(([begin, end]) => uint32(crc32(bytes.subarray(begin, end)))));
    text = text.replace(/("crc32":")[^"]*/, (_, key: string) => key + checks.toString('base64'));
  }
  // as long as it was, for its length stands before it
  bytes.write(text.padEnd(header[1] - header[0]).slice(0, header[1] - header[0]), header[0], 'latin1');
  const written = bytes.subarray(...header).toString('utf8');
  bytes.write(crc32(written).toString(16).padStart(8, '0'), check);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
