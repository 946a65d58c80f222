import type { LibraryProgram } from '../library-thread.js';

/**
 * `{ file }` opens a Parquet file and tells its row groups and leaves; `{ group, names }` reads leaves of one row group,
 * flat; `{}` closes.
 */
export const parquetProgram: LibraryProgram = {
  module: 'hyparquet',
  also: ['hyparquet-compressors'],
  limits: { maxOldGenerationSizeMb: 2048 },
  source: `
const fs = require('node:fs');
let handle, size, metadata, leaves, compressors;

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
const typed = (values, type) =>
  values.includes(null)
    ? Float64Array.from(values, (value) => (value === null ? NaN : Number(value)))
    : arrays[type].from(values);

const flatten = (value, out) => {
  if (value === undefined) throw new Error('fewer values than it says');
  if (typeof value === 'object' && value !== null) for (const one of value) flatten(one, out);
  else out.push(value);
};
const concat = (parts, type) => {
  if (parts.length === 1 && parts[0] instanceof arrays[type]) return parts[0].slice();
  const all = [];
  for (const part of parts) for (const value of part) {
    if (value === undefined) throw new Error('fewer values than it says');
    all.push(value);
  }
  return typed(all, type);
};

const readLeaf = async (parquetRead, group, { path, type, list }) => {
  const { columns, num_rows } = metadata.row_groups[group];
  const rows = Number(num_rows);
  const chunk = columns.filter((one) => one.meta_data?.path_in_schema.join('.') === path);
  if (chunk.length !== 1) throw new Error('a row group without ' + path);
  const parts = [];
  const one = { ...metadata, num_rows, row_groups: [{ ...metadata.row_groups[group], columns: chunk }] };
  if (rows > 0)
    await parquetRead({ file: bytes, metadata: one, compressors, onPage: ({ columnData }) => parts.push(columnData) });
  const flat = !path.includes('.') && !list;
  const pages = [...new Set(parts)];
  const got = pages.reduce((sum, page) => sum + page.length, 0);
  if (got !== rows) throw new Error(path + ' has ' + got + ' rows of ' + rows);
  if (flat) return { values: concat(pages, type) };
  const values = [];
  const offsets = new Int32Array(rows + 1);
  let row = 0;
  for (const page of pages) for (const value of page) {
    flatten(value, values);
    if (!list && values.length === row) values.push(null);
    offsets[++row] = values.length;
  }
  if (!list && values.length !== rows) throw new Error(path + ' has ' + values.length + ' values for ' + rows + ' rows');
  return { values: typed(values, type), ...(list ? { offsets } : {}) };
};

const maxRows = 2 ** 25;
const open = async ({ parquetMetadataAsync, parquetSchema }, file) => {
  handle = fs.openSync(file, 'r');
  size = fs.fstatSync(handle).size;
  metadata = await parquetMetadataAsync(bytes, { geoparquet: false });
  leaves = [];
  walk(parquetSchema(metadata), '', 0, leaves);
  const groups = metadata.row_groups.map(({ num_rows }) => Number(num_rows));
  for (const rows of groups)
    if (!(rows >= 0 && rows <= maxRows)) throw new Error('a row group of ' + rows + ' rows, above ' + maxRows);
  return { groups, leaves };
};
const close = () => {
  if (handle !== undefined) fs.closeSync(handle);
  handle = metadata = leaves = undefined;
};
const work = async (library, { file, group, names }) => {
  if (file !== undefined) return { value: await open(library, file) };
  if (names === undefined) return { value: close() };
  const value = {};
  for (const name of names) value[name] = await readLeaf(library.parquetRead, group, leaves.find((one) => one.name === name));
  const transfer = Object.values(value).flatMap(({ values, offsets }) => (offsets ? [values.buffer, offsets.buffer] : [values.buffer]));
  return { value, transfer };
};
serve(work, (library, codecs) => {
  compressors = guarded(codecs.compressors);
  return library;
});
`,
};
