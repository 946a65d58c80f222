import { Worker, type ResourceLimits } from 'node:worker_threads';
import { AnomalyClrError } from '../errors.js';
import { oneLine } from '../files.js';

/** A library that reads files, and the program that answers requests with it. */
export interface LibraryProgram {
  /** The library's module. */
  readonly module: string;
  /** Modules beside it; the program's `prepare` gets them after the library. */
  readonly also?: readonly string[];
  /**
   * JavaScript that runs in the thread: `serve(work)` answers each request with what `work(library, request)` gives, whose
   * buffers named in `transfer` of `{ value, transfer }` are handed over. A string, since a thread needs JavaScript and
   * this source also runs untranspiled (tests, tools).
   */
  readonly source: string;
  readonly limits?: ResourceLimits;
}

const preamble = `
const { parentPort, workerData } = require('node:worker_threads');
for (const name of ['log', 'info', 'warn', 'error', 'debug']) console[name] = () => {};
globalThis.fetch = undefined; // what reads files fetches nothing; zstddec would load itself by it
const serve = (work, prepare = (library) => library) => {
  const library = Promise.all(workerData.map((module) => import(module))).then((modules) => prepare(...modules));
  library.catch(() => {});
  parentPort.on('message', async (request) => {
    const ready = await library.catch((error) => parentPort.postMessage({ failure: String(error?.message ?? error), start: true }));
    if (!ready) return;
    try {
      const { value, transfer } = await work(ready, request);
      parentPort.postMessage({ value }, transfer ?? []);
    } catch (error) {
      parentPort.postMessage({ failure: String(error?.message ?? error) });
    }
  });
};
`;

/** Far beyond any honest read of one slab, also over a network. */
const deadlineSeconds = 120;

type Answer =
  | { readonly value: unknown; readonly failure?: undefined }
  /** `start`: the library itself could not be loaded. */
  | { readonly failure: string; readonly start?: boolean };

/** Kept for the next file, one of each program, since starting one takes a tenth of a second. */
const spares = new Map<LibraryProgram, LibraryThread>();

/**
 * A library in a thread of its own. A damaged file can make a library abort, corrupt its memory, leak handles (and with
 * them serve old data under a new file's name) or never return. All of that ends with the thread, and a thread that met
 * any failure is not used again. A program closes its file at the request `{}`.
 */
export class LibraryThread {
  private readonly worker: Worker;
  private failed = false;
  private pending = 0;

  private constructor(private readonly program: LibraryProgram) {
    this.worker = new Worker(preamble + program.source, {
      eval: true,
      workerData: [program.module, ...(program.also ?? [])].map(module => import.meta.resolve(module)),
      stdout: true,
      stderr: true,
      ...(program.limits ? { resourceLimits: program.limits } : {}),
    });
    this.worker.on('error', () => (this.failed = true)).on('exit', () => (this.failed = true));
  }

  /** A thread without a file. */
  static take(program: LibraryProgram): LibraryThread {
    const ready = spares.get(program);
    spares.delete(program);
    if (!ready || ready.failed) return new LibraryThread(program);
    ready.worker.ref();
    return ready;
  }

  /**
   * Sends a request, once the one before is answered. Rejects with the library's own message.
   *
   * @param seconds - after which the library is taken to hang.
   */
  async ask(request: object, seconds = deadlineSeconds): Promise<unknown> {
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
      const timer = setTimeout(() => settle({ failure: `no answer in ${seconds} s` }), seconds * 1000);
      this.worker.on('message', settle).on('error', onError).on('exit', onExit);
      this.worker.postMessage(request);
    });
    this.pending -= 1;
    if (answer.failure === undefined) return answer.value;
    this.failed = true;
    if (answer.start)
      throw new AnomalyClrError(
        `the library ${this.program.module} cannot be started (${oneLine(answer.failure)}); is there enough memory?`,
      );
    throw new Error(answer.failure);
  }

  /** Closes the file and keeps the thread for another, or ends it if it can't be trusted. */
  static async release(used: LibraryThread): Promise<void> {
    const spare = () => spares.has(used.program);
    if (!used.failed && used.pending === 0 && !spare()) await used.ask({}).catch(() => undefined);
    if (used.failed || used.pending > 0 || spare()) {
      await used.worker.terminate();
      return;
    }
    used.worker.unref();
    spares.set(used.program, used);
  }
}
