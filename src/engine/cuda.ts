import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { findAddon, loadAddon, packageRoot, type DeviceFound, type NativePlace } from '../addon.js';
import { AnomalyClrError, UsageError } from '../errors.js';
import { oneLine } from '../files.js';
import { findPlatform, platformName } from '../platform.js';

/** Where the native engine is to compute; `auto` is a GPU where one works. */
export type Device = 'auto' | 'cpu' | 'cuda';

const libraryName = 'libanomalyclr_cuda.so';

/**
 * The file named by ANOMALYCLR_CUDA_LIBRARY, else where `npm run build:cuda` puts it, else that of the package
 * `@anomalyclr/linux-x64-cuda` where that is installed; undefined where the variable says `skip`.
 */
export function cudaLibrary(): string | undefined {
  const named = process.env['ANOMALYCLR_CUDA_LIBRARY'];
  if (named === 'skip') return undefined;
  if (named !== undefined && named !== '') return path.resolve(named);
  const built = path.join(packageRoot(), 'build', 'cuda', libraryName);
  const prebuilt = existsSync(built) ? undefined : findPlatform(platformName('cuda'));
  return prebuilt ? path.join(prebuilt.folder, libraryName) : built;
}

/** Of several processes on one machine each takes a GPU: LOCAL_RANK, as torchrun sets it. */
export function localDevice(): number {
  const given = process.env['LOCAL_RANK'] ?? '0';
  const index = Number(given);
  if (!Number.isInteger(index) || index < 0 || index > 1023)
    throw new UsageError(`LOCAL_RANK is "${given}", must be the number of a GPU: 0, 1, ...`);
  return index;
}

/** What the CUDA library says, or why there is none. */
export function findCuda(index = localDevice()): DeviceFound {
  const library = cudaLibrary();
  if (library === undefined)
    return {
      library: '',
      available: false,
      why: 'ANOMALYCLR_CUDA_LIBRARY=skip leaves CUDA out; unset it to have it',
    };
  return loadAddon().device({ library, deviceIndex: index });
}

const version = (number: number): string => `${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}`;

/** @example describeCuda(found); // 'NVIDIA H200 (sm_90), driver 13.0, cuBLASLt 13.1' */
export function describeCuda(found: DeviceFound & { available: true }): string {
  const { name, capability, driver, dense, emulated } = found;
  return emulated ? `${name}, ${dense}` : `${name} (sm_${capability}), driver ${version(driver)}, ${dense}`;
}

export interface ChosenPlace {
  readonly place: NativePlace;
  /** In words; undefined for the CPU. */
  readonly describe?: string;
  /** What kept `auto` from a GPU that there seems to be. */
  readonly notice?: string;
}

/**
 * Where to compute. `auto` takes a GPU that works, and a stand-in for one only by name.
 *
 * @throws AnomalyClrError for `cuda` where it does not work, with what to do
 */
export function choosePlace(device: Device, index?: number): ChosenPlace {
  const cpu: NativePlace = { device: 'cpu' };
  if (device === 'cpu') return { place: cpu };
  const library = cudaLibrary();
  if (device === 'auto' && (library === undefined || !existsSync(library))) return { place: cpu };
  const deviceIndex = index ?? localDevice();
  const found = findCuda(deviceIndex);
  if (!found.available) {
    if (device === 'cuda') throw new AnomalyClrError(`--device cuda: ${found.why}`);
    return { place: cpu, notice: `computing on the CPU: ${found.why}` };
  }
  if (device === 'auto' && found.emulated) return { place: cpu };
  return {
    place: { device: 'cuda', library: found.library, deviceIndex },
    describe: `cuda: ${describeCuda(found)}`,
  };
}

const program = `
  const [addon, library, deviceIndex] = process.argv.slice(1);
  console.log(JSON.stringify(require(addon).device({ library, deviceIndex: Number(deviceIndex) })));`;

/** As findCuda, in a process of its own, which a broken library or driver may bring down. */
export async function examineCuda(): Promise<DeviceFound> {
  const library = cudaLibrary();
  if (library === undefined) return findCuda();
  const args = ['-e', program, findAddon().file, library, String(localDevice())];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 120_000 });
    return JSON.parse(stdout) as DeviceFound;
  } catch (error) {
    const { signal, message } = error as { signal?: string | null; message: string };
    const why = signal ? `it ends the process that tries it (${signal})` : oneLine(message).slice(0, 200);
    return { library, available: false, why };
  }
}
