import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { AnomalyClrError } from '../errors.js';
import { oneLine } from '../files.js';
import { findPlatform, platformName, platformSpec } from '../platform.js';
import type { Numbers } from '../read/schema/column-file.js';

/** Values of a tensor in memory; `bool` is Uint8Array of 1 and 0, `float16` Uint16Array of its bits. */
export type TensorValues = Numbers;

export interface Tensor {
  /** ONNX Runtime's name of it: float32, int64, bool and so on. */
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: TensorValues;
}

export type Tensors = Readonly<Record<string, Tensor>>;

/** Tensors in memory of their own, which goes to the thread that is given them. */
export type OwnedTensors = Readonly<Record<string, { type: string; dims: readonly number[]; bytes: ArrayBuffer }>>;

/** Copies tensors, so that they can be handed over. */
export function own(tensors: Tensors): OwnedTensors {
  const owned = Object.entries(tensors).map(([name, { type, dims, data }]) => [
    name,
    { type, dims, bytes: copyOf(data) },
  ]);
  return Object.fromEntries(owned) as OwnedTensors;
}

/** How a session is made. */
export interface ThreadOptions {
  /** Of one operation. */
  readonly threads: number;
  /** Tried in this order, all in one session. */
  readonly providers: readonly string[];
}

/**
 * Runs in the worker. A string, since a worker needs JavaScript and this source also runs untranspiled (tests, tools).
 * `{ model, threads, providers }` makes the session; `{ feeds, fetches }` runs it. Errors come as exceptions with all
 * that ONNX Runtime knows, so its own lines on standard error are kept to the fatal ones.
 *
 * Without spinning a pool of threads that waits for work costs no time of the processor. At 100 runs a second of one
 * event, two threads took 76 % of a core spinning and 10 % without, at the same latency.
 */
const workerSource = `
const { parentPort, workerData } = require('node:worker_threads');
const arrays = { float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array, bool: Uint8Array,
  int16: Int16Array, uint16: Uint16Array, float16: globalThis.Float16Array ?? Uint16Array, int32: Int32Array,
  uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array };
const closing = new Int32Array(workerData.closing);
const library = import(workerData.library).then((loaded) => {
  const ort = loaded.default ?? loaded;
  ort.env.logLevel = 'fatal';
  return ort;
});
let session;
const open = async (ort, { model, threads, providers }) => {
  session = await ort.InferenceSession.create(new Uint8Array(model), {
    executionProviders: providers, intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential',
    graphOptimizationLevel: 'all', extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  return { version: ort.env.versions.node };
};
const run = async (ort, { feeds, fetches }) => {
  const inputs = {};
  for (const [name, { type, dims, bytes }] of Object.entries(feeds))
    inputs[name] = new ort.Tensor(type, new arrays[type](bytes), dims);
  const outputs = fetches ? await session.run(inputs, fetches) : await session.run(inputs);
  const value = {};
  for (const [name, { type, dims, data }] of Object.entries(outputs)) value[name] = { type, dims, data };
  return value;
};
const answer = (message) => {
  const buffers = Object.values(message.value ?? {}).map(({ data }) => data?.buffer).filter((b) => b?.byteLength > 0);
  try {
    parentPort.postMessage(message, [...new Set(buffers)]);
  } catch {
    parentPort.postMessage(message); // memory of the library's own can't be handed over on every Node.js: a copy
  }
};
parentPort.on('message', async ({ id, request }) => {
  if (Atomics.load(closing, 0)) return parentPort.close(); // nothing else keeps the thread
  try {
    const ort = await library;
    answer({ id, value: await (request.model ? open(ort, request) : run(ort, request)) });
  } catch (error) {
    parentPort.postMessage({ id, failure: String(error?.message ?? error) });
  }
});
`;

type Request =
  | { readonly model: ArrayBuffer; readonly threads: number; readonly providers: readonly string[] }
  | {
      readonly feeds: OwnedTensors;
      readonly fetches: readonly string[] | undefined;
    };
interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly failure?: string;
}
interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Where ONNX Runtime lies: the user's own onnxruntime-node, which may compute on a GPU, else that of the platform's
 * package. The first comes without the CUDA libraries that its own script would download.
 *
 * @throws AnomalyClrError saying how to get it
 */
export function findRuntime(name = 'onnxruntime-node', platform = platformName()): string {
  try {
    return import.meta.resolve(name);
  } catch {
    const prebuilt = findPlatform(platform);
    if (prebuilt) return pathToFileURL(path.join(prebuilt.folder, 'onnxruntime.cjs')).href;
    throw new AnomalyClrError(
      `${name} is not installed, which runs bundles; get it by npm install ${platformSpec(platform)}, or npm_config_onnxruntime_node_install=skip npm install onnxruntime-node@1.30.0`,
    );
  }
}

/**
 * One session of ONNX Runtime in a thread of its own: the library computes on the thread that calls it. Runs are
 * answered in order. A thread without work does not keep the process alive.
 */
export class SessionThread {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private next = 0;
  private closed: AnomalyClrError | undefined;
  private readonly closing = new Int32Array(new SharedArrayBuffer(4));
  private readonly ended: Promise<unknown>;
  /** Of ONNX Runtime, once the session is made. */
  version = '';

  private constructor(
    private readonly name: string,
    private readonly onEnd: ((thread: SessionThread) => void) | undefined,
  ) {
    const workerData = { library: findRuntime(), closing: this.closing.buffer };
    this.worker = new Worker(workerSource, { eval: true, workerData });
    this.ended = new Promise(resolve => this.worker.once('exit', resolve));
    this.worker
      .on('message', (answer: Answer) => this.settle(answer))
      .on('error', error => this.end(error instanceof Error ? error.message : String(error)))
      .on('exit', code => this.end(`exit code ${code}`));
  }

  /**
   * @param name - of the model, for messages
   * @param onEnd - called once where the thread ends without being asked to
   * @throws AnomalyClrError with ONNX Runtime's reason where it makes no session of the bytes
   */
  static async open(
    model: Uint8Array,
    name: string,
    { threads, providers }: ThreadOptions,
    onEnd?: (thread: SessionThread) => void,
  ): Promise<SessionThread> {
    const thread = new SessionThread(name, onEnd);
    try {
      const request = { model: copyOf(model), threads, providers };
      ({ version: thread.version } = (await thread.ask(request, [request.model])) as { version: string });
      return thread;
    } catch (error) {
      await thread.dispose();
      throw error;
    }
  }

  /** Runs that are under way or wait in the thread. */
  get pending(): number {
    return this.waiting.size;
  }

  /**
   * @param feeds - handed over: they can't be used again
   * @param fetches - outputs that are wanted; all where it is left out
   */
  async run(feeds: OwnedTensors, fetches?: readonly string[]): Promise<Tensors> {
    const buffers = Object.values(feeds).map(({ bytes }) => bytes);
    return (await this.ask({ feeds, fetches }, buffers)) as Tensors;
  }

  /**
   * Ends the thread; runs under way reject. It ends by itself once the library has come back to it: a thread that is
   * terminated in the middle of a run takes the whole process along.
   */
  async dispose(): Promise<void> {
    this.close(new AnomalyClrError(`${this.name}: was closed before this was computed`));
    Atomics.store(this.closing, 0, 1);
    this.worker.ref();
    this.worker.postMessage({});
    await this.ended;
  }

  private ask(request: Request, transfer: ArrayBuffer[]): Promise<unknown> {
    if (this.closed) return Promise.reject(this.closed);
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.ref();
      this.worker.postMessage({ id, request }, transfer);
    });
  }

  private settle({ id, value, failure }: Answer): void {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (this.waiting.size === 0 && !this.closed) this.worker.unref();
    if (failure === undefined) waiting?.resolve(value);
    else waiting?.reject(new AnomalyClrError(`${this.name}: ONNX Runtime: ${oneLine(failure)}`));
  }

  private end(reason: string): void {
    if (this.closed) return;
    const what = `the thread that computes it ended (${oneLine(reason)})`;
    this.close(new AnomalyClrError(`${this.name}: ${what}; where memory ran out, try again with fewer events at once`));
    this.onEnd?.(this);
  }

  private close(reason: AnomalyClrError): void {
    this.closed ??= reason;
    for (const { reject } of this.waiting.values()) reject(this.closed);
    this.waiting.clear();
  }
}

/** The bytes of a view in memory of their own, which a thread may be handed. */
function copyOf(data: TensorValues): ArrayBuffer {
  const copy = new Uint8Array(data.byteLength);
  copy.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return copy.buffer;
}
