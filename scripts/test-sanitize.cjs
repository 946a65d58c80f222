// Builds the C++ tests with AddressSanitizer and UndefinedBehaviorSanitizer in a folder of their own and runs them.
'use strict';
const { spawnSync } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');
const { root, findTools } = require('./common.cjs');

const { env, missing } = findTools();
if (missing) {
  console.error(`sanitize: ${missing}`);
  process.exit(1);
}
const buildDir = path.join(root, 'build', 'sanitize');
const jobs = String(os.availableParallelism());
const steps = [
  [
    'cmake',
    '-S',
    root,
    '-B',
    buildDir,
    '-DCMAKE_BUILD_TYPE=RelWithDebInfo',
    '-DANOMALYCLR_TESTS=ON',
    '-DANOMALYCLR_SANITIZE=address,undefined',
    '-DANOMALYCLR_ADDON=OFF',
  ],
  ['cmake', '--build', buildDir, '--parallel', jobs],
  ['ctest', '--test-dir', buildDir, '--parallel', jobs, '--output-on-failure', '--no-tests=error'],
];
const strict = {
  // Use after return is not looked for: with it GCC before 13.3 puts vectors of 64 bytes where they are not aligned, and
  // every function with one crashes (GCC bug 110027).
  ASAN_OPTIONS: 'abort_on_error=1:detect_stack_use_after_return=0',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
};
for (const [command, ...args] of steps) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...env, ...strict } });
  if (status !== 0) {
    console.error(`sanitize: ${command} failed`);
    process.exit(1);
  }
}
