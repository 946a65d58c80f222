import type { LibraryProgram } from '../library-thread.js';
import { missingSource } from './column-file.js';

/**
 * `{ file }` opens an Arrow file or stream and tells its record batches and leaves; `{ group, names }` reads leaves of one
 * record batch, flat; `{}` closes.
 *
 * Both forms are walked message by message, for a file is a stream between two marks. So no more than a record batch is
 * in memory, and a stream can be read from anywhere.
 */
export const arrowProgram: LibraryProgram = {
  module: 'apache-arrow',
  also: ['flatbuffers', 'zstddec'],
  limits: { maxOldGenerationSizeMb: 2048 },
  source: `${missingSource}
const fs = require('node:fs');
let handle, size, head, batches, leaves;

const readBytes = (at, length, out = new Uint8Array(length)) => {
  if (!(at >= 0 && length >= 0 && at + length <= size)) throw new Error('bytes ' + at + ' to ' + (at + length) + ' of ' + size);
  for (let got = 0; got < length;) {
    const more = fs.readSync(handle, out, got, length - got, at + got);
    if (more === 0) throw new Error('the file became shorter');
    got += more;
  }
  return out;
};
const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const concat = (parts) => {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};

const magic = 'ARROW1';
const maxMetadata = 2 ** 26;
const maxBody = 2 ** 30;
const end = new Uint8Array([255, 255, 255, 255, 0, 0, 0, 0]);

// where each message lies: [at, length of metadata with its prefix, length of body]
const walkMessages = (arrow) => {
  const text = (at) => new TextDecoder('latin1').decode(readBytes(at, magic.length));
  const isFile = size >= magic.length && text(0) === magic;
  if (isFile && text(size - magic.length) !== magic) throw new Error('it ends before its end');
  const messages = [];
  for (let at = isFile ? 8 : 0; at + 8 <= size;) {
    const prefix = viewOf(readBytes(at, 8));
    const isNew = prefix.getInt32(0, true) === -1;
    const length = prefix.getInt32(isNew ? 4 : 0, true);
    const metadataAt = at + (isNew ? 8 : 4);
    if (length === 0) return messages;
    if (length < 0 || length > maxMetadata) throw new Error('a message of ' + length + ' bytes');
    const message = arrow.Message.decode(readBytes(metadataAt, length));
    const bodyLength = Number(message.bodyLength);
    const next = metadataAt + length + bodyLength;
    if (!(bodyLength >= 0 && next <= size)) throw new Error('it ends before its end');
    if (bodyLength > maxBody) throw new Error('memory limit: a record batch of ' + bodyLength + ' bytes, above ' + maxBody);
    messages.push({ at, length: next - at, message });
    at = next;
  }
  if (isFile) throw new Error('it ends before its end');
  return messages;
};

const types = (type, { Type }) => {
  switch (type.typeId) {
    case Type.Bool: return 'bool';
    case Type.Int: return (type.isSigned ? 'int' : 'uint') + type.bitWidth;
    case Type.Float: return 'float' + [16, 32, 64][type.precision];
    default: return String(type).toLowerCase();
  }
};
const isListType = (type, { Type }) => type.typeId === Type.List || type.typeId === Type.LargeList;

const describe = (field, name, arrow, lists, found) => {
  const { Type } = arrow;
  const { type } = field;
  const { list, length, width } = lists;
  if (type.typeId === Type.Struct && width === undefined)
    for (const child of type.children) describe(child, name === '' ? child.name : name + '.' + child.name, arrow, lists, found);
  else if (isListType(type, arrow) && !list) describe(type.children[0], name, arrow, { list: true }, found);
  else if (type.typeId === Type.FixedSizeList && width === undefined)
    describe(type.children[0], name, arrow, list ? { ...lists, width: type.listSize } : { list: true, length: type.listSize }, found);
  else found.push({ name, type: types(type, arrow), list, ...(length === undefined ? {} : { length }), ...(width === undefined ? {} : { width }) });
  return found;
};

const isValid = (data, i) => data.nullCount <= 0 || data.nullBitmap.length === 0 || (data.nullBitmap[i >> 3] >> (i & 7) & 1) === 1;
const halves = (values) => Float32Array.from(values, (bits) => {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, bits >> 10 & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
});

const withGaps = (values, gone) => {
  const out = bearsGaps(values) ? values.slice() : Float64Array.from(values);
  for (let i = 0; i < out.length; i++) if (gone(i)) out[i] = missingIn(out);
  return out;
};
const numbersOf = (data, nulls, arrow) => {
  const { length, type } = data;
  if (data.offset !== 0) throw new Error('a column that begins elsewhere');
  let values = data.values ?? new Float32Array();
  if (type.typeId === arrow.Type.Bool && values.length * 8 >= length) values = Uint8Array.from({ length }, (_, i) => values[i >> 3] >> (i & 7) & 1);
  if (values.length < length) throw new Error('fewer values than it says');
  values = values.subarray(0, length);
  if (type.typeId === arrow.Type.Float && type.precision === 0) values = halves(values);
  const gone = (i) => !isValid(data, i) || nulls?.(i);
  let any = false;
  for (let i = 0; i < length && !any; i++) any = gone(i);
  return any ? withGaps(values, gone) : values.slice();
};
const take = (values, starts, offsets, width) => {
  const out = new values.constructor(offsets.at(-1) * width);
  for (let r = 0; r + 1 < offsets.length; r++)
    out.set(values.subarray(starts[r] * width, (starts[r] + offsets[r + 1] - offsets[r]) * width), offsets[r] * width);
  return out;
};

// the numbers below a column: of its lists end to end, and where each begins
const extract = (data, parts, nulls, arrow) => {
  const { type, length } = data;
  const { Type } = arrow;
  if (type.typeId === Type.Struct) {
    const k = type.children.findIndex(({ name }) => name === parts[0]);
    const gone = data.nullCount > 0 || nulls ? (i) => !isValid(data, i) || nulls?.(i) : undefined;
    return extract(data.children[k], parts.slice(1), gone, arrow);
  }
  if (type.typeId === Type.FixedSizeList) {
    const { listSize } = type;
    const inner = extract(data.children[0], parts, undefined, arrow);
    const each = listSize * (inner.fixed ?? 1);
    if (inner.values.length < length * each) throw new Error('fewer values than it says');
    const values = data.nullCount > 0
      ? withGaps(inner.values, (i) => !isValid(data, Math.floor(i / each)))
      : inner.values;
    return { values, fixed: listSize, length };
  }
  if (!isListType(type, arrow)) return { values: numbersOf(data, nulls, arrow) };
  const given = Array.from(data.valueOffsets.subarray(0, length + 1), Number);
  if (length > 0 && given.length !== length + 1) throw new Error('fewer lists than it says');
  const inner = extract(data.children[0], parts, undefined, arrow);
  const width = inner.fixed ?? 1;
  const offsets = new Int32Array(length + 1);
  for (let r = 0; r < length; r++) {
    const entries = isValid(data, r) && !nulls?.(r) ? given[r + 1] - given[r] : 0;
    if (!(entries >= 0 && given[r] >= 0 && (given[r] + entries) * width <= inner.values.length))
      throw new Error('lists that do not fit together');
    offsets[r + 1] = offsets[r] + entries;
  }
  return { values: take(inner.values, given, offsets, width), offsets, ...(inner.fixed === undefined ? {} : { width }) };
};
const column = (data, parts, arrow) => {
  const { values, offsets, fixed, length } = extract(data, parts, undefined, arrow);
  if (fixed === undefined) return { values, ...(offsets ? { offsets } : {}) };
  return { values, offsets: Int32Array.from({ length: length + 1 }, (_, r) => r * fixed) };
};

const readBatch = (arrow, group, names) => {
  const { at, length, rows } = batches[group];
  const stream = new Uint8Array(head.length + length + end.length);
  stream.set(head);
  readBytes(at, length, stream.subarray(head.length, head.length + length));
  stream.set(end, head.length + length);
  const [batch] = [...arrow.RecordBatchReader.from(stream)];
  if (batch?.numRows !== rows) throw new Error('a record batch without its rows');
  const value = {};
  for (const name of names) {
    const k = batch.schema.fields.findIndex((field) => name === field.name || name.startsWith(field.name + '.'));
    const parts = name === batch.schema.fields[k].name ? [] : name.slice(batch.schema.fields[k].name.length + 1).split('.');
    value[name] = column(batch.data.children[k], parts, arrow);
  }
  return value;
};

// LZ4 frames, whose blocks may point into those before them; nobody else has these here
const maxUnpacked = 2 ** 30;
const unpackLz4 = (input) => {
  const view = viewOf(input);
  if (view.getUint32(0, true) !== 0x184d2204) throw new Error('not an LZ4 frame');
  const flags = input[4];
  let at = 7 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0);
  let out = new Uint8Array(Math.max(65536, input.length * 4));
  let length = 0;
  const room = (more) => {
    if (length + more > maxUnpacked) throw new Error('an LZ4 frame of over ' + maxUnpacked + ' bytes');
    if (length + more <= out.length) return;
    const larger = new Uint8Array(Math.min(maxUnpacked, (length + more) * 2));
    larger.set(out.subarray(0, length));
    out = larger;
  };
  const long = (nibble, stop) => {
    let n = nibble;
    if (nibble === 15)
      for (let more = 255; more === 255;) {
        if (at >= stop) throw new Error('an LZ4 block that is cut');
        n += more = input[at++];
      }
    return n;
  };
  const block = (stop) => {
    while (at < stop) {
      const token = input[at++];
      const literals = long(token >> 4, stop);
      if (at + literals > stop) throw new Error('an LZ4 block that is cut');
      room(literals);
      out.set(input.subarray(at, at + literals), length);
      at += literals;
      length += literals;
      if (at >= stop) return;
      const back = input[at] | input[at + 1] << 8;
      at += 2;
      const match = long(token & 15, stop) + 4;
      if (back === 0 || back > length) throw new Error('an LZ4 block that points before its beginning');
      room(match);
      if (back >= match) out.copyWithin(length, length - back, length - back + match);
      else for (let i = 0; i < match; i++) out[length + i] = out[length + i - back];
      length += match;
    }
  };
  for (;;) {
    if (at + 4 > input.length) throw new Error('an LZ4 frame that is cut');
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) return out.subarray(0, length);
    const bytes = word & 0x7fffffff;
    const stop = at + bytes;
    if (stop > input.length) throw new Error('an LZ4 frame that is cut');
    if (word >>> 31) {
      room(bytes);
      out.set(input.subarray(at, stop), length);
      length += bytes;
    } else block(stop);
    at = stop + (flags & 16 ? 4 : 0);
  }
};

const close = () => {
  if (handle !== undefined) fs.closeSync(handle);
  handle = head = batches = leaves = undefined;
};
const open = (arrow, file) => {
  handle = fs.openSync(file, 'r');
  size = fs.fstatSync(handle).size;
  const { MessageHeader } = arrow;
  const messages = walkMessages(arrow);
  const of = (type) => messages.filter(({ message }) => message.headerType === type);
  const [schema] = of(MessageHeader.Schema);
  if (!schema || messages[0] !== schema) throw new Error('it does not begin with a schema');
  head = concat([schema, ...of(MessageHeader.DictionaryBatch)].map(({ at, length }) => readBytes(at, length)));
  batches = of(MessageHeader.RecordBatch).map(({ at, length, message }) => ({ at, length, rows: Number(message.header().length) }));
  const fields = arrow.RecordBatchReader.from(concat([readBytes(schema.at, schema.length), end])).open().schema.fields;
  leaves = fields.flatMap((field) => describe(field, field.name, arrow, { list: false }, []));
  for (const { rows } of batches) if (!(rows >= 0 && rows < 2 ** 31)) throw new Error('a record batch of ' + rows + ' rows');
  return { groups: batches.map(({ rows }) => rows), leaves };
};
const work = (arrow, { file, group, names }) => {
  if (file !== undefined) return { value: open(arrow, file) };
  if (names === undefined) return { value: close() };
  return { value: readBatch(arrow, group, names) };
};
// a damaged length would be walked to its end, and each step kept
const guard = ({ ByteBuffer }) => {
  const lengthOf = ByteBuffer.prototype.__vector_len;
  ByteBuffer.prototype.__vector_len = function (offset) {
    const length = lengthOf.call(this, offset);
    if (!(length >= 0 && length <= this.capacity())) throw new Error('a list of ' + length + ' in ' + this.capacity() + ' bytes');
    return length;
  };
};
// what comes out of a buffer stands before it; a damaged one gives less
const unpackZstd = (zstd, input) => {
  const length = Number(new DataView(input.buffer, input.byteOffset - 8, 8).getBigInt64(0, true));
  if (length === 0) return new Uint8Array(0);
  if (!(length > 0 && length <= maxBody)) throw new Error('memory limit: a buffer of ' + length + ' bytes, above ' + maxBody);
  const output = zstd.decode(input, length);
  if (output.length !== length) throw new Error('a buffer gave ' + output.length + ' bytes for ' + length);
  return output;
};
serve(work, async (arrow, flatbuffers, { ZSTDDecoder }) => {
  guard(flatbuffers);
  const zstd = new ZSTDDecoder();
  await zstd.init();
  arrow.compressionRegistry.set(arrow.CompressionType.LZ4_FRAME, { decode: unpackLz4 });
  arrow.compressionRegistry.set(arrow.CompressionType.ZSTD, { decode: (input) => unpackZstd(zstd, input) });
  return arrow;
});
`,
};
