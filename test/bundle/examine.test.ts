import { examineProviders } from '../../src/bundle/examine.js';
import { openSession } from '../../src/bundle/session.js';
import { needsRuntime, smallBundle } from '../support/bundle.js';

needsRuntime('a provider that is said to work does, and one that is said to be missing does not', async () => {
  const found = await examineProviders();
  expect(Object.keys(found)).toEqual(['cpu', 'cuda', 'tensorrt']);
  const { bytes } = await smallBundle();
  for (const name of ['cpu', 'cuda', 'tensorrt'] as const) {
    const opened = await openSession(bytes, { provider: name, threads: 1 }).then(
      session => session.dispose().then(() => true),
      () => false,
    );
    expect([name, found[name].works]).toEqual([name, opened]);
    expect(found[name]).toEqual(
      opened
        ? { works: true, version: expect.stringMatching(/^\d+\.\d+\.\d+$/) }
        : {
            works: false,
            missing: expect.stringMatching(/^[^\n]+; put the .*onnxruntime-gpu .* on the library path$/),
          },
    );
  }
  expect(found.cpu.works).toBe(true);
});
