import { posix } from 'node:path';
import { filesBelow, read } from './tree.js';

interface Import {
  readonly from: string;
  readonly to: string;
  /** `import type`: gone when compiled. */
  readonly typeOnly: boolean;
}

/** Imports, re-exports and lazy imports of a TypeScript source. */
function importsIn(from: string, source: string): Import[] {
  const statement = /^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
  const lazy = /\bimport\(\s*'([^']+)'\s*\)/g;
  return [
    ...[...source.matchAll(statement)].map(([, type, to]) => ({ from, to, typeOnly: type !== undefined })),
    ...[...source.matchAll(lazy)].map(([, to]) => ({ from, to, typeOnly: false })),
  ].map(found => (found.to.startsWith('.') ? { ...found, to: resolve(from, found.to) } : found));
}

function resolve(from: string, to: string): string {
  return posix.normalize(posix.join(posix.dirname(from), to)).replace(/\.js$/, '.ts');
}

const sources = filesBelow('src').filter(path => path.endsWith('.ts'));
const imports = sources.flatMap(path => importsIn(path, read(path)));

/** The unit of a file: its folder in src, or its own name. */
const unitOf = (path: string): string => path.split('/')[1].replace(/\.ts$/, '');

/** Lower layers know nothing of higher ones. Units of one layer may know each other where `peers` says so. */
const layers: { units: string[]; peers?: boolean }[] = [
  { units: ['errors'] },
  { units: ['temporaries'] },
  { units: ['files'] },
  { units: ['platform'] },
  { units: ['config', 'events'] },
  { units: ['read', 'model', 'addon', 'augment'], peers: true },
  { units: ['ops'] },
  { units: ['engine', 'bundle'] },
  { units: ['train', 'score', 'detect'], peers: true },
  { units: ['export', 'serve', 'scan'] },
  { units: ['cli'] },
  { units: ['index', 'tfjs'] },
];
/** Beside the layers: they see plain data only, and anyone from `engine` up may use them. */
const plain = ['evaluate', 'report'];

function allowed({ from, to, typeOnly }: Import): boolean {
  const [user, used] = [unitOf(from), unitOf(to)];
  if (user === used) return true;
  const layer = (unit: string): number => layers.findIndex(({ units }) => units.includes(unit));
  if (plain.includes(user))
    return (
      plain.includes(used) ||
      used === 'errors' ||
      (used === 'events' &&
        (typeOnly || ['src/events/objects.ts', 'src/events/domain.ts', 'src/events/data-kinds.ts'].includes(to)))
    );
  if (plain.includes(used)) return layer(user) >= layer('engine');
  if (layer(used) < 0 || layer(user) < 0) return false;
  return layer(used) < layer(user) || (layer(used) === layer(user) && layers[layer(user)].peers === true);
}

const told = (bad: Import[]): string[] => bad.map(({ from, to }) => `${from} imports ${to}`);

describe('src: who may import whom', () => {
  test('the reader of imports sees every form', () => {
    const source = [
      `import a from './a.js';`,
      `import type { B } from '../events/b.js';`,
      `import {\n  c,\n} from 'c';`,
      `export * from './d.js';`,
      `import 'e';`,
      `const f = () => import('./f.js');`,
    ].join('\n');
    expect(importsIn('src/cli/x.ts', source)).toEqual([
      { from: 'src/cli/x.ts', to: 'src/cli/a.ts', typeOnly: false },
      { from: 'src/cli/x.ts', to: 'src/events/b.ts', typeOnly: true },
      { from: 'src/cli/x.ts', to: 'c', typeOnly: false },
      { from: 'src/cli/x.ts', to: 'src/cli/d.ts', typeOnly: false },
      { from: 'src/cli/x.ts', to: 'e', typeOnly: false },
      { from: 'src/cli/x.ts', to: 'src/cli/f.ts', typeOnly: false },
    ]);
    expect(imports.length).toBeGreaterThan(50);
  });

  test('the rules refuse what they should', () => {
    const refused = (from: string, to: string, typeOnly = false): boolean => !allowed({ from, to, typeOnly });
    expect(refused('src/events/a.ts', 'src/read/b.ts')).toBe(true);
    expect(refused('src/events/a.ts', 'src/config/b.ts')).toBe(true);
    expect(refused('src/engine/a.ts', 'src/cli/b.ts', true)).toBe(true);
    expect(refused('src/report/a.ts', 'src/addon.ts')).toBe(true);
    expect(refused('src/evaluate/a.ts', 'src/events/event-batch.ts')).toBe(true);
    expect(refused('src/evaluate/a.ts', 'src/events/event-batch.ts', true)).toBe(false);
    expect(refused('src/train/a.ts', 'src/engine/b.ts')).toBe(false);
  });

  test('every unit stands in a layer', () => {
    const known = [...layers.flatMap(({ units }) => units), ...plain];
    expect([...new Set(sources.map(unitOf))].filter(unit => !known.includes(unit))).toEqual([]);
  });

  test('imports go down the layers', () => {
    expect(told(imports.filter(one => one.to.startsWith('src/') && !allowed(one)))).toEqual([]);
  });

  test('the benchmark is known to its command alone', () => {
    const users = imports.filter(({ to }) => to.startsWith('bench/')).map(({ from }) => from);
    expect(users).toEqual(['src/cli/bench.ts']);
  });

  test('no two files need each other to load', () => {
    const needs = new Map(sources.map(path => [path, [] as string[]]));
    for (const { from, to, typeOnly } of imports) if (!typeOnly && needs.has(to)) needs.get(from)?.push(to);
    // Take away what needs nothing that is left, until nothing goes: the rest are cycles.
    for (let size = -1; size !== needs.size;) {
      size = needs.size;
      for (const [path, list] of needs) if (!list.some(to => needs.has(to))) needs.delete(path);
    }
    expect([...needs.keys()]).toEqual([]);
  });

  test.each([
    ['h5wasm', (from: string) => from.startsWith('src/read/') || from === 'src/score/write-scores.ts'],
    ['echarts', (from: string) => from.startsWith('src/report/')],
    ['commander', (from: string) => from.startsWith('src/cli/')],
    ['cli-progress', (from: string) => from === 'src/cli/progress.ts'],
    ['@tensorflow', (from: string) => ['src/ops/tf.ts', 'src/ops/wasm.ts', 'src/ops/backend.ts'].includes(from)],
    ['onnx-buf', (from: string) => ['src/export/graph.ts', 'src/bundle/read.ts'].includes(from)],
    ['onnxruntime-node', (from: string) => from.startsWith('src/bundle/')],
    ['fastify', (from: string) => from.startsWith('src/serve/')],
    ['prom-client', (from: string) => from.startsWith('src/serve/')],
    ['pino', (from: string) => from.startsWith('src/serve/')],
    ['apache-arrow', (from: string) => from.startsWith('src/read/')],
    ['flatbuffers', (from: string) => from === 'src/read/cache/packed-file.ts'],
    ['yauzl', (from: string) => from === 'src/read/schema/npz.ts'],
    ['tinyglobby', (from: string) => ['src/read/file-list.ts', 'src/cli/merge.ts'].includes(from)],
    ['hyparquet', (from: string) => ['src/score/read-scores.ts', 'src/read/'].some(door => from.startsWith(door))],
    ['yaml', (from: string) => from === 'src/config/config-file.ts'],
  ])('%s has one door', (name, door) => {
    const users = imports.filter(({ to }) => to === name || to.startsWith(`${name}/`));
    expect(told(users.filter(({ from }) => !door(from)))).toEqual([]);
  });

  test('the compiled addon is named in addon.ts alone', () => {
    expect(sources.filter(path => path !== 'src/addon.ts' && /\.node['"`]/.test(read(path)))).toEqual([]);
  });
});

describe('native: who may include whom', () => {
  const native = filesBelow('native').filter(path => /\.(h|cc|cu)$/.test(path));
  const order = [['core'], ['augment', 'loss'], ['kernels'], ['comm'], ['model'], ['device'], ['binding']];
  const unit = (path: string): string => path.split('/')[1];
  const layer = (path: string): number => order.findIndex(units => units.includes(unit(path)));
  /** The device library is opened at run time: it shares headers with the rest, and nothing knows it. */
  const seenByCuda = ['core', 'augment', 'loss', 'kernels'];
  const permitted = (from: string, to: string): boolean => {
    if (unit(from) === unit(to)) return true;
    if (unit(from) === 'cuda') return seenByCuda.includes(unit(to)) && to.endsWith('.h');
    return unit(to) !== 'cuda' && layer(to) < layer(from);
  };
  const includes = native.flatMap(from =>
    [...read(from).matchAll(/^\s*#\s*include\s+[<"]([^>"]+)[>"]/gm)].map(([, to]) => ({ from, to, typeOnly: false })),
  );
  const ours = includes.flatMap(({ from, to }) => {
    const target = [posix.join('native', to), posix.join(posix.dirname(from), to)].find(path => native.includes(path));
    return target === undefined ? [] : [{ from, to: target, typeOnly: false }];
  });

  test('every folder stands in a layer', () => {
    expect(native.filter(path => layer(path) < 0 && unit(path) !== 'cuda')).toEqual([]);
    expect(ours.length).toBeGreaterThan(20);
  });

  test('the rules refuse what they should', () => {
    expect(permitted('native/kernels/a.h', 'native/model/b.h')).toBe(false);
    expect(permitted('native/augment/a.h', 'native/loss/b.h')).toBe(false);
    expect(permitted('native/model/a.h', 'native/device/b.h')).toBe(false);
    expect(permitted('native/device/a.cc', 'native/cuda/b.h')).toBe(false);
    expect(permitted('native/cuda/a.cu', 'native/model/b.h')).toBe(false);
    expect(permitted('native/cuda/a.cu', 'native/kernels/b.cc')).toBe(false);
    expect(permitted('native/cuda/a.cu', 'native/augment/b.h')).toBe(true);
    expect(permitted('native/binding/a.cc', 'native/device/b.h')).toBe(true);
  });

  test('includes go down the layers', () => {
    expect(told(ours.filter(({ from, to }) => !permitted(from, to)))).toEqual([]);
  });

  test('N-API stays in binding, vector instructions in kernels/simd', () => {
    const napi = includes.filter(({ to }) => /^(napi|node_api|js_native_api)/.test(to));
    expect(napi.length).toBeGreaterThan(0);
    expect(told(napi.filter(({ from }) => !from.startsWith('native/binding/')))).toEqual([]);
    const vector = includes.filter(({ to }) => /^(.*intrin|arm_neon|arm_sve)\.h$/.test(to));
    expect(told(vector.filter(({ from }) => !from.startsWith('native/kernels/simd/')))).toEqual([]);
  });
});
