import type { LibraryProgram } from './library-thread.js';

/**
 * `{ file, wanted }` opens a file and describes the datasets `wanted`; `{ file, group }` those below a group, by their
 * paths in it; `{ name, from, to }` reads rows, of lists of different lengths the lists end to end and their lengths; `{ attribute }`
 * reads a text of the file's own; `{}` closes.
 */
export const hdf5Program: LibraryProgram = {
  module: 'h5wasm/node',
  source: `
let file;
const describe = (h5wasm, name) => {
  const d = file.get(name);
  if (!(d instanceof h5wasm.Dataset)) return null;
  const { type, size, signed, shape, chunks } = d.metadata;
  const kind = type === 1 ? 'float' : type === 0 ? (signed ? 'int' : 'uint') : undefined;
  return { type: kind ? kind + size * 8 : 'other', shape, chunks, bytesPerValue: size,
    filters: d.filters.map(({ id, name }) => ({ id, name })) };
};
// a list per row: h5wasm gives an array of typed arrays
const describeList = (d) => ({ ...numbers(d.metadata.vlen_type), list: true, shape: d.shape, chunks: d.metadata.chunks,
  filters: d.filters.map(({ id, name }) => ({ id, name })) });
const numbers = ({ type, size, signed, enum_type }) => {
  const isBool = type === 8 && size === 1 && Object.keys(enum_type?.members ?? {}).sort().join() === 'FALSE,TRUE';
  const kind = type === 1 && size > 2 ? 'float' : type === 0 ? (signed ? 'int' : 'uint') : undefined;
  return { type: isBool ? 'bool' : kind ? kind + size * 8 : 'other', bytesPerValue: size };
};
const maxDatasets = 10000;
const below = (h5wasm, group, prefix, depth, found) => {
  for (const name of group.keys()) {
    const one = group.get(name);
    const path = prefix + name;
    if (one instanceof h5wasm.Group && depth > 0) below(h5wasm, one, path + '/', depth - 1, found);
    if (!(one instanceof h5wasm.Dataset) || found.length >= maxDatasets) continue;
    const list = one.metadata.type === 9 && one.metadata.vlen_type;
    found.push([path, list ? describeList(one) : { ...describe(h5wasm, one.path), ...numbers(one.metadata) }]);
  }
  return found;
};
const readRows = ({ name, from, to }) => {
  const value = file.get(name).slice([[from, to]]);
  if (!Array.isArray(value)) return { value, transfer: value?.buffer ? [value.buffer] : [] };
  const lengths = Int32Array.from(value, (list) => list.length);
  const values = new (value[0]?.constructor ?? Float32Array)(lengths.reduce((a, b) => a + b, 0));
  let at = 0;
  for (const list of value) {
    values.set(list, at);
    at += list.length;
  }
  return { value: { values, lengths }, transfer: [values.buffer, lengths.buffer] };
};
const work = (h5wasm, request) => {
  if (request.name) return readRows(request);
  if (request.attribute) {
    const value = request.attribute in file.attrs ? file.attrs[request.attribute].value : null;
    return { value: typeof value === 'string' ? value : null };
  }
  if (!request.file) return { value: file.close() };
  file = new h5wasm.File(request.file, 'r');
  const names = file.keys();
  if (request.group !== undefined) {
    const group = file.get(request.group);
    return { value: group instanceof h5wasm.Group ? { names, found: below(h5wasm, group, '', 3, []) } : { names } };
  }
  return { value: { names, datasets: request.wanted.map((name) => (names.includes(name) ? describe(h5wasm, name) : null)) } };
};
serve(work, async ({ default: h5wasm }) => {
  (await h5wasm.ready).activate_throwing_error_handler();
  return h5wasm;
});
`,
};
