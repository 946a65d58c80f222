import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { AnomalyClrError } from './errors.js';

/** The package's own folder, whether this file runs from src/ or from dist/src/. */
export function packageRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'package.json'))) {
    const up = path.dirname(folder);
    if (up === folder) throw new AnomalyClrError('package.json of anomalyclr is missing; install the package again');
    folder = up;
  }
  return folder;
}

interface Manifest {
  readonly version: string;
  /** Version of Node-API that its addon is built for. */
  readonly nodeApi?: number;
}
const manifestIn = (folder: string): Manifest =>
  JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as Manifest;

/** Prebuilt parts for one kind of machine, which npm installs along by `os`, `cpu` and `libc`. */
export interface PlatformPackage {
  readonly name: string;
  readonly folder: string;
}

/** `@anomalyclr/linux-x64-gnu`: has the addon and ONNX Runtime; or with `what`, `@anomalyclr/linux-x64-cuda`. */
export function platformName(what = process.platform === 'linux' ? 'gnu' : ''): string {
  return `@anomalyclr/${[process.platform, process.arch, what].filter(Boolean).join('-')}`;
}

/** What names a package of this version, for npm install. */
export const platformSpec = (name = platformName()): string => `${name}@${manifestIn(packageRoot()).version}`;

/**
 * The package of that name that lies where Node.js finds it from here; undefined where there is none.
 *
 * @param root - folder of the package that asks
 * @throws AnomalyClrError where it is of another version, or of a Node-API that this Node.js lacks
 */
export function findPlatform(name = platformName(), root = packageRoot()): PlatformPackage | undefined {
  let folder: string;
  try {
    folder = path.dirname(createRequire(path.join(root, 'package.json')).resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
  const { version, nodeApi = 0 } = manifestIn(folder);
  const wanted = manifestIn(root).version;
  if (version !== wanted)
    throw new AnomalyClrError(
      `${name} is of version ${version} and anomalyclr of ${wanted}; npm install ${name}@${wanted}`,
    );
  if (nodeApi > Number(process.versions.napi))
    throw new AnomalyClrError(
      `${name} needs Node-API ${nodeApi} and Node.js ${process.versions.node} has ${process.versions.napi}; install a newer Node.js`,
    );
  return { name, folder };
}
