import { createRequire } from 'node:module';
import { read } from './tree.js';

interface Locked {
  version?: string;
  license?: string;
  hasInstallScript?: boolean;
  dependencies?: Record<string, string>;
  dev?: boolean;
  needs?: string[];
}
interface Component {
  'bom-ref': string;
  name: string;
  version?: string;
  licenses: { license?: { id: string }; expression?: string }[];
}
interface Bill {
  serialNumber: string;
  components: Component[];
  dependencies: { ref: string; dependsOn: string[] }[];
}
interface Sbom {
  makeSbom(this: void): Bill;
  shipped(this: void, lock: { packages: Record<string, Locked> }): Map<string, Locked>;
  oddLicences(this: void, components: { name: string; license?: string }[]): string[];
}
const require = createRequire(import.meta.url);
const { makeSbom, shipped, oddLicences } = require('../../scripts/sbom.cjs') as Sbom;
const { concerns, overtaken } = require('../../scripts/audit.cjs') as {
  concerns(this: void, answer: object, ours: Set<string>): string[];
  overtaken(this: void, outdated: object, versions: Set<string>): string[];
};
const { publishedManifest } = require('../../scripts/pack-npm.cjs') as {
  publishedManifest(this: void, manifest: object): Record<string, unknown>;
};

const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
const packages = shipped(lock);
const installed = [...packages].filter(([folder]) => folder !== '');

test('nothing that comes along has an install script', () => {
  expect(installed.length).toBeGreaterThan(50);
  expect(installed.filter(([, { hasInstallScript }]) => hasInstallScript).map(([folder]) => folder)).toEqual([]);
  // the tests' packages have some, so that the mark is there to be seen
  expect(Object.values(lock.packages).some(({ hasInstallScript }) => hasInstallScript)).toBe(true);
});

test('what comes along is what the lock does not keep for development', () => {
  const others = Object.entries(lock.packages)
    .filter(
      ([folder, { dev }]) =>
        folder.startsWith('node_modules/') && !dev && !folder.startsWith('node_modules/@anomalyclr/'),
    )
    .map(([folder]) => folder);
  expect(installed.map(([folder]) => folder).toSorted()).toEqual(others.toSorted());
});

test('packages of packages are found where Node.js finds them, in circles too', () => {
  const found = shipped({
    packages: {
      '': { dependencies: { a: '1' } },
      'node_modules/a': { dependencies: { b: '2' } },
      'node_modules/a/node_modules/b': { dependencies: { c: '1', a: '1' } },
      'node_modules/b': {},
      'node_modules/c': { dependencies: { a: '1' } },
      'node_modules/jest': { dev: true },
    },
  });
  expect([...found.keys()].toSorted()).toEqual([
    '',
    'node_modules/a',
    'node_modules/a/node_modules/b',
    'node_modules/c',
  ]);
  expect(found.get('node_modules/a/node_modules/b')?.needs).toEqual(['node_modules/c', 'node_modules/a']);
});

describe('the bill of materials', () => {
  const bill = makeSbom();

  test('lists what is installed and what is bundled, no more', () => {
    const nameOf = (folder: string): string => folder.replace(/^.*node_modules\//, '');
    const bundled = JSON.parse(read('dist/bundled.json')) as { name: string; version?: string }[];
    expect(bundled.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['jsroot', '@tensorflow/tfjs-core', 'lzma-js']),
    );
    const wanted = [
      ...installed.map(([folder, { version = '' }]) => `${nameOf(folder)}@${version}`),
      ...bundled.map(({ name, version }) => `bundled:${name}${version ? `@${version}` : ''}`),
    ];
    expect(bill.components.map(part => part['bom-ref']).toSorted()).toEqual([...new Set(wanted)].toSorted());
    const refs = new Set(bill.dependencies.map(({ ref }) => ref));
    expect(bill.dependencies.flatMap(({ dependsOn }) => dependsOn).filter(ref => !refs.has(ref))).toEqual([]);
  });

  test('is the same each time, and names no time', () => {
    expect(makeSbom()).toEqual(bill);
    expect(JSON.stringify(bill)).not.toMatch(/timestamp|20\d\d-\d\d-\d\dT/);
  });

  test('has a licence for each; one that is not known is told', () => {
    const without = bill.components.filter(({ licenses }) => !(licenses[0]?.license?.id ?? licenses[0]?.expression));
    expect(without).toEqual([]);
    const parts = ['MIT', '(MIT OR CC0-1.0)', 'Apache-2.0 AND BSD-3-Clause', 'AGPL-3.0-only', undefined];
    expect(oddLicences(parts.map((license, i) => ({ name: `p${i}`, license })))).toEqual([
      'p1: (MIT OR CC0-1.0)',
      'p3: AGPL-3.0-only',
      'p4: none',
    ]);
  });
});

test('an advisory counts where it is on what ships', () => {
  const one = (name: string, node: string, via: unknown[]) => ({ name, severity: 'high', nodes: [node], via });
  const advisory = { title: 'bad', url: 'https://example.org/1' };
  const vulnerabilities = {
    fastify: one('fastify', 'node_modules/fastify', [advisory]),
    jest: one('jest', 'node_modules/jest', [advisory]),
    swagger: one('swagger', 'node_modules/swagger', ['fastify']), // by another alone
  };
  const ours = new Set(['node_modules/fastify', 'node_modules/swagger']);
  expect(concerns({ vulnerabilities }, ours)).toEqual(['fastify, high: bad (https://example.org/1)']);
});

test('where nobody knows of advisories, what has a newer version is named', () => {
  const outdated = {
    'fast-uri': [
      { current: '4.2.3', wanted: '4.2.4' },
      { current: '4.2.3', wanted: '4.2.4' },
      { current: '3.1.9', wanted: '3.1.9' },
    ],
    jest: { current: '1.0.0', wanted: '1.0.1' },
    esbuild: { wanted: '1.0.0' }, // of another platform
  };
  expect(overtaken(outdated, new Set(['fast-uri@4.2.3', 'fast-uri@3.1.9']))).toEqual(['fast-uri 4.2.3, newer: 4.2.4']);
});

test('what is published names the platforms, and nothing of the checkout', () => {
  const manifest = JSON.parse(read('package.json')) as Record<string, object> & { version: string };
  const published = publishedManifest(manifest);
  expect(Object.keys(manifest)).not.toContain('optionalDependencies');
  expect(published).toMatchObject({
    dependencies: manifest['dependencies'],
    scripts: { install: 'node scripts/build-native.cjs --optional' },
    optionalDependencies: { '@anomalyclr/linux-x64-gnu': manifest.version },
  });
  expect(Object.keys(published['scripts'] as object)).toEqual(['install']);
  for (const name of ['devDependencies', 'overrides', 'allowScripts']) expect(published).not.toHaveProperty(name);
});
