// Commands with --device cuda, from training to scores: on the GPU of this machine under `npm run test:gpu`, else on one that
// the CPU plays.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseOptions } from '../../src/config/parse.js';
import { train } from '../../src/train/run.js';
import { anomalyclr } from '../cli/in-process.js';
import { sample } from '../support/cli.js';
import { cudaLibrary, describeOnCuda } from '../support/device.js';
import { worst } from '../support/golden.js';
import { stoppingAt } from '../support/training.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'aclr-cuda-run-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (...parts: string[]): string => path.join(folder, ...parts);

const options = {
  background: [sample('background_train')],
  maxEvents: '300', epochs: '2', batch: '48', width: '8', heads: '2', layers: '1', feedForward: '8', output: '8',
  headLayers: '1', dropout: '0.1', patience: '0', checkpointEvery: '2', detectorEpochs: '2', bottleneck: '3',
  comparators: false, threads: '1', device: 'cuda',
}; // prettier-ignore
const scoresIn = (file: string): number[] =>
  readFileSync(at(file), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map(line => Number(line.split(',')[1]));
const encoderOf = (run: string): Buffer => readFileSync(at(run, 'encoder.safetensors'));

describeOnCuda('--device cuda', () => {
  beforeAll(() => {
    process.env['ANOMALYCLR_CUDA_LIBRARY'] = cudaLibrary;
  });

  test('a run trains, says where, and is the same again after a stop and --resume', async () => {
    await train(parseOptions('train', { ...options, out: at('whole') }), '0');
    const provenance = JSON.parse(readFileSync(at('whole', 'provenance.json'), 'utf8'));
    expect(provenance.engine).toMatch(/^native, cuda: /);
    const stopped = train(parseOptions('train', { ...options, out: at('stopped') }), '0', stoppingAt(48 * 3));
    await expect(stopped).rejects.toThrow('stopped after step 3; the same command with --resume goes on');
    await train(parseOptions('train', { ...options, out: at('stopped'), resume: true }), '0');
    expect(encoderOf('stopped')).toEqual(encoderOf('whole'));
  });

  test('it scores on either, alike, and evaluates', async () => {
    const on = async (device: string, file: string) => {
      const args = [
        '--model',
        at('whole'),
        '--data',
        sample('Ato4l'),
        '--out',
        at(file),
        '--device',
        device,
        '--quiet',
      ];
      expect(await anomalyclr('score', ...args, '--batch', '512')).toMatchObject({ code: 0, stderr: '' });
      return scoresIn(file);
    };
    const [cuda, cpu] = [await on('cuda', 'cuda.csv'), await on('cpu', 'cpu.csv')];
    expect(cuda.length).toBeGreaterThan(100);
    expect(worst(cuda, cpu)).toBeLessThan(1e-4);
    const evaluated = await anomalyclr(
      'evaluate', '--model', at('whole'), '--background', sample('background_test'), '--signal', `Ato4l=${sample('Ato4l')}`,
      '--device', 'cuda', '--json', '--quiet',
    ); // prettier-ignore
    expect(evaluated).toMatchObject({ code: 0, stderr: '' });
    expect(evaluated.stdout).toContain('Ato4l');
  });

  test('doctor tells of it', async () => {
    expect((await anomalyclr('doctor')).stdout).toMatch(/^CUDA +\S.*, [\d.]+ GiB, [\d.]+ GiB free$/m);
    expect(JSON.parse((await anomalyclr('doctor', '--json')).stdout)).toMatchObject({
      cuda: { available: true, library: cudaLibrary },
    });
  });

  test('without its library there is one line', async () => {
    process.env['ANOMALYCLR_CUDA_LIBRARY'] = at('none.so');
    const { code, stderr } = await anomalyclr(
      'train', '--background', sample('background_train'), '--out', at('none'), '--device', 'cuda',
    ); // prettier-ignore
    expect([code, stderr]).toEqual([
      1,
      `anomalyclr: --device cuda: the CUDA library is not built (${at('none.so')}): npm run build:cuda\n`,
    ]);
    expect((await anomalyclr('doctor')).stdout).toMatch(/^CUDA +missing: .*npm run build:cuda$/m);
  });
});
