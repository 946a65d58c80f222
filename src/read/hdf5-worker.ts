import { Worker } from 'node:worker_threads';

/**
 * Runs in the worker. A string, since a worker needs JavaScript and this source also runs untranspiled (tests, tools).
 * `{ file, wanted }` opens a file and describes the datasets `wanted`; `{ name, from, to }` reads rows; `{}` closes.
 */
const workerSource = `
const { parentPort, workerData } = require('node:worker_threads');
const library = import(workerData).then(async ({ default: h5wasm }) => {
  (await h5wasm.ready).activate_throwing_error_handler();
  return h5wasm;
});
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
  if (request.name) return file.get(request.name).slice([[request.from, request.to]]);
  if (!request.file) return file.close();
  file = new h5wasm.File(request.file, 'r');
  const names = file.keys();
  return { names, datasets: request.wanted.map((name) => (names.includes(name) ? describe(h5wasm, name) : null)) };
};
parentPort.on('message', async (request) => {
  try {
    const value = work(await library, request);
    parentPort.postMessage({ value }, value?.buffer ? [value.buffer] : []);
  } catch (error) {
    parentPort.postMessage({ failure: String(error?.message ?? error) });
  }
});
`;

/** Far beyond any honest read of one slab, also over a network. */
const deadlineSeconds = 120;

type Answer = { readonly value: unknown; readonly failure?: undefined } | { readonly failure: string };
type Request =
  | { readonly file: string; readonly wanted: readonly string[] }
  | { readonly name: string; readonly from: number; readonly to: number }
  | Record<string, never>;

/** Kept for the next file, since starting one takes a tenth of a second. */
let spare: Hdf5Worker | undefined;

/**
 * The HDF5 library in a thread of its own. A damaged file can make the library abort, corrupt its memory, leak handles
 * (and with them serve old data under a new file's name) or never return. All of that ends with the thread, and a thread
 * that met any failure is not used again.
 */
export class Hdf5Worker {
  private readonly worker: Worker;
  private failed = false;
  private pending = 0;

  private constructor() {
    const options = { eval: true, workerData: import.meta.resolve('h5wasm/node'), stdout: true, stderr: true };
    this.worker = new Worker(workerSource, options);
    this.worker.on('error', () => (this.failed = true)).on('exit', () => (this.failed = true));
  }

  /** A worker without a file. */
  static take(): Hdf5Worker {
    const ready = spare;
    spare = undefined;
    if (!ready || ready.failed) return new Hdf5Worker();
    ready.worker.ref();
    return ready;
  }

  /** Sends a request, once the one before is answered. Rejects with the library's own message. */
  async ask(request: Request): Promise<unknown> {
    if (this.failed) throw new Error('the reader stopped');
    this.pending += 1;
    const answer = await new Promise<Answer>(resolve => {
      const settle = (result: Answer) => {
        clearTimeout(timer);
        this.worker.off('message', settle).off('error', onError).off('exit', onExit);
        resolve(result);
      };
      const onError = (error: Error) => settle({ failure: error.message });
      const onExit = () => settle({ failure: 'the reader stopped' });
      const timer = setTimeout(() => settle({ failure: `no answer in ${deadlineSeconds} s` }), deadlineSeconds * 1000);
      this.worker.on('message', settle).on('error', onError).on('exit', onExit);
      this.worker.postMessage(request);
    });
    this.pending -= 1;
    if (answer.failure === undefined) return answer.value;
    this.failed = true;
    throw new Error(answer.failure);
  }

  /** Closes the file and keeps the thread for another, or ends it if it can't be trusted. */
  static async release(used: Hdf5Worker): Promise<void> {
    if (!used.failed && used.pending === 0 && !spare) await used.ask({}).catch(() => undefined);
    if (used.failed || used.pending > 0 || spare) {
      await used.worker.terminate();
      return;
    }
    used.worker.unref();
    spare = used;
  }
}
