import { writeFileSync } from 'node:fs';
import type { Floats } from '../../src/addon.js';
import { openEngine } from '../../src/engine/index.js';
import { AnomalyClrError } from '../../src/errors.js';
import { Draws } from '../../src/events/philox.js';
import { initialWeights } from '../../src/model/initialise.js';
import { autoencoderLayout } from '../../src/model/layout.js';
import { readSafetensors, writeSafetensors } from '../../src/model/safetensors.js';
import { Detector, loadDetector, saveDetector, type DetectorWeights } from '../../src/score/detector.js';
import { fitPreparation, type PreparationKind } from '../../src/score/prepare.js';
import { temporaryFolder } from '../read/craft.js';

const at = temporaryFolder();
const draws = new Draws(2, 0, 0, 1);
/** [40, 5], the last column the sum of two others. */
const rows = Float32Array.from(
  Array.from({ length: 40 }, () => {
    const [a, b, c, d] = [draws.uniform(), draws.uniform(), draws.uniform(), draws.uniform()];
    return [a, b, c, d, a + b];
  }).flat(),
);

function detector(kind: PreparationKind, precision: 'f32' | 'f64' = 'f32'): DetectorWeights {
  const preparation = fitPreparation(kind, Float64Array.from(rows), 5);
  const widths = [preparation.outputs, 3, 2, 3, preparation.outputs];
  const weights = initialWeights(autoencoderLayout(widths), 1, precision);
  return { preparation, widths, activation: 'leaky_relu', weights };
}

/** Mean squared error of every prepared row, layer by layer in float64. */
function reference({ preparation, widths, weights }: DetectorWeights, x: Floats): number[] {
  const { inputs, mean, matrix } = preparation;
  const k = widths[0];
  const y = Float64Array.from({ length: (x.length / inputs) * k }, (_, i) => {
    const row = x.subarray(Math.floor(i / k) * inputs);
    if (!matrix) return row[i % k];
    return mean.reduce((sum, m, c) => sum + matrix[(i % k) * inputs + c] * (row[c] - m), 0);
  });
  return Array.from({ length: y.length / k }, (_, r) => {
    const row = Array.from(y.subarray(r * k, (r + 1) * k));
    let at = 0;
    let h = row;
    for (let l = 0; l + 1 < widths.length; l++) {
      const [from, to] = [widths[l], widths[l + 1]];
      const linear = Array.from({ length: to }, (__, o) =>
        h.reduce((sum, v, i) => sum + weights[at + o * from + i] * v, weights[at + to * from + o]),
      );
      at += to * from + to;
      const active = l !== widths.length - 2 && l !== (widths.length - 1) / 2 - 1; // neither bottleneck nor output
      h = active ? linear.map(v => (v > 0 ? v : 0.01 * v)) : linear;
    }
    return row.reduce((sum, v, i) => sum + (v - h[i]) ** 2, 0) / k;
  });
}

test.each(['none', 'standardise', 'whiten'] as const)('%s: scores are those of the formula', async kind => {
  const trained = detector(kind);
  expect(trained.preparation.outputs).toBe(kind === 'whiten' ? 4 : 5);
  const one = new Detector(await openEngine({ engine: 'native', threads: 1 }), trained);
  expect(one.inputs).toBe(5);
  const got = await one.score(rows);
  one.dispose();
  reference(trained, rows).forEach((want, i) => expect(Math.abs(got[i] / want - 1)).toBeLessThan(1e-4));
});

test.each([
  ['none', 'f32'],
  ['standardise', 'f64'],
  ['whiten', 'f32'],
] as const)('%s, %s: what is saved is loaded, bit for bit', async (kind, precision) => {
  const saved = detector(kind, precision);
  await saveDetector(at('d.safetensors'), saved);
  expect(await loadDetector(at('d.safetensors'))).toEqual(saved);
  const { metadata } = await readSafetensors(at('d.safetensors'));
  expect(metadata['format']).toBe('anomalyclr.autoencoder.1');
  expect(JSON.parse(metadata['config'])).toEqual({
    widths: saved.widths,
    activation: 'leaky_relu',
    preparation: kind,
  });
});

describe('a file that is no detector is refused', () => {
  const mean = (n: number) => ({ dtype: 'F64', shape: [n], data: new Float64Array(n) }) as const;
  const config = (changes: object) => ({
    config: JSON.stringify({ widths: [4, 3, 2, 3, 4], activation: 'leaky_relu', preparation: 'whiten', ...changes }),
  });
  test.each<[string, Record<string, string>, Record<string, ReturnType<typeof mean> | undefined>, RegExp]>([
    ['no metadata', {}, {}, /not an autoencoder/],
    ['an unknown activation', config({ activation: 'gelu' }), {}, /not an autoencoder/],
    ['too few widths', config({ widths: [4, 4] }), {}, /not an autoencoder/],
    ['widths past all memory', config({ widths: [4, 1e9, 1e9, 1e9, 4] }), {}, /layers\.0\.weight should be float/],
    ['no mean', config({}), { 'preparation.mean': undefined }, /not an autoencoder/],
    ['no matrix', config({}), { 'preparation.matrix': undefined }, /preparation does not fit/],
    ['a matrix for other inputs', config({}), { 'preparation.mean': mean(6) }, /preparation does not fit/],
    ['no preparation but another width', config({ preparation: 'none' }), {}, /preparation does not fit/],
    ['a missing layer', config({}), { 'layers.1.bias': undefined }, /layers\.1\.bias should be float 2;/],
  ])('%s', async (_, metadata, changes, message) => {
    const file = at('foreign.safetensors');
    await saveDetector(file, detector('whiten'));
    const { tensors } = await readSafetensors(file);
    for (const [name, tensor] of Object.entries(changes))
      if (tensor) tensors.set(name, tensor);
      else tensors.delete(name);
    await writeSafetensors(file, tensors, metadata);
    const error = await loadDetector(file).then(
      () => undefined,
      (e: unknown) => e as Error,
    );
    expect(error).toBeInstanceOf(AnomalyClrError);
    expect(error?.message).toMatch(message);
    expect(error?.message).toMatch(/^[^\n]*foreign\.safetensors: /);
  });

  test('text and nothing at all', async () => {
    writeFileSync(at('text'), 'not tensors, for all its length');
    await expect(loadDetector(at('text'))).rejects.toThrow(AnomalyClrError);
    await expect(loadDetector(at('gone'))).rejects.toThrow(/no such file/);
  });
});
