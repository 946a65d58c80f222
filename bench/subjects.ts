import type { Kernels } from '../src/ops/attention.js';
import type { BackendName } from '../src/ops/backend.js';

/** Where a case computes. */
export type Subject =
  | { readonly engine: 'native'; readonly precision: 'f32' | 'bf16' }
  | {
      readonly engine: 'tfjs';
      readonly backend: BackendName;
      /** Who makes views, attention and losses. */
      readonly kernels: Kernels;
      readonly precision: 'f32';
    }
  | { readonly engine: 'onnxruntime'; readonly precision: 'f32' };

const backends = ['node-gpu', 'node', 'wasm', 'cpu'] as const satisfies readonly BackendName[];

/** All there are. Adding one: a line here, and what it can do in `batches` and `open` of the cases. */
export const subjects: readonly Subject[] = [
  { engine: 'native', precision: 'f32' },
  { engine: 'native', precision: 'bf16' },
  ...backends.flatMap(backend =>
    (['native', 'pure'] as const).map(kernels => ({ engine: 'tfjs', backend, kernels, precision: 'f32' }) as const),
  ),
  { engine: 'onnxruntime', precision: 'f32' },
];

/** What has to work here for a subject: of subjects with one key one is asked. */
export const needOf = (subject: Subject): string =>
  subject.engine === 'tfjs'
    ? `tfjs/${subject.backend}${subject.kernels === 'native' ? ' native' : ''}`
    : subject.engine;

/** The plain loops of TensorFlow.js, hundreds of times slower than the rest. */
export const isSlow = (subject: Subject): boolean => subject.engine === 'tfjs' && subject.backend === 'cpu';
