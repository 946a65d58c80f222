import { crc32, deflateRawSync } from 'node:zlib';
import { openEvents } from '../../../../src/read/index.js';
import { fixtureSchema, paddedSchema, readBase } from '../bases.js';
import { changed, Choices } from '../choices.js';
import { nothingLeft, readThrough, scratchFile } from '../oracle.js';

const [flat, records, padded] = [fixtureSchema('_'), fixtureSchema('.'), paddedSchema()];
const kinds = [
  { file: 'flat.parquet', schema: flat },
  { file: 'pages.parquet', schema: flat },
  { file: 'records.parquet', schema: records },
  { file: 'flat.arrow', schema: flat },
  { file: 'stream.arrows', schema: flat },
  { file: 'records.feather', schema: records },
  { file: 'lz4.feather', schema: flat },
  { file: 'zstd.feather', schema: flat },
  { file: 'stored.npz', schema: padded },
  { file: 'packed.npz', schema: padded },
].map(kind => ({ ...kind, base: readBase(kind.file) }));

/** The arrays of stored.npz, as they lie in it. */
const arrays = entriesOf(readBase('stored.npz'));
/** Past the kinds: an archive of changed arrays that is packed anew, so that their headers are met. */
const repacked = kinds.length;

/** Parquet, Arrow and .npz. Byte 0: which, with bit 7 the whole file follows. */
export async function fuzz(data: Buffer): Promise<void> {
  const choices = new Choices(data);
  const first = choices.byte();
  const which = (first & 127) % (kinds.length + 1);
  const { base, schema, file: name } = which === repacked ? { ...kinds[8], base: repack(choices) } : kinds[which];
  const bytes = first & 128 ? choices.rest() : which === repacked ? base : changed(base, choices);
  const scratchName = `events${name.slice(name.lastIndexOf('.'))}`;
  const file = scratchFile(scratchName, bytes);
  await readThrough(file, () => openEvents(file, { schema }));
  nothingLeft();
}

function entriesOf(zip: Buffer): { name: string; bytes: Buffer }[] {
  const entries: { name: string; bytes: Buffer }[] = [];
  for (let at = 0; zip.readUInt32LE(at) === 0x04034b50;) {
    const [nameBytes, extraBytes] = [zip.readUInt16LE(at + 26), zip.readUInt16LE(at + 28)];
    // np.savez leaves 32-bit sizes at their largest and gives them in the extra field
    const short = zip.readUInt32LE(at + 18);
    const size = short === 0xffffffff ? Number(zip.readBigUInt64LE(at + 30 + nameBytes + 4)) : short;
    const start = at + 30 + nameBytes + extraBytes;
    entries.push({
      name: zip.toString('latin1', at + 30, at + 30 + nameBytes),
      bytes: zip.subarray(start, start + size),
    });
    at = start + size;
  }
  return entries;
}

/** One array changed; the archive around it is whole, stored or packed. */
function repack(choices: Choices): Buffer {
  const which = choices.below(arrays.length);
  const packed = (choices.byte() & 1) === 1;
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [i, { name, bytes }] of arrays.entries()) {
    const plain = i === which ? changed(bytes, choices) : bytes;
    const stored = packed ? deflateRawSync(plain, { level: 1 }) : plain;
    const common = Buffer.alloc(26); // from the version needed to the length of the extra field
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(packed ? 8 : 0, 4);
    common.writeUInt32LE(crc32(plain), 10);
    common.writeUInt32LE(stored.length, 14);
    common.writeUInt32LE(plain.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), stored]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(at, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, place, Buffer.from(name)]));
    parts.push(local);
    at += local.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(arrays.length, 8);
  end.writeUInt16LE(arrays.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, list, end]);
}
