import { AnomalyClrError, UsageError } from '../errors.js';
import type { Device } from './cuda.js';
import type { Engine } from './engine.js';

export type * from './engine.js';

/** Which engine is wanted, and how it is to compute. What is left out is `auto`, on all cores. */
export interface EngineChoice {
  readonly engine?: string;
  /** What the native engine computes on; `auto` takes a GPU where one works. */
  readonly device?: Device;
  /** Which GPU; what LOCAL_RANK says where it is left out, else the first. */
  readonly deviceIndex?: number;
  /** 0 is a thread for every core. */
  readonly threads?: number;
  readonly tfjsBackend?: 'auto' | 'node-gpu' | 'node' | 'wasm' | 'cpu';
  readonly tfjsKernels?: 'auto' | 'native' | 'pure';
}

/** The engines there are, best first; each is loaded when it is opened. */
const engines: Readonly<Record<string, (choice: EngineChoice) => Promise<Engine>>> = {
  native: async ({ threads = 0, device = 'auto', deviceIndex }) =>
    (await import('./native.js')).nativeEngine(threads, device, deviceIndex),
  tfjs: async ({ threads = 0, tfjsBackend = 'auto', tfjsKernels = 'auto' }) =>
    (await import('./tfjs/index.js')).tfjsEngine({ backend: tfjsBackend, kernels: tfjsKernels, threads }),
};

/**
 * Opens an engine; `auto` takes the best that works here, and says in its `notice` what kept it from a better one.
 *
 * @throws AnomalyClrError when it does not work on this machine, saying what is missing
 * @example
 * const engine = await openEngine({ engine: 'tfjs', tfjsBackend: 'wasm' });
 */
export async function openEngine(choice: EngineChoice = {}): Promise<Engine> {
  const { device = 'auto' } = choice;
  if (device === 'cuda' && choice.engine === 'tfjs')
    throw new UsageError('--device cuda: is of the native engine; that of TensorFlow.js takes --tfjs-backend node-gpu');
  // of all engines one computes there
  const name = device === 'cuda' ? (choice.engine ?? 'native').replace('auto', 'native') : (choice.engine ?? 'auto');
  if (name !== 'auto') {
    if (!Object.hasOwn(engines, name))
      throw new UsageError(`--engine ${name}: there are ${Object.keys(engines).join(', ')}`);
    return engines[name](choice);
  }
  const reasons: string[] = [];
  for (const open of Object.values(engines)) {
    try {
      const engine = await open(choice);
      if (reasons.length === 0) return engine;
      return { ...engine, notice: `computing on the slower engine ${engine.describe()}: ${reasons.join('; ')}` };
    } catch (error) {
      // what is missing is no mistake of the user's; a wrong setting is, and no engine would take it
      if (!(error instanceof AnomalyClrError) || error instanceof UsageError) throw error;
      reasons.push(error.message);
    }
  }
  throw new AnomalyClrError(reasons.join('; '));
}
