import type { LibraryProgram } from './library-thread.js';

/** `{ file, wanted }` opens a file and describes the datasets `wanted`; `{ name, from, to }` reads rows; `{}` closes. */
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
const work = (h5wasm, request) => {
  if (request.name) {
    const value = file.get(request.name).slice([[request.from, request.to]]);
    return { value, transfer: value?.buffer ? [value.buffer] : [] };
  }
  if (!request.file) return { value: file.close() };
  file = new h5wasm.File(request.file, 'r');
  const names = file.keys();
  return { value: { names, datasets: request.wanted.map((name) => (names.includes(name) ? describe(h5wasm, name) : null)) } };
};
serve(work, async ({ default: h5wasm }) => {
  (await h5wasm.ready).activate_throwing_error_handler();
  return h5wasm;
});
`,
};
