import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { filesBelow, read, root } from './tree.js';

/** What of the packages goes to GPU nodes (npm run pack:gpu); that it runs there is tried when it is packed. */
interface Pack {
  packedPackages(this: void, lock: { packages: Record<string, { dependencies?: Record<string, string> }> }): string[];
  isPacked(this: void, file: string): boolean;
  isLeftOut(this: void, name: string): boolean;
}
const { packedPackages, isPacked, isLeftOut } = createRequire(import.meta.url)('../../scripts/pack-gpu.cjs') as Pack;

const packed = packedPackages(JSON.parse(read('package-lock.json')) as Parameters<Pack['packedPackages']>[0]);

/** Packages that sources load, by file; types alone are gone when compiled, and some are bundled (scripts/bundle.cjs). */
const loads = ['src', 'bench'].flatMap(filesBelow).flatMap(file => {
  if (!file.endsWith('.ts')) return [];
  const statement =
    /^(?:import|export)\s+(?!type\s)(?:[^'";]*?\sfrom\s+)?'([^'.][^']*)'|\bimport\(\s*'([^'.][^']*)'\s*\)/gm;
  return [...read(file).matchAll(statement)]
    .map(([, now, later]) => ({ file, module: now ?? later }))
    .filter(({ module }) => !module.startsWith('node:') && !module.startsWith('@tensorflow/'));
});
const packageOf = (module: string): string => /^(?:@[^/]+\/)?[^/]+/.exec(module)?.[0] ?? module;

test('packages of packages are found where Node.js finds them', () => {
  const lock = {
    '': { dependencies: { a: '1', b: '1', fastify: '1', '@types/a': '1' } },
    'node_modules/a': { dependencies: { c: '2' } },
    'node_modules/a/node_modules/c': { dependencies: { b: '1', d: '1' } },
    'node_modules/b': { dependencies: { c: '1' } },
    'node_modules/c': {},
    'node_modules/d': { dependencies: { a: '1' } },
    'node_modules/jest': {},
  };
  expect(packedPackages({ packages: lock }).toSorted((a, b) => a.localeCompare(b))).toEqual([
    'node_modules/a',
    'node_modules/a/node_modules/c',
    'node_modules/b',
    'node_modules/c',
    'node_modules/d',
  ]);
  expect(() => packedPackages({ packages: { '': { dependencies: { gone: '1' } } } })).toThrow(/needs gone/);
});

test('all that the program loads is packed, but for the server', () => {
  expect(loads.length).toBeGreaterThan(20);
  const lost = loads.filter(
    ({ file, module }) =>
      !packed.includes(`node_modules/${packageOf(module)}`) &&
      !/^src\/serve\/|^bench\/(serve|soak)/.test(file) &&
      !module.startsWith('onnxruntime-'),
  );
  expect(lost).toEqual([]);
  expect(packed.filter(folder => isLeftOut(folder.replace(/^.*node_modules\//, '')))).toEqual([]);
});

test('of each package goes along what Node.js resolves it to', () => {
  const modules = [...new Set(loads.map(({ module }) => module))].filter(module =>
    packed.includes(`node_modules/${packageOf(module)}`),
  );
  const program = `for (const name of process.argv.slice(1)) console.log(import.meta.resolve(name))`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program, ...modules], {
    cwd: root,
    encoding: 'utf8',
  });
  const files = stdout.trim().split('\n');
  expect({ stderr, resolved: files.length }).toEqual({ stderr: '', resolved: modules.length });
  const lost = files.map(file => file.replace(/^.*?\/(?=node_modules\/)/, '')).filter(file => !isPacked(file));
  expect(lost).toEqual([]);
});

test.each([
  ['node_modules/echarts/lib/echarts.js', true],
  ['node_modules/echarts/dist/echarts.js', false],
  ['node_modules/echarts/licenses/LICENSE-d3', true],
  ['dist/src/ops/tfjs-backend-wasm-simd.wasm', true],
  ['dist/THIRD-PARTY-NOTICES', true],
  ['dist/node-api/napi.h', false],
  ['node_modules/zod/v4/classic/external.d.ts', false],
  ['node_modules/h5wasm/LICENSE.txt', true],
  ['dist/src/index.js', true],
  ['dist/src/index.js.map', false],
])('%s: %s', (file, goes) => {
  expect(isPacked(file)).toBe(goes);
});
