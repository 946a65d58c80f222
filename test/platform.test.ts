import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../src/addon.js';
import { findPlatform, platformName, platformSpec } from '../src/platform.js';
import { temporaryFolder } from './read/craft.js';

const at = temporaryFolder();
const name = platformName();

/** A package of version 1.2.3 in a project of its own, with a platform's package beside it or without. */
function project(folder: string, platform?: object): string {
  const root = at(`${folder}/node_modules/anomalyclr`);
  mkdirSync(root, { recursive: true });
  writeFileSync(path.join(root, 'package.json'), '{ "name": "anomalyclr", "version": "1.2.3", "type": "module" }');
  if (!platform) return root;
  const beside = at(`${folder}/node_modules/${name}`);
  mkdirSync(beside, { recursive: true });
  writeFileSync(path.join(beside, 'package.json'), JSON.stringify({ name, ...platform }));
  return root;
}

test('a package of a platform is found beside the one that asks', () => {
  expect(name).toMatch(/^@anomalyclr\/\w+-\w+/);
  expect(platformSpec()).toMatch(/^@anomalyclr\/.*@\d+\.\d+\.\d+/);
  expect(findPlatform(name, project('none'))).toBeUndefined();
  const root = project('good', { version: '1.2.3', nodeApi: 8 });
  expect(findPlatform(name, root)).toEqual({ name, folder: realpathSync(at(`good/node_modules/${name}`)) });
});

test('one of another version or Node-API is refused with what to do', () => {
  expect(() => findPlatform(name, project('old', { version: '1.2.2', nodeApi: 8 }))).toThrow(
    `${name} is of version 1.2.2 and anomalyclr of 1.2.3; npm install ${name}@1.2.3`,
  );
  expect(() => findPlatform(name, project('api', { version: '1.2.3', nodeApi: 99 }))).toThrow(
    /needs Node-API 99 and Node\.js \S+ has \d+; install a newer Node\.js$/,
  );
});

describe('the compiled program elsewhere', () => {
  const load = (root: string): string => {
    const dist = path.join(packageRoot(), 'dist', 'src');
    for (const { name: file } of readdirSync(dist, { withFileTypes: true }).filter(entry => entry.isFile()))
      cpSync(path.join(dist, file), path.join(root, 'dist', 'src', file));
    const program = `
      import { loadAddon, addonSource } from '${pathToFileURL(path.join(root, 'dist', 'src', 'addon.js')).href}';
      try { console.log(loadAddon().info().version, addonSource()); } catch (e) { console.log(e.name, e.message); }`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '', ANOMALYCLR_NATIVE: '' },
    });
    return stdout + stderr;
  };

  test('computes on the addon of the platform', () => {
    const root = project('whole', { version: '1.2.3', nodeApi: 8 });
    const addon = path.join(packageRoot(), 'build', 'cmake', 'Release', 'anomalyclr.node');
    cpSync(addon, at(`whole/node_modules/${name}/anomalyclr.node`));
    expect(load(root)).toMatch(new RegExp(`^\\d+\\.\\d+\\.\\d+ prebuilt, of ${name}\n$`));
  });

  test.each([
    [
      'neither',
      undefined,
      /neither installed nor compiled: npm install @anomalyclr\S+@1\.2\.3, or with CMake .*: node .*build-native\.cjs\n$/,
    ],
    ['older', { version: '1.0.0' }, /is of version 1\.0\.0 and anomalyclr of 1\.2\.3; npm install \S+\n$/],
    ['broken', { version: '1.2.3' }, /the native engine \(prebuilt, of @anomalyclr\S+\) does not load: .*\n$/],
  ])('says what is wrong: %s', (folder, platform, message) => {
    const said = load(project(folder, platform));
    expect(said).toMatch(/^AnomalyClrError /);
    expect(said).toMatch(message);
  });
});
