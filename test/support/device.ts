import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { loadAddon, packageRoot, type Addon, type NativePlace } from '../../src/addon.js';

/** A device library that the C++ tests bring. */
export const builtLibrary = (name: string): string =>
  path.join(packageRoot(), 'build', 'cmake', 'Release', `lib${name}_emulated.so`);
/** test/native/fake_device.cc */
export const fake = builtLibrary('fake_good');

const named = process.env['ANOMALYCLR_CUDA_LIBRARY'] ?? '';
/** Whether there is one: `npm run test:gpu` names its library. */
export const onGpu = !['', 'skip'].includes(named);
/** That of this machine's GPU, else the one for a GPU that the CPU plays. */
export const cudaLibrary = onGpu ? named : builtLibrary('anomalyclr_cuda');

/** `describe`, or one test that says why not. */
export function describeOnCuda(name: string, body: () => void): void {
  if (existsSync(cudaLibrary)) describe(name, body);
  else
    test.skip(`${name}: the C++ tests, which bring the library for a GPU that the CPU plays, are not built`, () =>
      undefined);
}

/** The addon with everything on a device that can be. */
export function addonOn(place: NativePlace): Addon {
  const addon: any = loadAddon();
  const placed = (argument: unknown): unknown =>
    typeof argument === 'object' && argument !== null ? { ...argument, ...place } : argument;
  const classOn = (name: string): unknown =>
    class {
      constructor(config: object) {
        return new addon[name](placed(config));
      }
    };
  const callOn = (name: string) => (argument: object | null) => addon[name](placed(argument));
  return {
    ...addon,
    ...Object.fromEntries(['Trainer', 'Perceptron', 'Scorer'].map(name => [name, classOn(name)])),
    ...Object.fromEntries(
      ['augment', 'augmentNow', 'contrastiveLoss', 'contrastiveLossNow'].map(name => [name, callOn(name)]),
    ),
  };
}
