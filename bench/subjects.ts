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
  | { readonly engine: 'onnxruntime'; readonly precision: 'f32' }
  /** The native engine on a GPU. */
  | { readonly engine: 'cuda'; readonly precision: 'f32' | 'bf16' }
  /** PyTorch on the same GPU, padded. */
  | { readonly engine: 'torch'; readonly mode: 'eager' | 'compile'; readonly precision: 'bf16' };

const backends = ['node-gpu', 'node', 'wasm', 'cpu'] as const satisfies readonly BackendName[];

const native: readonly Subject[] = [
  { engine: 'native', precision: 'f32' },
  { engine: 'native', precision: 'bf16' },
];

/** All there are. Adding one: a line here, and what it can do in `batches` and `open` of the cases. */
const onCpu: readonly Subject[] = [
  ...native,
  ...backends.flatMap(backend =>
    (['native', 'pure'] as const).map(kernels => ({ engine: 'tfjs', backend, kernels, precision: 'f32' }) as const),
  ),
  { engine: 'onnxruntime', precision: 'f32' },
];

const onGpu: readonly Subject[] = [
  ...native,
  { engine: 'cuda', precision: 'f32' },
  { engine: 'cuda', precision: 'bf16' },
  { engine: 'torch', mode: 'eager', precision: 'bf16' },
  { engine: 'torch', mode: 'compile', precision: 'bf16' },
];

/** `cuda`: a GPU and its peer, beside the native engine on the processor. */
export const subjectsOn = (device: 'cpu' | 'cuda'): readonly Subject[] => (device === 'cuda' ? onGpu : onCpu);

/** What has to work here for a subject: of subjects with one key one is asked. */
export const needOf = (subject: Subject): string =>
  subject.engine === 'tfjs'
    ? `tfjs/${subject.backend}${subject.kernels === 'native' ? ' native' : ''}`
    : subject.engine;

/** Whether it computes on a GPU that nothing else of the plan does. */
export const isGpu = ({ engine }: Subject): boolean => engine === 'cuda' || engine === 'torch';

/** Peers that take part in single cases alone. */
export const isPeer = ({ engine }: Subject): boolean => engine === 'onnxruntime' || engine === 'torch';

/** The plain loops of TensorFlow.js, hundreds of times slower than the rest. */
export const isSlow = (subject: Subject): boolean => subject.engine === 'tfjs' && subject.backend === 'cpu';
