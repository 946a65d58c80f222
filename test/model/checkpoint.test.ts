import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import type { EncoderConfig } from '../../src/addon.js';
import { AnomalyClrError } from '../../src/errors.js';
import { loadCheckpoint, saveCheckpoint, type Checkpoint } from '../../src/model/checkpoint.js';
import { loadEncoder, saveEncoder } from '../../src/model/encoder-file.js';
import { initialWeights } from '../../src/model/initialise.js';
import { encoderLayout } from '../../src/model/layout.js';
import { readSafetensors, writeSafetensors } from '../../src/model/safetensors.js';
import { flatFrom, parseJson, tensorsOf } from '../../src/model/tensors.js';
import { temporaryFolder } from '../read/craft.js';
import { sample } from '../support/cli.js';

const at = temporaryFolder();
const config: EncoderConfig = {
  features: 7,
  ptFeature: 'log',
  ptScale: 31.5,
  mask: 'continuous',
  width: 8,
  heads: 2,
  layers: 1,
  feedForward: 6,
  output: 4,
  headLayers: 2,
  headNorm: true,
  dropout: 0.1,
};
const layout = encoderLayout(config);
const weights = initialWeights(layout, 3, 'f32');

/** What a call is rejected with: an error of ours, in one line that names the file. */
async function failure(call: Promise<unknown>, file: string): Promise<string> {
  const error = await call.then(
    () => undefined,
    (e: unknown) => e as Error,
  );
  expect(error).toBeInstanceOf(AnomalyClrError);
  expect(error?.message).toContain(path.basename(file));
  expect(error?.message).not.toMatch(/\n/);
  return error?.message ?? '';
}

describe('encoder file', () => {
  test.each(['f32', 'f64'] as const)('%s: what is saved is loaded, bit for bit, and equal bytes', async precision => {
    const saved = { config, weights: initialWeights(layout, 3, precision) };
    await saveEncoder(at('a.safetensors'), saved);
    expect(await loadEncoder(at('a.safetensors'))).toEqual(saved);
    await saveEncoder(at('b.safetensors'), saved);
    expect(readFileSync(at('a.safetensors')).equals(readFileSync(at('b.safetensors')))).toBe(true);
  });

  test('scales of eta and phi are kept where there are some, and absent from files of before', async () => {
    const ofJets = { ...config, etaScale: 0.4, phiScale: 0.3 };
    await saveEncoder(at('jets.safetensors'), { config: ofJets, weights });
    expect((await loadEncoder(at('jets.safetensors'))).config).toEqual(ofJets);
    await saveEncoder(at('plain.safetensors'), { config, weights });
    const { metadata } = await readSafetensors(at('plain.safetensors'));
    expect(metadata['config']).toBe(JSON.stringify(config));
  });

  test('carries its format and configuration, and tensors by the published names', async () => {
    await saveEncoder(at('named.safetensors'), { config, weights });
    const { tensors, metadata } = await readSafetensors(at('named.safetensors'));
    expect(metadata['format']).toBe('anomalyclr.encoder.1');
    expect(JSON.parse(metadata['config'])).toEqual(config);
    expect([...tensors.keys()].toSorted()).toEqual(layout.map(({ name }) => name).toSorted());
    expect(tensors.get('transformer.layers.0.linear1.weight')?.shape).toEqual([6, 8]);
  });

  const good = tensorsOf(layout, weights);
  const without = (name: string) => new Map([...good].filter(([key]) => key !== name));
  const meta = (changes: object) => ({ config: JSON.stringify({ ...config, ...changes }) });
  test.each<[string, ReturnType<typeof tensorsOf>, Record<string, string>, RegExp]>([
    ['no metadata', good, {}, /not an encoder/],
    ['metadata that is no JSON', good, { config: '{' }, /not an encoder/],
    ['heads that do not divide the width', good, meta({ heads: 3 }), /not an encoder/],
    ['a missing tensor', without('head_layers.1.bias'), meta({}), /head_layers\.1\.bias should be float 4;/],
    ['another width', good, meta({ width: 16 }), /embedding\.weight should be float 16 x 7; .* another model's/],
    [
      'more layers and widths than memory',
      good,
      meta({ width: 4096, feedForward: 4096, layers: 64 }),
      /embedding\.weight/,
    ],
    [
      'mixed precision',
      new Map([...good, ['embedding.bias', { dtype: 'F64', shape: [8], data: new Float64Array(8) } as const]]),
      meta({}),
      /embedding\.bias/,
    ],
    [
      'whole numbers',
      new Map([...good, ['embedding.weight', { dtype: 'I32', shape: [8, 7], data: new Int32Array(56) } as const]]),
      meta({}),
      /embedding\.weight/,
    ],
  ])('%s is refused', async (_, tensors, metadata, message) => {
    const file = at('foreign.safetensors');
    await writeSafetensors(file, tensors, metadata);
    expect(await failure(loadEncoder(file), file)).toMatch(message);
  });

  test('files of other kinds are refused', async () => {
    expect(await failure(loadEncoder(at('none')), 'none')).toMatch(/no such file/);
    writeFileSync(at('empty'), '');
    await failure(loadEncoder(at('empty')), 'empty');
    writeFileSync(at('text'), 'epoch,loss\n1,0.5\n');
    await failure(loadEncoder(at('text')), 'text');
    mkdirSync(at('folder'));
    await failure(loadEncoder(at('folder')), 'folder');
    await failure(loadEncoder(sample('Ato4l')), 'Ato4l');
  });

  test('a damaged header loads as it stands or is refused, and a truncated file always', async () => {
    const file = at('damaged.safetensors');
    await saveEncoder(at('whole.safetensors'), { config, weights });
    const whole = readFileSync(at('whole.safetensors'));
    const header = 8 + Number(whole.readBigUInt64LE());
    await fc.assert(
      fc.asyncProperty(fc.nat(header - 1), fc.integer({ min: 1, max: 255 }), async (place, change) => {
        const bytes = Buffer.from(whole);
        bytes[place] ^= change;
        writeFileSync(file, bytes);
        await loadEncoder(file).catch(error => expect(error).toBeInstanceOf(AnomalyClrError));
      }),
      { numRuns: 150, seed: 5 },
    );
    for (const size of [4, 8, 100, header, whole.length - 1]) {
      writeFileSync(file, whole);
      truncateSync(file, size);
      await failure(loadEncoder(file), file);
    }
  });
});

describe('checkpoint', () => {
  const checkpoint: Checkpoint = {
    progress: {
      step: 17,
      epoch: 2,
      stepInEpoch: 3,
      finished: false,
      metricsBytes: 1234,
      optimiserSteps: 17,
      bestEpoch: 1,
      bestLoss: -0.1 - 0.2,
      firstLoss: 1 / 3,
      smoothLoss: null,
      epochLoss: Math.PI,
      seconds: 1.5,
    },
    weights,
    moments: {
      m: initialWeights(layout, 4, 'f32'),
      v: initialWeights(layout, 5, 'f32').map(Math.abs),
      steps: 17,
    },
    best: initialWeights(layout, 6, 'f32'),
  };
  const folder = (name: string): string => {
    mkdirSync(at(`${name}/checkpoint`), { recursive: true });
    return at(name);
  };

  test('what is saved is loaded, bit for bit', async () => {
    const run = folder('run');
    expect(await loadCheckpoint(run, layout)).toBeUndefined();
    await saveCheckpoint(run, layout, checkpoint);
    expect(await loadCheckpoint(run, layout)).toEqual(checkpoint);
    const { metadata } = await readSafetensors(path.join(run, 'checkpoint', 'encoder.safetensors'));
    expect(metadata['format']).toBe('anomalyclr.checkpoint.1');
  });

  test("another model's, an encoder and a damaged one are refused", async () => {
    const run = folder('other');
    const file = path.join(run, 'checkpoint', 'encoder.safetensors');
    await saveCheckpoint(run, layout, checkpoint);
    expect(await failure(loadCheckpoint(run, encoderLayout({ ...config, output: 5 })), file)).toMatch(
      /another model's/,
    );
    await saveEncoder(file, { config, weights });
    expect(await failure(loadCheckpoint(run, layout), file)).toMatch(/not a checkpoint/);
    writeFileSync(file, 'x'.repeat(100));
    await failure(loadCheckpoint(run, layout), file);
  });
});

test('tensors to flat weights and back, with a prefix', () => {
  const tensors = new Map([...tensorsOf(layout, weights)].map(([name, tensor]) => [`best/${name}`, tensor]));
  expect(flatFrom('x', layout, tensors, 'best/')).toEqual(weights);
  expect(() => flatFrom('x', layout, tensors, 'm/')).toThrow(/^x: tensor m\/embedding\.weight should be float 8 x 7;/);
  expect([parseJson('[1]'), parseJson('['), parseJson(undefined)]).toEqual([[1], null, null]);
});
