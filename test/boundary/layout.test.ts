import { loadAddon } from '../../src/addon.js';
import { perceptronConfig, preparation, scorerConfig, trainerConfig } from './samples.js';

const addon = loadAddon();

/** The layout as it is written in weight files: names and shapes in order, nothing between them. */
function meet(
  session: { layout(): { name: string; shape: number[]; offset: number }[]; weights(): ArrayLike<number> },
  want: [string, number[]][],
): void {
  const layout = session.layout();
  expect(layout.map(({ name, shape }) => [name, shape])).toEqual(want);
  let offset = 0;
  for (const entry of layout) {
    expect(entry.offset).toBe(offset);
    offset += entry.shape.reduce((a, b) => a * b, 1);
  }
  expect(session.weights()).toHaveLength(offset);
}

// width 6, feed-forward 10, output 4
const layer = (l: number): [string, number[]][] => [
  [`transformer.layers.${l}.self_attn.in_proj_weight`, [18, 6]],
  [`transformer.layers.${l}.self_attn.in_proj_bias`, [18]],
  [`transformer.layers.${l}.self_attn.out_proj.weight`, [6, 6]],
  [`transformer.layers.${l}.self_attn.out_proj.bias`, [6]],
  [`transformer.layers.${l}.linear1.weight`, [10, 6]],
  [`transformer.layers.${l}.linear1.bias`, [10]],
  [`transformer.layers.${l}.linear2.weight`, [6, 10]],
  [`transformer.layers.${l}.linear2.bias`, [6]],
  [`transformer.layers.${l}.norm1.weight`, [6]],
  [`transformer.layers.${l}.norm1.bias`, [6]],
  [`transformer.layers.${l}.norm2.weight`, [6]],
  [`transformer.layers.${l}.norm2.bias`, [6]],
];
const config = trainerConfig({ features: 8, width: 6, heads: 3, layers: 2, feedForward: 10, output: 4, headLayers: 2 });

test('weights of an encoder', () => {
  meet(new addon.Trainer({ ...config, headNorm: true }), [
    ['embedding.weight', [6, 8]],
    ['embedding.bias', [6]],
    ...layer(0),
    ...layer(1),
    ['head_layers.0.weight', [4, 6]],
    ['head_layers.0.bias', [4]],
    ['norm_layers.0.weight', [6]],
    ['norm_layers.0.bias', [6]],
    ['head_layers.1.weight', [4, 4]],
    ['head_layers.1.bias', [4]],
    ['norm_layers.1.weight', [4]],
    ['norm_layers.1.bias', [4]],
  ]);
});

test('weights of an encoder without head norms, layers, or head', () => {
  const embedding: [string, number[]][] = [['embedding.weight', [6, 7]], ['embedding.bias', [6]]]; // prettier-ignore
  meet(new addon.Trainer({ ...config, features: 7, layers: 1, headLayers: 1, headNorm: false }), [
    ...embedding,
    ...layer(0),
    ['head_layers.0.weight', [4, 6]],
    ['head_layers.0.bias', [4]],
  ]);
  meet(new addon.Trainer({ ...config, features: 7, layers: 0, headLayers: 0 }), embedding);
});

test('weights of an autoencoder', () => {
  meet(new addon.Perceptron(perceptronConfig({ widths: Int32Array.of(5, 3, 2, 5) })), [
    ['layers.0.weight', [3, 5]],
    ['layers.0.bias', [3]],
    ['layers.1.weight', [2, 3]],
    ['layers.1.bias', [2]],
    ['layers.2.weight', [5, 2]],
    ['layers.2.bias', [5]],
  ]);
});

test('arrays are of the precision of their session', async () => {
  for (const [precision, Type] of [['f32', Float32Array], ['f64', Float64Array]] as const) {
    const trainer = new addon.Trainer({ ...config, precision });
    for (const array of [trainer.weights(), trainer.state().m, trainer.state().v]) expect(array).toBeInstanceOf(Type);
    expect(new addon.Perceptron(perceptronConfig({ precision })).weights()).toBeInstanceOf(Type);
    const x = new Type(4);
    const prepared = await addon.prepare({ preparation: preparation(), x });
    expect(prepared).toBeInstanceOf(Type);
    const { encoder: _, members, ...parts } = scorerConfig({ precision, preparation: preparation() });
    const cast = members.map(member => ({ ...member, weights: Type.from(member.weights) }));
    const scorer = new addon.Scorer({ ...parts, members: cast });
    for (const scores of [await scorer.score({ x }), scorer.scoreNow({ x })]) expect(scores).toBeInstanceOf(Type);
    const Other = Type === Float32Array ? Float64Array : Float32Array;
    expect(() => trainer.setWeights({ weights: new Other(trainer.weights().length) })).toThrow(TypeError);
  } // prettier-ignore
});
