import { loadAddon, type Floats } from '../../src/addon.js';
import { worst } from '../support/golden.js';
import * as reference from './reference.js';

const addon = loadAddon();
const f32 = (x: Float64Array): Float32Array => Float32Array.from(x);

/** An attention layer on events of these sizes; `bias` and `drop` as said. */
function layer(sizes: readonly number[], heads: number, width: number, { bias = false, drop = false } = {}) {
  const offsets = reference.offsetsOf(sizes);
  const tokens = offsets.at(-1) as number;
  const chances = reference.uniform(reference.pairsOf(sizes, heads), 5);
  return {
    qkv: reference.uniform(tokens * 3 * heads * width, 1).map(x => 2 * x),
    offsets,
    heads,
    ...(bias ? { keyBias: reference.uniform(tokens, 2) } : {}),
    ...(drop ? { keep: Uint8Array.from(chances, x => (x > -0.6 ? 1 : 0)), keepScale: 1.25 } : {}),
  };
}
type Layer = ReturnType<typeof layer>;
const single = (a: Layer) => ({ ...a, qkv: f32(a.qkv), ...(a.keyBias ? { keyBias: f32(a.keyBias) } : {}) });

// empty events first, last and in a row; a full one; padding of every kind
const mixed = [0, 3, 1, 0, 0, 8, 9, 64, 5, 17, 2, 0];
const many = Array.from({ length: 700 }, (_, e) => (e * 7) % 12);
const cases: [string, Layer][] = [
  ['mixed sizes', layer(mixed, 2, 8)],
  ['a bias of the keys', layer(mixed, 3, 5, { bias: true })],
  ['dropout', layer(mixed, 2, 7, { drop: true })],
  ['bias and dropout, wide heads', layer([4, 11, 0, 6], 1, 70, { bias: true, drop: true })],
  ['heads of one column', layer(mixed, 4, 1, { bias: true })],
  ['many events', layer(many, 2, 8, { bias: true, drop: true })],
];

describe.each(cases)('%s', (_, a) => {
  const want = reference.attention(a);

  test('forward: as plain loops, in both precisions', () => {
    const exact = addon.attention(a);
    expect(exact.out).toBeInstanceOf(Float64Array);
    expect(worst(exact.out, want.out)).toBeLessThan(1e-13);
    expect(worst(exact.probs, want.probs)).toBeLessThan(1e-13);
    const rough = addon.attention(single(a));
    expect(rough.probs).toBeInstanceOf(Float32Array);
    expect(worst(rough.out, want.out)).toBeLessThan(1e-5);
    expect(worst(rough.probs, want.probs)).toBeLessThan(1e-5);
  });

  test('backward: the slopes of sum(out dout), in both precisions', () => {
    const dout = reference.uniform(want.out.length, 3);
    const { probs } = addon.attention(a);
    const exact = addon.attentionBackward({ ...a, probs, dout });
    const value = (): number => reference.dot(addon.attention(a).out, dout);
    const some = reference.places(a.qkv, Math.ceil(a.qkv.length / 150));
    const slopes = reference.slopes(a.qkv, some, value);
    expect(worst(some.map(i => exact.dqkv[i]), slopes)).toBeLessThan(1e-7); // prettier-ignore
    if (a.keyBias) {
      const keys = reference.places(a.keyBias, Math.ceil(a.keyBias.length / 50));
      expect(worst(keys.map(i => exact.dkeyBias[i]), reference.slopes(a.keyBias, keys, value))).toBeLessThan(1e-7); // prettier-ignore
    }
    const rough = addon.attentionBackward({ ...single(a), probs: f32(probs as Float64Array), dout: f32(dout) });
    expect(rough.dkeyBias).toBeInstanceOf(Float32Array);
    expect(worst(rough.dqkv, exact.dqkv)).toBeLessThan(1e-5);
    expect(worst(rough.dkeyBias, exact.dkeyBias)).toBeLessThan(1e-5);
  });

  test('the same bits for any count of threads and any place in memory', () => {
    for (const b of [a, single(a)]) {
      const dout = (b.qkv as Float32Array).slice(0, want.out.length);
      const run = (make: (x: any) => any) => () => {
        const argument = { ...b, qkv: make(b.qkv), ...(b.keyBias ? { keyBias: make(b.keyBias) } : {}) };
        const forward = addon.attention(argument);
        const backward = addon.attentionBackward({ ...argument, probs: make(forward.probs), dout: make(dout) });
        return reference.bits({ ...forward, ...backward });
      };
      const [one, two, three] = reference.onThreads(run(x => x));
      expect(two).toEqual(one);
      expect(three).toEqual(one);
      expect(run(reference.shifted)()).toEqual(one);
    }
  });
});

test('probabilities lie event after event, head after head, in rows padded with zeros', () => {
  const [n, m] = [3, 9];
  const { probs } = addon.attention(layer([n, 0, m], 2, 4));
  expect(probs).toHaveLength(2 * n * 8 + 2 * m * 16);
  const row = (at: number, size: number): Floats => probs.subarray(at, at + size);
  const meet = (cells: Floats, filled: number): void => {
    expect(reference.dot(cells.slice(0, filled), new Float64Array(filled).fill(1))).toBeCloseTo(1, 12);
    expect(cells.slice(filled)).toEqual(new Float64Array(cells.length - filled));
  };
  for (let r = 0; r < 2 * n; r++) meet(row(r * 8, 8), n);
  for (let r = 0; r < 2 * m; r++) meet(row(2 * n * 8 + r * 16, 16), m);
});

test('no events, and none with tokens', () => {
  for (const sizes of [[], [0], [0, 0, 0]]) {
    const a = layer(sizes, 4, 2);
    expect(addon.attention(a)).toEqual({ out: new Float64Array(0), probs: new Float64Array(0) });
    const none = new Float64Array(0);
    expect(addon.attentionBackward({ ...a, probs: none, dout: none })).toEqual({ dqkv: none, dkeyBias: none });
  }
});

test('dropout that keeps all changes nothing; that keeps none gives zeros', () => {
  const a = layer([5, 12], 2, 8);
  const plain = addon.attention(a);
  const count = plain.probs.length;
  expect(addon.attention({ ...a, keep: new Uint8Array(count).fill(1) })).toEqual(plain);
  const none = addon.attention({ ...a, keep: new Uint8Array(count), keepScale: 3 });
  expect(none.probs).toEqual(plain.probs);
  expect(none.out.every(x => x === 0)).toBe(true);
});
