import type { LibraryProgram } from '../library-thread.js';
import { missingSource } from './column-file.js';

/**
 * `{ file }` opens a Parquet file and tells its row groups, its leaves and the texts beside them; `{ group, names }` reads leaves of one row group,
 * flat; `{}` closes.
 */
export const parquetProgram: LibraryProgram = {
  module: 'hyparquet',
  also: [
    'hyparquet-compressors',
    ...['column', 'datapage', 'convert', 'plain', 'schema'].map(part => `hyparquet/src/${part}.js`),
    'zstddec',
  ],
  limits: { maxOldGenerationSizeMb: 2048 },
  source: `${missingSource}
const fs = require('node:fs');
const zlib = require('node:zlib');
let handle, size, metadata, tree, leaves, compressors;

const bytes = {
  get byteLength() { return size; },
  slice(start, end = size) {
    if (!(start >= 0 && start <= end && end <= size)) throw new Error('bytes ' + start + ' to ' + end + ' of ' + size);
    const out = new Uint8Array(end - start);
    for (let got = 0; got < out.length;) {
      const more = fs.readSync(handle, out, got, out.length - got, start + got);
      if (more === 0) throw new Error('the file became shorter');
      got += more;
    }
    return out.buffer;
  },
};

const maxPageBytes = 2 ** 29;
const guarded = (codecs) => Object.fromEntries(Object.entries(codecs).map(([name, unpack]) => [name, (input, length) => {
  if (!(length >= 0 && length <= maxPageBytes)) throw new Error('a page of ' + length + ' bytes');
  const output = unpack(input, length);
  if (output.length !== length) throw new Error('a page gave ' + output.length + ' bytes for ' + length);
  return output;
}]));

const integers = { INT_8: 'int8', INT_16: 'int16', INT_32: 'int32', INT_64: 'int64',
  UINT_8: 'uint8', UINT_16: 'uint16', UINT_32: 'uint32', UINT_64: 'uint64' };
const plain = { BOOLEAN: 'bool', INT32: 'int32', INT64: 'int64', FLOAT: 'float32', DOUBLE: 'float64' };
const typeOf = ({ type, converted_type: converted, logical_type: logical }) =>
  logical?.type === 'FLOAT16' ? 'float16'
    : converted ? (integers[converted] ?? String(converted).toLowerCase())
    : logical && logical.type !== 'INTEGER' ? String(logical.type).toLowerCase()
    : (plain[type] ?? (type === undefined ? 'nothing' : 'bytes'));

// the names of lists' own levels (list.element and the like) are left out
const walk = (node, name, lists, found) => {
  const { element, children } = node;
  const isList = element.converted_type === 'LIST' || element.logical_type?.type === 'LIST';
  const [inner] = children;
  if (isList && children.length === 1 && inner.element.repetition_type === 'REPEATED') {
    const record = inner.children.length === 1 ? inner.children[0] : inner;
    return walk({ ...record, element: { ...record.element, repetition_type: 'REQUIRED' } }, name, lists + 1, found);
  }
  const depth = lists + (element.repetition_type === 'REPEATED' ? 1 : 0);
  if (children.length === 0)
    found.push({ name, path: node.path.join('.'), list: depth > 0, type: depth > 1 ? 'lists of lists' : typeOf(element) });
  for (const child of children) walk(child, name === '' ? child.element.name : name + '.' + child.element.name, depth, found);
};

const arrays = { bool: Uint8Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array,
  int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array, float16: Float32Array,
  float32: Float32Array, float64: Float64Array };

// numbers that come one after the other; those without a value for a gap as float64 from the first one on
class Growing {
  constructor(type) {
    this.values = new arrays[type](1024);
    this.length = 0;
  }
  push(value) {
    if (value === undefined) throw new Error('fewer values than it says');
    if (this.length === this.values.length) this.move(this.values.constructor, this.length * 2);
    if (value === null && !bearsGaps(this.values)) this.move(Float64Array, this.values.length);
    this.values[this.length++] = value === null ? missingIn(this.values) : this.values.constructor === Float64Array ? Number(value) : value;
  }
  append(values, count) {
    const end = this.length + count;
    if (end > this.values.length) this.move(this.values.constructor, Math.max(end, this.length * 2));
    if (values.constructor === this.values.constructor) this.values.set(values.subarray(0, count), this.length);
    else {
      const { values: own, length } = this;
      const asNumber = own.constructor === Float64Array;
      for (let i = 0; i < count; i++) {
        if (values[i] === undefined) throw new Error('fewer values than it says');
        own[length + i] = asNumber ? Number(values[i]) : values[i];
      }
    }
    this.length = end;
  }
  move(type, size) {
    const { values } = this;
    this.values = new type(size);
    if (values.constructor === type) this.values.set(values);
    else for (let i = 0; i < this.length; i++) this.values[i] = Number(values[i]);
  }
  done() {
    return this.values.slice(0, this.length);
  }
}

// Dremel's levels as lists: repetition 0 begins a row; an entry is there from definition level 'entry' on, and has a value
// at the level 'full'
const addPage = (out, { definitionLevels, repetitionLevels, values }, { entry, full, list }) => {
  const count = repetitionLevels.length || definitionLevels?.length || values.length;
  const levels = definitionLevels?.length ? definitionLevels : undefined;
  const start = out.numbers.length;
  let end = start;
  let gaps = 0;
  for (let i = 0; i < count; i++) {
    const level = levels ? levels[i] : full;
    if (!repetitionLevels[i]) {
      if (out.rows === out.maxRows) throw new Error('more rows than it says');
      if (list) out.offsets[out.rows] = end;
      out.rows += 1;
    } else if (out.rows === 0) throw new Error('an entry before the first row');
    if (list && level < entry) continue;
    end += 1;
    if (level !== full) gaps += 1;
  }
  if (end - start - gaps > values.length) throw new Error('fewer values than it says');
  if (gaps === 0) return out.numbers.append(values, end - start);
  for (let i = 0, at = 0; i < count; i++) {
    if (levels[i] === full) out.numbers.push(values[at++]);
    else if (!list || levels[i] >= entry) out.numbers.push(null);
  }
};

const maxValues = 2 ** 26;
const checkPage = (header, left) => {
  const { compressed_page_size: packed, uncompressed_page_size: unpacked } = header;
  const own = header.data_page_header ?? header.data_page_header_v2 ?? header.dictionary_page_header;
  const count = own ? own.num_values : 0;
  if (!(packed >= 0 && packed <= left)) throw new Error('a page of ' + packed + ' bytes in ' + left);
  if (!(unpacked >= 0 && unpacked <= maxPageBytes)) throw new Error('a page of ' + unpacked + ' bytes');
  const { definition_levels_byte_length: definition, repetition_levels_byte_length: repetition } = header.data_page_header_v2 ?? {};
  if (header.data_page_header_v2 && !(definition >= 0 && repetition >= 0 && definition + repetition <= packed))
    throw new Error('a page without its levels');
  if (!(count >= 0 && count <= maxValues)) throw new Error('a page of ' + count + ' values');
};

// the library follows a run to its end, however long it says it is, and an array of over 2^27 ends the whole process;
// a few writers fill a run of packed bits up to 504 values
const checkRuns = (page, from, width, values) => {
  for (let at = from, seen = 0; seen < values && at < page.length;) {
    let head = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      head |= (page[at] & 127) << shift;
      more = page[at++] > 127;
    }
    const packed = head & 1;
    const count = packed ? (head >> 1) << 3 : head >>> 1;
    if (!(count >= 0 && count <= values - seen + 504)) throw new Error('a run of ' + count + ' values in a page of ' + values);
    seen += count;
    at += packed ? (count / 8) * width : (width + 7) >> 3;
  }
};
const bitsOf = (level) => 32 - Math.clz32(level);
const checkValues = (page, at, { type }, { encoding, num_values: values }) => {
  if (encoding === 'RLE' && type === 'BOOLEAN') checkRuns(page, at + 4, 1, values);
  else if (/DICTIONARY$|^RLE$/.test(encoding)) checkRuns(page, at + 1, page[at], values);
};
const readPageV1 = (datapage, packed, header, decoder, levels) => {
  const own = header.data_page_header;
  const page = datapage.decompressPage(packed, header.uncompressed_page_size, decoder.codec, decoder.compressors);
  let at = 0;
  for (const level of [levels.mostRepeated, levels.full]) {
    if (level === 0) continue;
    if (at + 4 > page.length) throw new Error('a page without its levels');
    checkRuns(page, at + 4, bitsOf(level), own.num_values);
    at += 4 + new DataView(page.buffer, page.byteOffset).getUint32(at, true);
  }
  checkValues(page, at, decoder, own);
  return datapage.readDataPage(page, own, decoder);
};
const readPageV2 = (datapage, packed, header, decoder, levels) => {
  const own = header.data_page_header_v2;
  const repeated = own.repetition_levels_byte_length;
  const before = repeated + own.definition_levels_byte_length;
  let page = packed;
  if (own.is_compressed !== false) {
    const size = header.uncompressed_page_size - before;
    const values = datapage.decompressPage(packed.subarray(before), size, decoder.codec, decoder.compressors);
    page = new Uint8Array(before + values.length);
    page.set(packed.subarray(0, before));
    page.set(values, before);
  }
  if (levels.mostRepeated > 0) checkRuns(page, 0, bitsOf(levels.mostRepeated), own.num_values);
  if (levels.full > 0) checkRuns(page, repeated, bitsOf(levels.full), own.num_values);
  checkValues(page, before, decoder, own);
  return datapage.readDataPageV2(page, { ...header, data_page_header_v2: { ...own, is_compressed: false } }, decoder);
};

// pages by the library's parts: its rows are nested arrays, ten times the memory
const readPages = ({ column, datapage, convert, plain }, bytes, decoder, levels, out) => {
  const reader = { view: new DataView(bytes), offset: 0 };
  let dictionary;
  while (reader.offset < bytes.byteLength - 1 && out.rows <= out.maxRows) {
    const header = column.parquetHeader(reader);
    checkPage(header, bytes.byteLength - reader.offset);
    const packed = new Uint8Array(bytes, reader.offset, header.compressed_page_size);
    reader.offset += packed.length;
    if (header.type === 'DICTIONARY_PAGE') {
      const page = datapage.decompressPage(packed, header.uncompressed_page_size, decoder.codec, decoder.compressors);
      const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
      const { num_values } = header.dictionary_page_header;
      dictionary = convert.convert(plain.readPlain({ view, offset: 0 }, decoder.type, num_values, decoder.element.type_length), decoder);
    } else if (header.type === 'DATA_PAGE' || header.type === 'DATA_PAGE_V2') {
      const own = header.data_page_header ?? header.data_page_header_v2;
      const readPage = header.type === 'DATA_PAGE' ? readPageV1 : readPageV2;
      const { dataPage, ...rest } = readPage(datapage, packed, header, decoder, levels);
      addPage(out, { ...rest, values: convert.convertWithDictionary(dataPage, dictionary, own.encoding, decoder) }, levels);
    }
  }
};

const readLeaf = (parts, group, { path, type, list }) => {
  const { columns, num_rows } = metadata.row_groups[group];
  const maxRows = Number(num_rows);
  const chunk = columns.filter((one) => one.meta_data?.path_in_schema.join('.') === path);
  if (chunk.length !== 1 || chunk[0].file_path) throw new Error('a row group without ' + path);
  const { meta_data: meta } = chunk[0];
  const schemaPath = parts.schema.getTreePath(tree, meta.path_in_schema);
  const decoder = { ...meta, pathInSchema: meta.path_in_schema, schemaPath, element: schemaPath.at(-1).element, compressors,
    parsers: parts.convert.DEFAULT_PARSERS };
  const steps = schemaPath.slice(1).map(({ element }) => element.repetition_type);
  const defined = (count) => steps.slice(0, count).filter((step) => step !== 'REQUIRED').length;
  const mostRepeated = steps.filter((step) => step === 'REPEATED').length;
  const levels = { list, mostRepeated, full: defined(steps.length), entry: defined(steps.indexOf('REPEATED') + 1) };
  const out = { rows: 0, maxRows, numbers: new Growing(type), offsets: new Int32Array(list ? maxRows + 1 : 0) };
  const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
  if (maxRows > 0) readPages(parts, bytes.slice(start, start + Number(meta.total_compressed_size)), decoder, levels, out);
  if (out.rows !== maxRows) throw new Error(path + ' has ' + out.rows + ' rows of ' + maxRows);
  if (list) out.offsets[maxRows] = out.numbers.length;
  return { values: out.numbers.done(), ...(list ? { offsets: out.offsets } : {}) };
};

const maxRows = 2 ** 25;
const open = async ({ parquetMetadataAsync, parquetSchema }, file) => {
  handle = fs.openSync(file, 'r');
  size = fs.fstatSync(handle).size;
  metadata = await parquetMetadataAsync(bytes, { geoparquet: false });
  leaves = [];
  tree = parquetSchema(metadata);
  walk(tree, '', 0, leaves);
  const groups = metadata.row_groups.map(({ num_rows }) => Number(num_rows));
  for (const rows of groups)
    if (!(rows >= 0 && rows <= maxRows)) throw new Error('a row group of ' + rows + ' rows, above ' + maxRows);
  const texts = (metadata.key_value_metadata ?? []).map(({ key, value }) => [key, value ?? '']);
  return { groups, leaves, texts };
};
const close = () => {
  if (handle !== undefined) fs.closeSync(handle);
  handle = metadata = tree = leaves = undefined;
};
const work = async (library, { file, group, names }) => {
  if (file !== undefined) return { value: await open(library.parquet, file) };
  if (names === undefined) return { value: close() };
  const value = {};
  for (const name of names) value[name] = readLeaf(library, group, leaves.find((one) => one.name === name));
  const transfer = Object.values(value).flatMap(({ values, offsets }) => (offsets ? [values.buffer, offsets.buffer] : [values.buffer]));
  return { value, transfer };
};
serve(work, async (parquet, codecs, column, datapage, convert, plain, schema, { ZSTDDecoder }) => {
  const zstd = new ZSTDDecoder();
  await zstd.init();
  const maxOutputLength = maxPageBytes;
  compressors = guarded({
    ...codecs.compressors,
    GZIP: (input) => zlib.gunzipSync(input, { maxOutputLength }),
    BROTLI: (input) => zlib.brotliDecompressSync(input, { maxOutputLength }),
    // that of hyparquet-compressors never ends on some damaged pages
    ZSTD: (input, length) => (length === 0 ? input.subarray(0, 0) : zstd.decode(input, length)),
  });
  return { parquet, column, datapage, convert, plain, schema };
});
`,
};
