import util from 'node:util';
import type * as tfjs from '@tensorflow/tfjs';
import { AnomalyClrError } from '../errors.js';
import { oneLine } from '../files.js';
import tf from './tf.js';

/** TensorFlow.js backends, fastest first. */
export const backendNames = ['node-gpu', 'node', 'wasm', 'cpu'] as const;
export type BackendName = (typeof backendNames)[number];

/** A backend that is ready to compute. */
export interface Backend {
  readonly name: BackendName;
  /** Its name, and what it computes with. */
  readonly describe: string;
  /** Rows of padding that cost as much as one more bucket of attention: what the overhead of an operation comes to. */
  readonly bucketRows: number;
  /** Whether the addon's kernels are faster there than its own; on a GPU numbers had better stay where they are. */
  readonly nativePays: boolean;
}

/** How each is called inside TensorFlow.js; what it comes from, where that is a package of its own; and its overhead. */
const backends: Readonly<
  Record<BackendName, { id: string; needs?: string; bucketRows: number; nativePays: boolean; add: string }>
> = {
  'node-gpu': {
    id: 'tensorflow',
    needs: '@tensorflow/tfjs-node-gpu',
    bucketRows: 512,
    nativePays: false,
    add: 'npm install @tensorflow/tfjs-node-gpu@4.22.0, or where its download is blocked tools/tfjs-node-offline . gpu',
  },
  node: {
    id: 'tensorflow',
    needs: '@tensorflow/tfjs-node',
    bucketRows: 64,
    nativePays: true,
    add: 'npm install @tensorflow/tfjs-node@4.22.0, or where its download is blocked tools/tfjs-node-offline',
  },
  wasm: { id: 'wasm', bucketRows: 8, nativePays: true, add: 'install the packages of this project again' },
  cpu: { id: 'cpu', bucketRows: 1, nativePays: true, add: 'install the packages of this project again' },
};

/** How to get a backend that is missing. */
export const howToAdd = (name: BackendName): string => backends[name].add;

/** The package that a backend comes from, where it has one of its own. */
export const nodePackage = (name: BackendName): string | undefined => backends[name].needs;

let loadedNode: BackendName | undefined;

/**
 * Makes a backend ready and current. `auto` takes the fastest that works here.
 *
 * @param threads most threads for tfjs-node, which takes them when it is first opened; 0 is all cores
 * @throws AnomalyClrError where it is not installed or does not load, saying how to get it
 * @example
 * const { name } = await openBackend('auto', 0); // then tf.matMul(..) runs there
 */
export async function openBackend(name: BackendName | 'auto', threads: number): Promise<Backend> {
  if (name !== 'auto') return openOne(name, threads);
  for (const candidate of backendNames) {
    const backend = await openOne(candidate, threads).catch(() => undefined);
    if (backend) return backend;
  }
  throw new AnomalyClrError('TensorFlow.js: no backend works here; install the packages of this project again');
}

async function openOne(name: BackendName, threads: number): Promise<Backend> {
  const { id, needs, add } = backends[name];
  const fail = (why: string): never => {
    throw new AnomalyClrError(`TensorFlow.js backend ${name}: ${why}; to add it: ${add}`);
  };
  tf.enableProdMode(); // which spares the console its advice
  let describe: string = name;
  if (needs !== undefined) describe = await loadNode(name, needs, threads).catch((e: Error) => fail(e.message));
  else if (name === 'wasm') await import('./wasm.js').catch((e: Error) => fail(oneLine(e.message)));
  if (!(await start(id))) fail('does not start on this machine');
  if (name === 'wasm') describe = tf.env().getBool('WASM_HAS_SIMD_SUPPORT') ? 'wasm with SIMD' : 'wasm';
  // tfjs-node-gpu without a GPU is tfjs-node
  const { bucketRows, nativePays } = backends[name === 'node-gpu' && !describe.includes('GPU') ? 'node' : name];
  return { name, describe, bucketRows, nativePays };
}

/** Makes a backend current. What its start listens to is taken back: the wasm one answers any error with its source. */
async function start(id: string): Promise<boolean> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map(event => process.rawListeners(event));
  const works = await tf.setBackend(id).catch(() => false);
  events.forEach((event, i) => {
    for (const listener of process.rawListeners(event))
      if (!before[i].includes(listener)) process.removeListener(event, listener as () => void);
  });
  return works;
}

interface NodeBackend {
  binding: { TF_Version: string };
  isGPUPackage: boolean;
  isUsingGpuDevice: boolean;
}

/** Loads tfjs-node or tfjs-node-gpu; only one of them can be in a process. Its version in words. */
async function loadNode(name: BackendName, module: string, threads: number): Promise<string> {
  if (loadedNode !== undefined && loadedNode !== name)
    throw new Error(`${loadedNode} is in use already in this process`);
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  if (threads > 0) process.env['TF_NUM_INTRAOP_THREADS'] ??= String(threads);
  // gone from Node.js 23, which tfjs-node 4.22 does not know
  const old = util as { isNullOrUndefined?: (x: unknown) => boolean };
  old.isNullOrUndefined ??= x => x === null || x === undefined;
  try {
    await import(module);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // a package that it needs itself may be what is missing: then it is installed, and broken
    const absent = /^(ERR_)?MODULE_NOT_FOUND$/.test(code ?? '') && message.includes(`'${module}'`);
    throw new Error(absent ? 'is not installed' : `does not load (${oneLine(message)})`);
  }
  loadedNode = name;
  const { binding, isUsingGpuDevice } = tf.findBackend('tensorflow') as unknown as NodeBackend & tfjs.KernelBackend;
  return `${name}, TensorFlow ${binding.TF_Version}${isUsingGpuDevice ? ', GPU' : ''}`;
}

/** Makes the backend current, if another engine of this process has changed it meanwhile. */
export function makeCurrent({ name }: Backend): void {
  const { id } = backends[name];
  if (tf.getBackend() !== id) void tf.setBackend(id); // at once, as it has been opened before
}
