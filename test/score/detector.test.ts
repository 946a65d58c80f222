import { writeFileSync } from 'node:fs';
import type { Floats } from '../../src/addon.js';
import { openEngine } from '../../src/engine/index.js';
import { AnomalyClrError } from '../../src/errors.js';
import { Draws } from '../../src/events/philox.js';
import { initialWeights } from '../../src/model/initialise.js';
import { perceptronLayout } from '../../src/model/layout.js';
import { readSafetensors, writeSafetensors } from '../../src/model/safetensors.js';
import { Detector, type DetectorMember, type DetectorWeights } from '../../src/score/detector.js';
import { loadDetector, saveDetector } from '../../src/score/detector-file.js';
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

const standards = { autoencoder: { mean: -1.5, deviation: 0.4 }, ratio: { mean: -2, deviation: 3 } };

/** An autoencoder alone, or these members on one scale. */
function detector(
  kind: PreparationKind,
  precision: 'f32' | 'f64' = 'f32',
  kinds: readonly DetectorMember['kind'][] = [],
): DetectorWeights {
  const preparation = fitPreparation(kind, Float64Array.from(rows), 5);
  const n = preparation.outputs;
  const member = (one: DetectorMember['kind']): DetectorMember => {
    const widths = one === 'ratio' ? [n, 4, 1] : [n, 3, 2, 3, n];
    return {
      kind: one,
      widths,
      activation: 'leaky_relu',
      weights: initialWeights(perceptronLayout(widths), 1, precision),
    };
  };
  const members = kinds.map(one => ({ ...member(one), standard: standards[one] }));
  return { preparation, members: members.length > 0 ? members : [member('autoencoder')] };
}

/** What a member makes of a prepared row, layer by layer in float64. */
function outputOf({ kind, widths, weights }: DetectorMember, row: number[]): number[] {
  const bottleneck = kind === 'ratio' ? -1 : (widths.length - 1) / 2 - 1;
  let at = 0;
  let h = row;
  for (let l = 0; l + 1 < widths.length; l++) {
    const [from, to] = [widths[l], widths[l + 1]];
    const linear = Array.from({ length: to }, (_, o) =>
      h.reduce((sum, v, i) => sum + weights[at + o * from + i] * v, weights[at + to * from + o]),
    );
    at += to * from + to;
    h = l !== widths.length - 2 && l !== bottleneck ? linear.map(v => (v > 0 ? v : 0.01 * v)) : linear;
  }
  return h;
}

/** The score of every row by the formula. */
function reference({ preparation, members }: DetectorWeights, x: Floats): number[] {
  const { inputs, outputs, mean, matrix } = preparation;
  return Array.from({ length: x.length / inputs }, (_, r) => {
    const row = Array.from(x.subarray(r * inputs, (r + 1) * inputs));
    const y = matrix
      ? Array.from({ length: outputs }, (__, o) =>
          row.reduce((sum, v, c) => sum + matrix[o * inputs + c] * (v - mean[c]), 0),
        )
      : row;
    return members.reduce((sum, member) => {
      const out = outputOf(member, y);
      const error = y.reduce((of, v, i) => of + (v - out[i]) ** 2, 0) / y.length;
      if (!member.standard) return sum + error;
      const f = member.kind === 'ratio' ? out[0] : Math.log(error);
      return sum + (f - member.standard.mean) / member.standard.deviation;
    }, 0);
  });
}

test.each<[PreparationKind, DetectorMember['kind'][]]>([
  ['none', []],
  ['standardise', []],
  ['whiten', []],
  ['none', ['ratio']],
  ['whiten', ['autoencoder']],
  ['whiten', ['autoencoder', 'ratio']],
])('%s, members %j: scores are those of the formula', async (kind, kinds) => {
  const trained = detector(kind, 'f32', kinds);
  expect(trained.preparation.outputs).toBe(kind === 'whiten' ? 4 : 5);
  const one = new Detector(await openEngine({ engine: 'native', threads: 1 }), trained);
  expect(one.inputs).toBe(5);
  const got = await one.score(rows);
  one.dispose();
  reference(trained, rows).forEach((want, i) =>
    expect(Math.abs(got[i] - want)).toBeLessThan(1e-4 * Math.abs(want) + 1e-5),
  );
});

test('what is reconstructed without error has a score, below all others', async () => {
  const [member] = detector('none', 'f32', ['autoencoder']).members;
  const nothing = { ...member, weights: new Float32Array(member.weights.length) };
  const preparation = fitPreparation('none', rows, 5);
  const one = new Detector(await openEngine({ engine: 'native', threads: 1 }), { preparation, members: [nothing] });
  const [perfect, other] = await one.score(Float32Array.of(0, 0, 0, 0, 0, 1e-6, 0, 0, 0, 0));
  one.dispose();
  expect(Number.isFinite(perfect)).toBe(true);
  expect(other).toBeGreaterThan(perfect);
});

test.each<[PreparationKind, 'f32' | 'f64', DetectorMember['kind'][]]>([
  ['none', 'f32', []],
  ['standardise', 'f64', []],
  ['whiten', 'f32', []],
  ['whiten', 'f32', ['autoencoder', 'ratio']],
  ['none', 'f64', ['ratio']],
])('%s, %s, members %j: what is saved is loaded, bit for bit', async (kind, precision, kinds) => {
  const saved = detector(kind, precision, kinds);
  await saveDetector(at('d.safetensors'), saved);
  expect(await loadDetector(at('d.safetensors'))).toEqual(saved);
  const { metadata, tensors } = await readSafetensors(at('d.safetensors'));
  expect(tensors.has('ratio.layers.0.weight')).toBe(kinds.includes('ratio'));
  if (kinds.length > 0) return;
  // as files of an autoencoder alone always were
  expect(metadata['format']).toBe('anomalyclr.autoencoder.1');
  expect(JSON.parse(metadata['config'])).toEqual({
    widths: saved.members[0].widths,
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
    ['no metadata', {}, {}, /not a detector/],
    ['an unknown activation', config({ activation: 'gelu' }), {}, /not a detector/],
    ['too few widths', config({ widths: [4, 4] }), {}, /not a detector/],
    ['widths past all memory', config({ widths: [4, 1e9, 1e9, 1e9, 4] }), {}, /layers\.0\.weight should be float/],
    ['no mean', config({}), { 'preparation.mean': undefined }, /not a detector/],
    ['no matrix', config({}), { 'preparation.matrix': undefined }, /preparation does not fit/],
    ['a matrix for other inputs', config({}), { 'preparation.mean': mean(6) }, /preparation does not fit/],
    ['no preparation but another width', config({ preparation: 'none' }), {}, /preparation does not fit/],
    ['a missing layer', config({}), { 'layers.1.bias': undefined }, /layers\.1\.bias should be float 2;/],
  ])('%s', (_, metadata, changes, message) => refused(detector('whiten'), metadata, changes, message));

  const error = { kind: 'autoencoder', widths: [4, 3, 2, 3, 4], activation: 'elu', mean: 0, deviation: 1 };
  const ratio = { ...error, kind: 'ratio', widths: [4, 4, 1] };
  const both = (...members: object[]) => ({ config: JSON.stringify({ preparation: 'whiten', members }) });
  test.each<[string, object[], RegExp]>([
    ['no members', [], /not a detector/],
    ['three members', [error, ratio, ratio], /not a detector/],
    ['two of one kind', [ratio, ratio], /two members of one kind/],
    ['a deviation of 0', [error, { ...ratio, deviation: 0 }], /not a detector/],
    ['no mean', [error, { ...ratio, mean: undefined }], /not a detector/],
    ['a ratio of two outputs', [error, { ...ratio, widths: [4, 4, 2] }], /widths of its ratio do not fit/],
    ['members of unlike inputs', [error, { ...ratio, widths: [5, 4, 1] }], /widths of its ratio do not fit/],
    [
      'an autoencoder without a bottleneck',
      [{ ...error, widths: [4, 4] }, ratio],
      /widths of its autoencoder do not fit/,
    ],
    [
      'another width than its tensors have',
      [error, { ...ratio, widths: [4, 5, 1] }],
      /ratio\.layers\.0\.weight should be/,
    ],
  ])('%s', (_, members, message) =>
    refused(detector('whiten', 'f32', ['autoencoder', 'ratio']), both(...members), {}, message),
  );

  async function refused(
    saved: DetectorWeights,
    metadata: Record<string, string>,
    changes: Record<string, ReturnType<typeof mean> | undefined>,
    message: RegExp,
  ): Promise<void> {
    const file = at('foreign.safetensors');
    await saveDetector(file, saved);
    const { tensors } = await readSafetensors(file);
    for (const [name, tensor] of Object.entries(changes))
      if (tensor) tensors.set(name, tensor);
      else tensors.delete(name);
    await writeSafetensors(file, tensors, metadata);
    const refusal = await loadDetector(file).then(
      () => undefined,
      (e: unknown) => e as Error,
    );
    expect(refusal).toBeInstanceOf(AnomalyClrError);
    expect(refusal?.message).toMatch(message);
    expect(refusal?.message).toMatch(/^[^\n]*foreign\.safetensors: /);
  }

  test('text and nothing at all', async () => {
    writeFileSync(at('text'), 'not tensors, for all its length');
    await expect(loadDetector(at('text'))).rejects.toThrow(AnomalyClrError);
    await expect(loadDetector(at('gone'))).rejects.toThrow(/no such file/);
  });
});
