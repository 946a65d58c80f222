import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseOptions } from '../../src/config/parse.js';
import { train } from '../../src/train/run.js';
import { cli, sample, smallTraining } from '../support/cli.js';
import { stoppingAt } from '../support/training.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'aclr-pivot-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (...parts: string[]): string => path.join(folder, ...parts);
const recipe = at('shifted.json');
beforeAll(() => {
  const steps = [{ augmentation: 'scale_jets', low: 1.3, high: 1.3 }];
  writeFileSync(
    recipe,
    JSON.stringify({ physical: steps, anomalous: [{ name: 'one', steps: [{ augmentation: 'add_objects' }] }] }),
  );
});

const training = [...smallTraining, '--no-comparators', '--epochs', '2', '--device', 'cpu'];
const pivoted = (weight: number): string[] => [
  ...training,
  '--recipe',
  recipe,
  '--no-sums',
  '--pivot-weight',
  String(weight),
];
const encoder = (run: string): Buffer => readFileSync(at(run, 'encoder.safetensors'));

/** The distance correlation of every step. */
function pivots(run: string): (number | undefined)[] {
  const lines = readFileSync(at(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
  return lines.flatMap(line => {
    const { kind, pivot } = JSON.parse(line) as { kind: string; pivot?: number };
    return kind === 'step' ? [pivot] : [];
  });
}

describe('a training with a pivot', () => {
  beforeAll(async () => {
    const { code, stderr } = await cli(['train', ...pivoted(500), '--out', at('whole'), '--threads', '1']);
    expect([code, stderr]).toEqual([0, '']);
  });

  test('says what it amounts to, and one without does not', async () => {
    const said = pivots('whole');
    expect(said).toHaveLength(34);
    for (const one of said) {
      expect(one).toBeGreaterThan(0);
      expect(one).toBeLessThan(0.2);
    }
    expect((await cli(['train', ...pivoted(0), '--out', at('without')])).code).toBe(0);
    expect(new Set(pivots('without'))).toEqual(new Set([undefined]));
    expect(encoder('without').equals(encoder('whole'))).toBe(false);
  });

  test('stopped and resumed with other threads it is the same, bit for bit', async () => {
    const options = parseOptions('train', {
      background: [sample('background_train')], maxEvents: 1200, epochs: 2, batch: 64, width: 16, heads: 2, layers: 2,
      feedForward: 16, output: 16, dropout: 0.1, patience: 0, checkpointEvery: 5, detectorEpochs: 2, bottleneck: 4,
      quiet: true, comparators: false, sums: false, device: 'cpu', recipe, pivotWeight: 500, out: at('stopped'),
    }); // prettier-ignore
    await expect(train(options, '0', stoppingAt(64 * 7))).rejects.toThrow('stopped after step 7');
    const resumed = await cli(['train', ...pivoted(500), '--out', at('stopped'), '--resume', '--threads', '2']);
    expect([resumed.code, resumed.stderr]).toEqual([0, '']);
    expect(encoder('stopped').equals(encoder('whole'))).toBe(true);
    expect(pivots('stopped')).toEqual(pivots('whole'));
  });
});

test('an engine that has no pivot says so', async () => {
  const tfjs = ['--engine', 'tfjs', '--tfjs-backend', 'wasm', '--tfjs-kernels', 'pure'];
  const { code, stderr } = await cli(['train', ...pivoted(1), '--out', at('tfjs'), ...tfjs]);
  expect([code, stderr.trim().split('\n')]).toEqual([
    2,
    [expect.stringContaining('--pivot-weight: is of the native engine; add --engine native')],
  ]);
});

test('sums beside the representation would go round a pivot', async () => {
  const { code, stderr } = await cli(['train', ...training, '--pivot-weight', '1', '--out', at('sums')]);
  expect([code, stderr.trim()]).toEqual([2, expect.stringMatching(/--pivot-weight: .* add --no-sums$/)]);
});
