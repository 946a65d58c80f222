import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseOptions } from '../../src/config/parse.js';
import { readSafetensors } from '../../src/model/safetensors.js';
import { train } from '../../src/train/run.js';
import { cli, sample, smallTraining } from '../support/cli.js';
import { worst } from '../support/golden.js';
import { stoppingAt } from '../support/training.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'aclr-engines-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (...parts: string[]): string => path.join(folder, ...parts);
const native = ['--engine', 'native'];
const wasm = ['--engine', 'tfjs', '--tfjs-backend', 'wasm', '--tfjs-kernels', 'pure'];
// mild changes: over large ones rounding grows from step to step
const recipe = at('mild.json');
writeFileSync(
  recipe,
  JSON.stringify({
    physical: [{ augmentation: 'smear_direction' }],
    anomalous: [{ name: 'few', steps: [{ augmentation: 'add_objects', max_electrons: 1, max_muons: 1, max_jets: 2 }] }],
  }),
);
const training = [...smallTraining, '--no-comparators', '--epochs', '2', '--recipe', recipe];

/** Trains on one engine until Ctrl-C after so many steps, then to the end on another. */
async function trainOn(run: string, engine: string[], until: number, then: string[]): Promise<void> {
  const flags = Object.fromEntries(flagPairs([...training, ...engine, '--out', at(run)]));
  await expect(train(parseOptions('train', flags), '0', stoppingAt(64 * until))).rejects.toThrow(
    `stopped after step ${until}; the same command with --resume goes on`,
  );
  const resumed = await cli(['train', ...training, ...then, '--out', at(run), '--resume']);
  expect([resumed.code, resumed.stderr]).toEqual([0, '']);
}

/** Arguments as options by name; of one given twice the last counts, as on the command line. */
function flagPairs(args: string[]): [string, unknown][] {
  const camel = (flag: string) => flag.slice(2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  return args.flatMap((arg, i): [string, unknown][] => {
    if (!arg.startsWith('--')) return [];
    if (arg.startsWith('--no-')) return [[camel(`--${arg.slice(5)}`), false]];
    const value = args[i + 1];
    if (value === undefined || value.startsWith('--')) return [[camel(arg), true]];
    return [[camel(arg), arg === '--background' ? [value] : value]];
  });
}

async function weights(run: string): Promise<Map<string, ArrayLike<number>>> {
  const { tensors } = await readSafetensors(at(run, 'encoder.safetensors'));
  return new Map([...tensors].map(([name, { data }]) => [name, data as Float32Array]));
}

async function expectSame(run: string, other: string, tolerance: number): Promise<void> {
  const want = await weights(other);
  for (const [name, got] of await weights(run)) {
    // the key part of the attention bias has no influence and follows the rounding of its gradient alone
    const end = name.endsWith('in_proj_bias') ? got.length / 3 : got.length;
    const part = (all: ArrayLike<number>) => Array.from(all).slice(0, end);
    expect([name, worst(part(got), part(want.get(name)!)) <= tolerance]).toEqual([name, true]);
  }
}

describe('a run that changes its engine', () => {
  beforeAll(async () => {
    const { code, stderr } = await cli(['train', ...training, ...native, '--out', at('native')]);
    expect([code, stderr]).toEqual([0, '']);
  });

  test('native, resumed on TensorFlow.js, ends as one never stopped', async () => {
    await trainOn('there', native, 8, wasm);
    await expectSame('there', 'native', 1e-3);
  });

  test('TensorFlow.js, resumed on the native engine, too; and on TensorFlow.js again to the bit', async () => {
    await trainOn('back', wasm, 8, native);
    await expectSame('back', 'native', 1e-3);
    await trainOn('stopped', wasm, 8, wasm);
    const whole = await cli(['train', ...training, ...wasm, '--out', at('whole')]);
    expect([whole.code, whole.stderr]).toEqual([0, '']);
    await expectSame('stopped', 'whole', 0);
  });

  test('scores of one engine are those of the other', async () => {
    const scoreOn = async (engine: string[], out: string) => {
      const data = ['--data', sample('Ato4l'), '--quiet'];
      const { code, stderr } = await cli(['score', '--model', at('native'), ...data, '--out', at(out), ...engine]);
      expect([code, stderr]).toEqual([0, '']);
      const lines = readFileSync(at(out), 'utf8').trim().split('\n').slice(1);
      return lines.map(line => Number(line.split(',')[0]));
    };
    const want = await scoreOn(native, 'native.csv');
    expect(want.length).toBe(5000);
    expect(worst(await scoreOn(wasm, 'wasm.csv'), want)).toBeLessThan(5e-4); // as the check of an export
  });
});

test('without the addon the engine is TensorFlow.js, told in one line with how to get the native one', async () => {
  const bare = { ANOMALYCLR_NATIVE: 'skip' };
  const args = training.filter(arg => arg !== '--quiet');
  const backend = ['--tfjs-backend', 'wasm'];
  const { code, stderr } = await cli(['train', ...args, ...backend, '--max-events', '200', '--out', at('bare')], bare);
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(/^computing on .*tfjs, wasm with SIMD, pure kernels: .*unset it/),
  ]);
  expect(stderr.match(/^computing on/gm)).toHaveLength(1);
  const provenance = JSON.parse(readFileSync(at('bare', 'provenance.json'), 'utf8'));
  expect(provenance.engine).toBe('tfjs, wasm with SIMD, pure kernels');
});

test.each([
  [
    ['--engine', 'tfjs', '--tfjs-backend', 'wasm', '--precision', 'bf16'],
    /--precision bf16: the tfjs engine computes in f32/,
    {},
  ],
  [['--engine', 'tfjs', '--tfjs-kernels', 'native'], /--tfjs-kernels native: /, { ANOMALYCLR_NATIVE: 'skip' }],
  [['--engine', 'auto'], /ANOMALYCLR_TARGET=best: this machine can run /, { ANOMALYCLR_TARGET: 'best' }],
  [['--engine', 'native'], /ANOMALYCLR_NATIVE=skip/, { ANOMALYCLR_NATIVE: 'skip' }],
  [
    ['--engine', 'tfjs', '--tfjs-backend', 'webgl'],
    /got "webgl", allowed: auto \| node-gpu \| node \| wasm \| cpu/,
    {},
  ],
] as [string[], RegExp, Record<string, string>][])('%j is refused in one line', async (options, message, env) => {
  const { code, stderr } = await cli(['train', ...training, ...options, '--out', at('refused')], env);
  expect(code).toBeGreaterThan(0);
  expect(stderr).toMatch(message);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});
