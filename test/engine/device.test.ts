import { existsSync } from 'node:fs';
import { presets } from '../../src/config/recipe.js';
import { describeCuda } from '../../src/engine/cuda.js';
import { openEngine, type EngineChoice } from '../../src/engine/index.js';
import { DeviceError, UsageError } from '../../src/errors.js';
import { builtLibrary } from '../support/device.js';
import { smallEncoder } from '../support/training.js';
import { EventBatchBuilder } from '../../src/events/event-batch.js';

const built = (name: string): string => builtLibrary(`fake_${name}`);
const withFake = existsSync(built('good')) ? test : test.skip;

const before = { ...process.env };
afterEach(() => {
  for (const name of ['ANOMALYCLR_CUDA_LIBRARY', 'LOCAL_RANK']) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
});

const open = async (library: string, choice: EngineChoice) => {
  process.env['ANOMALYCLR_CUDA_LIBRARY'] = library;
  return openEngine({ threads: 1, ...choice });
};
const onCpu = /^native, \w+, 1 thread$/;

test.each(['skip', '/no/such/libanomalyclr_cuda.so'])(
  'without a library (%s) auto is the CPU, and says nothing',
  async library => {
    for (const choice of [{}, { device: 'auto' }, { engine: 'native', device: 'auto' }, { device: 'cpu' }] as const) {
      const engine = await open(library, choice);
      expect(engine.describe()).toMatch(onCpu);
      expect(engine.notice).toBeUndefined();
    }
    const how =
      library === 'skip' ? /^--device cuda: ANOMALYCLR_CUDA_LIBRARY=skip/ : /^--device cuda: .*npm run build:cuda$/;
    for (const engine of ['auto', 'native'])
      await expect(open(library, { engine, device: 'cuda' })).rejects.toThrow(how);
  },
);

test('the engine of TensorFlow.js has another way to a GPU', async () => {
  const choice = { engine: 'tfjs', tfjsBackend: 'cpu', device: 'cuda' } as const;
  await expect(openEngine(choice)).rejects.toThrow(UsageError);
  await expect(openEngine(choice)).rejects.toThrow(/--tfjs-backend node-gpu/);
});

withFake('a stand-in for a GPU is taken by name alone', async () => {
  expect((await open(built('good'), { device: 'auto' })).describe()).toMatch(onCpu);
  expect((await open(built('good'), { device: 'cuda' })).describe()).toBe('native, cuda: Fake, no kernels');
});

withFake('a library that does not work: auto says why it computes on the CPU, cuda fails', async () => {
  const engine = await open(built('other_abi'), {});
  expect(engine.describe()).toMatch(onCpu);
  expect(engine.notice).toMatch(/^computing on the CPU: .*ABI.*npm run build:cuda$/);
  await expect(open(built('other_abi'), { device: 'cuda' })).rejects.toThrow(/^--device cuda: .*ABI/);
});

withFake('LOCAL_RANK chooses the GPU, a given index before it', async () => {
  process.env['LOCAL_RANK'] = '1';
  expect((await open(built('good'), { device: 'cuda' })).describe()).toBe(
    `native, cuda: ${'x'.repeat(256)}, no kernels`,
  );
  expect((await open(built('good'), { device: 'cuda', deviceIndex: 0 })).describe()).toContain('Fake');
  process.env['LOCAL_RANK'] = '2';
  await expect(open(built('good'), { device: 'cuda' })).rejects.toThrow(/^--device cuda: the driver is of CUDA 12\.2/);
  for (const bad of ['x', '-1', '0.5', '5000']) {
    process.env['LOCAL_RANK'] = bad;
    await expect(open(built('good'), { device: 'cuda' })).rejects.toThrow(UsageError);
  }
});

withFake('what ends a call on a GPU is an error with a code', async () => {
  const engine = await open(built('good'), { device: 'cuda' });
  const builder = new EventBatchBuilder();
  builder.addObject(30, 0.1, 0.2, 1);
  builder.endEvent(0);
  const events = builder.build();
  const model = engine.contrastive(
    { ...smallEncoder, precision: 'f32', loss: 'anomclr+', temperature: 0.1, optimiser: { kind: 'adam' } },
    presets['default'],
  );
  const step = (rate: number) => model.step({ events, index: Int32Array.of(0), seed: 1, epoch: 0, rate });
  for (const [rate, code] of [[13, 'OUT_OF_MEMORY'], [14, 'DEVICE_LOST'], [15, 'PEER_LOST'], [16, 'FAILED']] as const) {
    const error = await step(rate).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DeviceError);
    expect(error).toMatchObject({ code, message: 'as was asked for' });
  } // prettier-ignore
  await expect(step(11)).rejects.not.toBeInstanceOf(DeviceError); // arguments
  expect((await step(1e-3)).loss).toBeGreaterThan(0);
  model.dispose();
});

test('a GPU in words', () => {
  const found = {
    available: true, library: '', version: '0.1.0', name: 'NVIDIA H200', capability: 90, processors: 132, driver: 13000,
    runtime: 13000, emulated: false, memory: 1, memoryFree: 1, dense: 'cuBLASLt 13.1',
  } as const; // prettier-ignore
  expect(describeCuda(found)).toBe('NVIDIA H200 (sm_90), driver 13.0, cuBLASLt 13.1');
  expect(describeCuda({ ...found, driver: 12080, capability: 120 })).toBe(
    'NVIDIA H200 (sm_120), driver 12.8, cuBLASLt 13.1',
  );
});
