import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import process from 'node:process';
import { promisify } from 'node:util';
import { oneLine } from '../files.js';
import { backendNames, howToAdd, nodePackage, openBackend, type BackendName } from './backend.js';
import tf from './tf.js';

/** What there is of a TensorFlow.js backend; `missing` says why it does not work and how to add it. */
export type BackendFound = { works: true; describe: string } | { works: false; missing: string };

/** Every backend, tried out. A binary that could bring the process down is tried in another one. */
export async function examineBackends(): Promise<{ version: string; backends: Record<BackendName, BackendFound> }> {
  const found: [BackendName, BackendFound][] = [];
  for (const name of backendNames) {
    try {
      const module = nodePackage(name);
      const describe = module === undefined ? (await openBackend(name, 0)).describe : await tryOut(module);
      found.push([name, { works: true, describe }]);
    } catch (error) {
      found.push([name, { works: false, missing: `${(error as Error).message}; to add it: ${howToAdd(name)}` }]);
    }
  }
  return { version: tf.version_core, backends: Object.fromEntries(found) as Record<BackendName, BackendFound> };
}

const program = `
  const util = require('node:util');
  util.isNullOrUndefined ??= x => x === null || x === undefined;
  const { binding, isUsingGpuDevice } = require(process.argv[1]).backend();
  console.log('TensorFlow ' + binding.TF_Version + (isUsingGpuDevice ? ' on a GPU' : ' without a GPU'));`;

async function tryOut(module: string): Promise<string> {
  let file: string;
  try {
    file = createRequire(import.meta.url).resolve(module);
  } catch {
    throw new Error('not installed');
  }
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', program, file], { env, timeout: 60_000 });
    return stdout.trim().split('\n').at(-1) ?? '';
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    const said = /^\w*Error: (.*)$/m.exec(stderr ?? '')?.[1] ?? (error as Error).message;
    throw new Error(`installed, but does not load (${oneLine(said).slice(0, 200)})`);
  }
}
