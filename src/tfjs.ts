/**
 * Operations of anomalyclr for models of one's own on TensorFlow.js: `import .. from 'anomalyclr/tfjs'`.
 *
 * @packageDocumentation
 */
export { backendNames, howToAdd, openBackend, type Backend, type BackendName } from './ops/backend.js';
export { augmentedView, eventColumns, eventTensor } from './ops/augment.js';
export { attention, maskedAttention, type AttentionOptions, type Kernels } from './ops/attention.js';
export { contrastiveLoss, type ContrastOptions } from './ops/contrast.js';
export { layOut, type Bucket, type TokenLayout } from './ops/layout.js';
export { linear } from './ops/product.js';
export { layerNorm, sumOfEvents, takeRows, unitRows } from './ops/rows.js';
