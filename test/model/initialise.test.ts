import { initialWeights, zeros } from '../../src/model/initialise.js';
import { perceptronLayout, encoderLayout, sizeOf } from '../../src/model/layout.js';

const layout = encoderLayout({
  features: 7,
  ptFeature: 'log',
  ptScale: 30,
  mask: 'hard',
  width: 32,
  heads: 4,
  layers: 3,
  feedForward: 48,
  output: 24,
  headLayers: 2,
  headNorm: true,
  dropout: 0,
});
const flat = initialWeights(layout, 7, 'f64');
const values = (name: string, of = flat): number[] => {
  const { offset, shape } = layout.find(one => one.name === name)!;
  return Array.from(of.subarray(offset, offset + sizeOf(shape)));
};

test('the same seed gives the same weights, another seed others', () => {
  expect(initialWeights(layout, 7, 'f64')).toEqual(flat);
  expect(initialWeights(layout, 8, 'f64')).not.toEqual(flat);
  expect(initialWeights(layout, 7, 'f32')).toEqual(Float32Array.from(flat));
  expect([zeros(2, 'f32'), zeros(1, 'f64')]).toEqual([new Float32Array(2), new Float64Array(1)]);
});

test('no two layers start alike', () => {
  for (const part of ['self_attn.in_proj_weight', 'self_attn.out_proj.weight', 'linear1.weight', 'linear2.bias']) {
    const starts = [0, 1, 2].map(l => values(`transformer.layers.${l}.${part}`));
    expect(starts[0]).not.toEqual(starts[1]);
    expect(starts[1]).not.toEqual(starts[2]);
  }
});

test('normalisation starts as the identity, biases of attention at 0', () => {
  const seen = { gain: 0, offset: 0, attention: 0 };
  for (const { name } of layout) {
    const expected = /norm/.test(name)
      ? name.endsWith('weight')
        ? (seen.gain++, 1)
        : (seen.offset++, 0)
      : /(in_proj_|out_proj\.)bias/.test(name)
        ? (seen.attention++, 0)
        : undefined;
    if (expected !== undefined) expect([name, values(name).every(w => w === expected)]).toEqual([name, true]);
  }
  expect(seen).toEqual({ gain: 8, offset: 8, attention: 6 });
});

// Uniform within the bound: its largest value near it, mean 0, variance bound^2 / 3.
test.each([
  ['embedding.weight', 1 / Math.sqrt(7)],
  ['embedding.bias', 1 / Math.sqrt(7)],
  ['transformer.layers.1.self_attn.in_proj_weight', Math.sqrt(6 / (3 * 32 + 32))],
  ['transformer.layers.1.self_attn.out_proj.weight', 1 / Math.sqrt(32)],
  ['transformer.layers.2.linear2.weight', 1 / Math.sqrt(48)],
  ['transformer.layers.2.linear2.bias', 1 / Math.sqrt(48)],
  ['head_layers.0.weight', 1 / Math.sqrt(32)],
  ['head_layers.1.weight', 1 / Math.sqrt(24)],
])('%s fills its bound', (name, bound) => {
  const w = values(name);
  const largest = Math.max(...w.map(Math.abs));
  expect(largest).toBeLessThan(bound);
  expect(largest).toBeGreaterThan(0.85 * bound);
  const n = w.length;
  const mean = w.reduce((s, x) => s + x, 0) / n;
  const variance = w.reduce((s, x) => s + x * x, 0) / n;
  expect(Math.abs(mean)).toBeLessThan((4 * bound) / Math.sqrt(3 * n));
  expect(Math.abs(variance / (bound ** 2 / 3) - 1)).toBeLessThan(4 / Math.sqrt(n));
});

test('an autoencoder starts the same way', () => {
  const start = initialWeights(perceptronLayout([9, 4, 9]), 1, 'f32');
  expect(start.every(w => w !== 0)).toBe(true);
  expect(Math.max(...start.subarray(0, 40))).toBeLessThan(1 / 3);
  expect(Math.max(...start.subarray(40).map(Math.abs))).toBeGreaterThan(1 / 3); // bound 1/2
});
