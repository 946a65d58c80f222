import { existsSync } from 'node:fs';
import type { LibraryProgram } from '../library-thread.js';

/** What scripts/bundle.cjs makes of jsroot stands beside this file where that is compiled. */
const bundled = new URL('./jsroot.js', import.meta.url);

/**
 * What jsroot is asked, through its public parts: `openFile` over a FileProxy, `readObject` of the tree, TBuffer for the
 * header of a basket and R__unzip. Its TSelector, a call for each row and branch, is ten times slower than whole baskets.
 *
 * `{ file, tree }` opens a tree and describes its branches; `{ tables }` tells where the baskets of branches lie;
 * `{ baskets }` reads baskets and unpacks them; `{}` closes.
 */
export const rootProgram: LibraryProgram = {
  module: existsSync(bundled) ? bundled.href : 'jsroot/io',
  also: [existsSync(bundled) ? bundled.href : 'jsroot/core', 'zstddec'],
  limits: { maxOldGenerationSizeMb: 2048 },
  source: `
const fs = require('node:fs');
const zlib = require('node:zlib');
let handle, size, tree, branches = [];

// what lies past the end is left out: jsroot asks for more than small files have
const readBytes = (at, length) => {
  if (!(at >= 0 && at < size && length >= 0 && length < 2 ** 31)) throw new Error('bytes ' + at + ' to ' + (at + length) + ' asked for, of ' + size);
  const bytes = new Uint8Array(Math.min(length, size - at));
  for (let got = 0; got < bytes.length;) {
    const more = fs.readSync(handle, bytes, got, bytes.length - got, at + got);
    if (more === 0) throw new Error('the file became shorter');
    got += more;
  }
  return bytes;
};
const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const memberType = ({ fClassName, fClassVersion, fCheckSum, fID }) =>
  fID >= 0 ? tree.$file.findStreamerInfo(fClassName, fClassVersion, fCheckSum)?.fElements?.arr[fID]?.fTypeName : undefined;

const describe = (branch) => ({
  name: branch.fName,
  top: tree.fBranches.arr.includes(branch),
  kind: branch._typename,
  // what it holds, for a member of a class as that says
  className: memberType(branch) ?? branch.fClassName ?? '',
  id: branch.fID ?? -1,
  type: branch.fType ?? -1,
  streamer: branch.fStreamerType ?? -1,
  children: branch.fBranches?.arr.length ?? 0,
  rows: Number(branch.fEntries),
  otherFile: branch.fFileName ?? '',
  leaves: (branch.fLeaves?.arr ?? []).map((leaf) => ({
    kind: leaf._typename,
    name: leaf.fName ?? '',
    length: leaf.fLen ?? 0,
    unsigned: Boolean(leaf.fIsUnsigned),
    counter: leaf.fLeafCount?.fName ?? null,
  })),
});

const close = () => {
  if (handle !== undefined) fs.closeSync(handle);
  handle = tree = undefined;
  branches = [];
};

const open = async ({ openFile, FileProxy }, { file, tree: name }) => {
  close();
  handle = fs.openSync(file, 'r');
  size = fs.fstatSync(handle).size;
  const proxy = Object.assign(new FileProxy(), {
    openFile: async () => true,
    getFileName: () => file,
    getFileSize: () => size,
    readBuffer: async (at, length) => viewOf(readBytes(Number(at), length)),
  });
  const root = await openFile(proxy);
  const keys = root.fKeys.map(({ fName, fClassName }) => ({ name: fName, className: fClassName }));
  const key = await root.getKey(name).catch(() => null);
  if (!key || !/^TTree$|^TNtupleD?$/.test(key.fClassName)) return { keys, className: key?.fClassName ?? null };
  tree = await root.readObject(name);
  const seen = new Set();
  const visit = (list) => {
    for (const branch of list?.arr ?? []) {
      if (!branch || seen.has(branch)) continue;
      seen.add(branch);
      branches.push(branch);
      visit(branch.fBranches);
    }
  };
  visit(tree.fBranches);
  return { keys, className: key.fClassName, rows: Number(tree.fEntries), cluster: Number(tree.fAutoFlush ?? 0), branches: branches.map(describe) };
};

// Baskets on disk, then those kept within the tree itself, whose place is -1 - their number.
const tableOf = ({ fWriteBasket, fBasketEntry, fBasketSeek, fBasketBytes, fBaskets }) => {
  const table = { first: [], seek: [], bytes: [] };
  const add = (first, seek, bytes) => {
    table.first.push(Number(first));
    table.seek.push(Number(seek));
    table.bytes.push(Number(bytes));
  };
  let k = 0;
  for (; k < fWriteBasket && Number(fBasketSeek[k]) !== 0; k++) add(fBasketEntry[k], fBasketSeek[k], fBasketBytes[k]);
  let first = Number(fBasketEntry[k] ?? 0);
  for (; k < (fBaskets?.arr.length ?? 0); k++) {
    const basket = fBaskets.arr[k];
    if (!(basket?.fNevBuf > 0)) continue;
    add(first, -1 - k, 0);
    first += basket.fNevBuf;
  }
  return table;
};

// jsroot takes 29 bytes off and what follows for one LZMA stream: header of xz (12 bytes), of its block (12) with one
// LZMA2 filter, then a chunk that resets everything and is all there is.
const isOnePiece = (xz, length) => {
  const chunk = ((xz[24] & 0x1f) << 16) + (xz[25] << 8) + xz[26] + 1;
  return xz[12] === 2 && xz[13] === 0 && xz[14] === 0x21 && xz[24] >= 0xe0 && chunk === length;
};

// Blocks of at most 16 MB, each after nine bytes: two letters, a method, packed and unpacked size (24 bits each).
const unpack = async (R__unzip, packed, length) => {
  const blocks = [];
  let total = 0;
  for (let at = 0; total < length;) {
    if (at + 9 > packed.length) throw new Error('a basket is cut short');
    const number = (o) => packed[at + o] | (packed[at + o + 1] << 8) | (packed[at + o + 2] << 16);
    const block = { tag: String.fromCharCode(packed[at], packed[at + 1]), from: at + 9, to: at + 9 + number(3), length: number(6) };
    if (!['ZL', 'CS', 'XZ', 'ZS', 'L4'].includes(block.tag)) throw new Error('unsupported: compression marked ' + JSON.stringify(block.tag));
    if (block.length === 0) throw new Error('a block of a basket is empty');
    if (block.tag === 'XZ' && !isOnePiece(packed.subarray(block.from, block.to), block.length)) throw new Error('unsupported: LZMA of more than 64 kB, which jsroot does not unpack');
    blocks.push(block);
    total += block.length;
    at = block.to;
  }
  if (total !== length || blocks.at(-1).to > packed.length) throw new Error('the blocks of a basket do not add up to it');
  const bytes = new Uint8Array(length);
  if (blocks.every(({ tag }) => tag === 'ZL')) { // Node's own zlib is four times as fast
    let at = 0;
    for (const block of blocks) {
      const part = zlib.inflateSync(packed.subarray(block.from, block.to), { maxOutputLength: block.length });
      if (part.length !== block.length) throw new Error('a block of a basket is cut short');
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
  const view = await R__unzip(viewOf(packed), length, true);
  if (!view) throw new Error('a basket cannot be unpacked');
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
};

const readBasket = async ({ TBuffer, R__unzip }, { branch, seek, bytes }) => {
  if (seek < 0) {
    const kept = branches[branch].fBaskets.arr[-1 - seek];
    const data = kept.fBufferRef?.arr ?? new DataView(new ArrayBuffer(0));
    return {
      bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice(),
      key: kept.fKeylen, last: kept.fLast, rows: kept.fNevBuf,
      offsets: kept.fEntryOffset ? Int32Array.from(kept.fEntryOffset) : null,
    };
  }
  const stored = readBytes(seek, bytes);
  // by hand after the key: TBuffer takes what follows for places of rows where a file leaves those to a counter
  const header = new TBuffer(viewOf(stored), 0, tree.$file);
  const { fNbytes, fObjlen, fKeylen } = header.readTKey();
  header.readVersion();
  header.ntoi4(); // size of the buffer
  if (header.ntoi4() < 0) header.ntoi1(); // bytes or places of a row, and whether options follow
  const [rows, last] = [header.ntoi4(), header.ntoi4()];
  if (fNbytes !== bytes || stored.length !== bytes || !(fKeylen > 0 && fKeylen <= bytes)) throw new Error('a basket is not where it should be');
  const packed = stored.subarray(fKeylen);
  const plain = fObjlen === packed.length ? packed.slice() : await unpack(R__unzip, packed, fObjlen);
  return { bytes: plain, key: fKeylen, last, rows, offsets: null };
};

// Counts that a file gives are filled to their end, of what need not take a byte of it, lists of lists too, and V8 ends
// the process at a list too long for it: a thread is no protection. Elements of lists and parts of objects that one request
// may make; those of an honest tree are fewer than its bytes.
const [most, mostInAll] = [2 ** 24, 2 ** 26];
let spent = -Infinity; // but for the time of a request
const spend = (count) => {
  if (!(count <= most && spent + count <= mostInAll)) throw new Error('a list of ' + count + ' after ' + spent);
  spent += count;
};
const guard = ({ TBuffer: { prototype } }) => {
  globalThis.Array = new Proxy(Array, {
    construct: (array, args, target) => {
      if (args.length === 1 && typeof args[0] === 'number') spend(args[0]);
      return Reflect.construct(array, args, target);
    },
  });
  const { classStreamer, readNdimArray } = prototype;
  prototype.classStreamer = function (...args) {
    spend(1);
    return classStreamer.apply(this, args);
  };
  prototype.readNdimArray = function (handle, func) {
    const sizes = handle.fArrayDim > 0 ? Array.from(handle.fMaxIndex ?? []).slice(0, handle.fArrayDim) : [handle.fArrayLength];
    // jsroot never comes to the end of 0
    if (sizes.length > 1) spend(sizes.reduce((product, n) => product * (n > 0 ? n : Infinity), 1));
    return readNdimArray.call(this, handle, func);
  };
};

// jsroot's own library for zstd never ends where bytes follow what is packed. What comes out stands before it, in three bytes.
const zstdStream = (zstd) => ({
  decompress: (input) => {
    const [low, middle, high] = new Uint8Array(input.buffer, input.byteOffset - 3, 3);
    const length = low | (middle << 8) | (high << 16);
    const output = length === 0 ? new Uint8Array(0) : zstd.decode(input, length);
    if (output.length !== length) throw new Error('a block gave ' + output.length + ' bytes for ' + length);
    return output;
  },
});

const answer = async (jsroot, request) => {
  if (request.file) return { value: await open(jsroot, request) };
  if (request.tables) return { value: request.tables.map((index) => tableOf(branches[index])) };
  if (!request.baskets) return { value: close() };
  const value = [];
  for (const basket of request.baskets) value.push(await readBasket(jsroot, basket));
  return { value, transfer: value.map(({ bytes }) => bytes.buffer) };
};
serve(async (jsroot, request) => {
  spent = 0;
  try {
    return await answer(jsroot, request);
  } finally {
    spent = -Infinity;
  }
}, async (jsroot, { internals }, { ZSTDDecoder }) => {
  guard(jsroot);
  const zstd = new ZSTDDecoder();
  await zstd.init();
  internals._ZstdStream = zstdStream(zstd);
  return jsroot;
});
`,
};
