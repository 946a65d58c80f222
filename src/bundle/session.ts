import { availableParallelism } from 'node:os';
import { AnomalyClrError, UsageError } from '../errors.js';
import { own, SessionThread, type Tensors } from './thread.js';

export type { Tensor, Tensors, TensorValues } from './thread.js';

export type Provider = 'auto' | 'cpu' | 'cuda' | 'tensorrt';

export interface OpenSessionOptions {
  /** Default auto. */
  readonly provider?: Provider;
  /** 0, the default, is one for every core. */
  readonly threads?: number;
  /** Of the model, for messages. */
  readonly name?: string;
}

/** An ONNX model that is ready to run, in a thread of its own. Calls may overlap: they are answered in order. */
export interface OnnxSession {
  /** What computes: `cpu`, `cuda` or `tensorrt`. */
  readonly provider: string;
  /** Of ONNX Runtime. */
  readonly version: string;
  /**
   * @param feeds - by name of the input; not changed, not kept
   * @param fetches - outputs that are wanted; all where it is left out
   */
  run(feeds: Tensors, fetches?: readonly string[]): Promise<Tensors>;
  /** Ends the thread; runs under way reject. */
  dispose(): Promise<void>;
}

/**
 * Opens any ONNX model.
 *
 * @throws AnomalyClrError where ONNX Runtime is not installed or makes no session of the bytes; UsageError where the
 * provider asked for does not work here
 * @example
 * const session = await openSession(await readFile('model.onnx'), { threads: 1 });
 * const { score } = await session.run({ objects: { type: 'float32', dims: [1, 19, 4], data: objects } });
 * await session.dispose();
 */
export async function openSession(bytes: Uint8Array, options: OpenSessionOptions = {}): Promise<OnnxSession> {
  const { provider = 'auto', threads = 0, name = 'model' } = options;
  const { thread, provider: found } = await openThread(bytes, name, provider, coresFor(threads));
  return {
    provider: found,
    version: thread.version,
    run: (feeds, fetches) => thread.run(own(feeds), fetches),
    dispose: () => thread.dispose(),
  };
}

/** Threads that an option asks for: 0 is one for every core. */
export const coresFor = (threads: number): number => (threads > 0 ? threads : availableParallelism());

/** What ONNX Runtime is given for each: those that take the operations it lacks follow. One that is absent throws. */
export const providerLists: Readonly<Record<Exclude<Provider, 'auto'>, readonly string[]>> = {
  cpu: ['cpu'],
  cuda: ['cuda', 'cpu'],
  tensorrt: ['tensorrt', 'cuda', 'cpu'],
};

/** A thread with the provider that was asked for; `auto` is CUDA where it works, else the processor. */
export async function openThread(
  bytes: Uint8Array,
  name: string,
  provider: Provider,
  threads: number,
  onEnd?: (thread: SessionThread) => void,
): Promise<{ thread: SessionThread; provider: Exclude<Provider, 'auto'> }> {
  const open = (on: Exclude<Provider, 'auto'>) =>
    SessionThread.open(bytes, name, { threads, providers: providerLists[on] }, onEnd);
  if (provider === 'cpu') return { thread: await open('cpu'), provider };
  if (provider === 'auto') {
    const thread = await open('cuda').catch(() => undefined);
    return thread ? { thread, provider: 'cuda' } : { thread: await open('cpu'), provider: 'cpu' };
  }
  try {
    return { thread: await open(provider), provider };
  } catch (error) {
    // where the processor takes the model, the fault is the provider's
    const onProcessor = await open('cpu').catch(() => undefined);
    if (!onProcessor || !(error instanceof AnomalyClrError)) throw error;
    await onProcessor.dispose();
    throw new UsageError(
      `--provider ${provider} does not work here (${error.message}); ${getProvider[provider]}, or use --provider cpu`,
    );
  }
}

const wheel =
  "put the libonnxruntime_providers_*.so of PyPI's onnxruntime-gpu 1.30.0 beside onnxruntime-node's libonnxruntime.so.1";
/** How a provider comes to work that does not. */
export const getProvider = {
  cuda: `${wheel}, with CUDA and cuDNN on the library path`,
  tensorrt: `${wheel}, with CUDA, cuDNN and TensorRT on the library path`,
} as const;
