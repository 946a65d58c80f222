import { availableParallelism } from 'node:os';
import { AnomalyClrError, UsageError } from '../errors.js';
import { SessionThread, type Tensors } from './thread.js';

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
    run: (feeds, fetches) => thread.run(feeds, fetches),
    dispose: () => thread.dispose(),
  };
}

/** Threads that an option asks for: 0 is one for every core. */
export const coresFor = (threads: number): number => (threads > 0 ? threads : availableParallelism());

/** What ONNX Runtime is given for each provider: those it may fall back on for operators that the first lacks follow. */
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
): Promise<{ thread: SessionThread; provider: Exclude<Provider, 'auto'> }> {
  if (provider === 'cpu' || provider === 'auto') {
    if (provider === 'auto') {
      // An absent provider throws even where others stand behind it.
      const thread = await SessionThread.open(bytes, name, { threads, providers: providerLists.cuda }).catch(
        () => undefined,
      );
      if (thread) return { thread, provider: 'cuda' };
    }
    return {
      thread: await SessionThread.open(bytes, name, { threads, providers: providerLists.cpu }),
      provider: 'cpu',
    };
  }
  const thread = await SessionThread.open(bytes, name, { threads, providers: providerLists[provider] }).catch(
    (error: unknown) => {
      if (!(error instanceof AnomalyClrError)) throw error;
      if (!/ExecutionProvider|provider/i.test(error.message)) throw error; // the model's fault, not the provider's
      throw new UsageError(`--provider ${provider} does not work here: ${error.message}; ${getProvider[provider]}`);
    },
  );
  return { thread, provider };
}

const wheel =
  "put the libonnxruntime_providers_*.so of PyPI's onnxruntime-gpu 1.30.0 beside onnxruntime-node's libonnxruntime.so.1";
/** How a provider comes to work that does not. */
export const getProvider = {
  cuda: `${wheel}, with CUDA and cuDNN on the library path, or use --provider cpu`,
  tensorrt: `${wheel}, with CUDA, cuDNN and TensorRT on the library path, or use --provider cpu`,
} as const;
