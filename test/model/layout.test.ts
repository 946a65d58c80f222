import { loadAddon, type EncoderConfig } from '../../src/addon.js';
import { perceptronLayout, encoderLayout, sizeOf, weightCount } from '../../src/model/layout.js';
import { trainerDefaults } from '../support/encoder.js';

const addon = loadAddon();
const published: EncoderConfig = {
  features: 7,
  ptFeature: 'linear',
  ptScale: 40,
  mask: 'hard',
  width: 160,
  heads: 4,
  layers: 4,
  feedForward: 160,
  output: 160,
  headLayers: 2,
  headNorm: false,
  dropout: 0.1,
};

test.each<[string, Partial<EncoderConfig>]>([
  ['published', {}],
  ['other widths everywhere', { width: 12, heads: 3, feedForward: 20, output: 5, layers: 2, headLayers: 3 }],
  ['normalised head', { width: 8, headLayers: 3, output: 6, headNorm: true }],
  ['no head', { width: 8, headLayers: 0 }],
  ['no transformer, sine and cosine', { width: 8, layers: 0, features: 8 }],
])("%s encoder: the addon's names, shapes and places", (_, changes) => {
  const config = { ...published, ...changes };
  const trainer = new addon.Trainer({ ...config, ...trainerDefaults, precision: 'f32' });
  const layout = encoderLayout(config);
  expect(layout).toEqual(trainer.layout());
  expect(weightCount(layout)).toBe(trainer.weights().length);
  trainer.dispose();
});

test.each([[[57, 32, 16, 8, 16, 32, 57]], [[5, 2, 5]], [[3, 7, 1, 7, 3]]])(
  "autoencoder %j: the addon's names, shapes and places",
  widths => {
    const model = new addon.Perceptron({
      precision: 'f64',
      learns: 'row',
      widths: Int32Array.from(widths),
      activation: 'elu',
      activateBottleneck: false,
      optimiser: { kind: 'adam' },
    });
    expect(perceptronLayout(widths)).toEqual(model.layout());
    expect(weightCount(perceptronLayout(widths))).toBe(model.weights().length);
    model.dispose();
  },
);

test('tensors lie one after the other without gaps', () => {
  const layout = encoderLayout(published);
  let end = 0;
  for (const { offset, shape } of layout) {
    expect(offset).toBe(end);
    end += sizeOf(shape);
  }
  expect(end).toBe(weightCount(layout));
  expect(new Set(layout.map(({ name }) => name)).size).toBe(layout.length);
  expect([sizeOf([]), sizeOf([7]), sizeOf([2, 3])]).toEqual([1, 7, 6]);
});
