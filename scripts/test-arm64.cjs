// Cross-compiles the core and the C++ tests for arm64, where the kernels are NEON's, and runs them under qemu.
// Without the cross compiler or qemu it ends with "skipped: ..." and that is no failure.
'use strict';
const { spawnSync } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');
const { root, findTools, onPath } = require('./common.cjs');

function skip(why) {
  console.log(`skipped: arm64 tests: ${why}`);
  process.exit(0);
}

if (process.arch === 'arm64') skip('this machine is arm64 itself; `npm run test:native` runs them');
const compiler = 'aarch64-linux-gnu-g++';
const emulator = ['qemu-aarch64', 'qemu-aarch64-static'].find(onPath);
const absent = [
  ...(onPath(compiler) ? [] : [`${compiler} (Debian package g++-aarch64-linux-gnu)`]),
  ...(emulator ? [] : ['qemu-aarch64 (Debian package qemu-user)']),
];
if (absent.length > 0) skip(`not found: ${absent.join(', ')}`);
const { env, missing } = findTools();
if (missing) skip(missing);

const buildDir = path.join(root, 'build', 'arm64');
const jobs = String(os.availableParallelism());
const steps = [
  [
    'cmake',
    '-S',
    root,
    '-B',
    buildDir,
    '-DCMAKE_SYSTEM_NAME=Linux',
    '-DCMAKE_SYSTEM_PROCESSOR=aarch64',
    `-DCMAKE_CXX_COMPILER=${compiler}`,
    '-DCMAKE_EXE_LINKER_FLAGS=-static', // needs no arm64 libraries where qemu looks for them
    `-DCMAKE_CROSSCOMPILING_EMULATOR=${emulator}`,
    '-DANOMALYCLR_TESTS=ON',
    '-DANOMALYCLR_ADDON=OFF',
    '-DANOMALYCLR_EMULATED=OFF', // a GPU played by a played processor would take long
  ],
  ['cmake', '--build', buildDir, '--parallel', jobs],
  // programs without libraries cannot open any, which is what device_test does
  [
    'ctest',
    '--test-dir',
    buildDir,
    '--parallel',
    jobs,
    '--exclude-regex',
    '^device_test$',
    '--output-on-failure',
    '--no-tests=error',
  ],
];
// The emulated processor runs one target, however this machine's are to be chosen.
const { ANOMALYCLR_TARGET: _, ...inherited } = env;
for (const [command, ...args] of steps) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: inherited });
  if (status !== 0) {
    console.error(`arm64: ${command} failed`);
    process.exit(1);
  }
}
console.log('arm64: all C++ tests passed under qemu');
