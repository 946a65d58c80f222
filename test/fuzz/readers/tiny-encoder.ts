import type { EncoderConfig } from '../../../src/addon.js';

/** The smallest that has a part of every kind. */
export const tinyEncoder: EncoderConfig = {
  features: 8,
  ptFeature: 'log',
  ptScale: 30,
  mask: 'hard',
  width: 8,
  heads: 2,
  layers: 1,
  feedForward: 4,
  output: 4,
  headLayers: 1,
  headNorm: true,
  dropout: 0,
};
