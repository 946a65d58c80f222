// Builds with sanitizers of the compiler in folders of their own and runs what is built; the first finding ends it.
//   (nothing)   AddressSanitizer and UndefinedBehaviorSanitizer: the C++ tests, and the addon inside of Node.js under the
//               tests of its boundary
//   --addon     of these the addon alone
//   --threads   ThreadSanitizer: the C++ tests of what works on several threads
'use strict';
const { spawn, spawnSync } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');
const { root, findTools, twoAtATime } = require('./common.cjs');

const threads = process.argv.includes('--threads');
const name = threads ? 'threads' : 'sanitize';
const buildDir = path.join(root, 'build', name);
const jobs = String(os.availableParallelism());
const { env, missing } = findTools();

const strict = {
  // Use after return is not looked for: with it GCC before 13.3 puts vectors of 64 bytes where they are not aligned, and
  // every function with one crashes (GCC bug 110027).
  ASAN_OPTIONS: 'abort_on_error=1:detect_stack_use_after_return=0',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1',
};

// Cases under ThreadSanitizer, all of a program where none is named. Left out is what computes long on one thread, and
// what forks.
const onThreads = {
  thread_pool_test: [],
  threads_test: [],
  trainer_test: ['threads_change_no_bit', 'views_made_ahead'],
  scorer_test: ['a_score_does_not_depend_on_batch_or_threads', 'rows_without_an_encoder'],
  contrast_test: ['the_same_for_any_count_of_threads'],
  pivot_test: ['threads_change_no_bit'],
  ranks_test: [
    'gathering_unequal_parts', 'sums_in_the_order_of_ranks', 'broadcast_and_barrier', 'a_dead_rank_is_told_by_name',
    'a_rank_that_leaves_says_why', 'interruption_ends_a_wait', 'ranks_out_of_step_notice', 'strangers_do_no_harm',
    'f32_ranks_train_as_one', 'a_batch_smaller_than_the_ranks',
  ],
}; // prettier-ignore

// Scenarios of test/boundary that a sanitized process cannot have: each with why.
const leftOut = {
  'wrong-arguments': [
    'models too large for any memory', // AddressSanitizer ends a process that lacks memory
    'results too large for any memory',
  ],
  sessions: ['the process may end while a job runs'], // and with it the scenarios after it
};
const boundary = ['wrong-arguments', 'sessions', 'group', 'device', 'places', 'environments', 'fuzz'];

function fail(what) {
  console.error(`${name}: ${what}`);
  process.exit(1);
}

function run(command, args, more = {}) {
  const { status, signal } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...env, ...strict, ...more },
  });
  if (status !== 0) fail(`${path.basename(command)} ${args.join(' ')}: ${signal ?? `exit code ${status}`}`);
}

function build(options, targets) {
  const generator = spawnSync('ninja', ['--version']).status === 0 ? ['-G', 'Ninja'] : [];
  run('cmake', ['-S', root, '-B', buildDir, ...generator, '-DCMAKE_BUILD_TYPE=RelWithDebInfo', ...options]);
  run('cmake', ['--build', buildDir, '--parallel', jobs, ...targets.flatMap(target => ['--target', target])]);
}

/** Address space as GCC's ThreadSanitizer of before 2024 lays it out itself: not at random, where the kernel lets one ask. */
const fixedLayout = () =>
  process.platform === 'linux' && spawnSync('setarch', ['-R', 'true']).status === 0 ? ['setarch', '-R'] : [];

function testThreads() {
  build(
    ['-DANOMALYCLR_TESTS=ON', '-DANOMALYCLR_EMULATED=OFF', '-DANOMALYCLR_ADDON=OFF', '-DANOMALYCLR_SANITIZE=thread'],
    Object.keys(onThreads),
  );
  for (const [test, cases] of Object.entries(onThreads)) {
    const [command, ...args] = [...fixedLayout(), path.join(buildDir, test), ...cases];
    run(command, args);
  }
}

/** The libraries of the sanitizers, which must be in a process before anything that is built with them. */
function runtimes() {
  const compiler = process.env.CXX ?? 'c++';
  return ['libasan.so', 'libubsan.so']
    .map(library => spawnSync(compiler, [`-print-file-name=${library}`], { env, encoding: 'utf8' }).stdout.trim())
    .join(' ');
}

/** Scenarios of one file of test/boundary, in one process with the sanitized addon. */
function scenariosOf(module) {
  const args = [
    '--expose-gc',
    '--require',
    './test/boundary/other-addon.cjs',
    '--import',
    'tsx',
    'test/boundary/run.ts',
  ];
  const but = (leftOut[module] ?? []).map(scenario => `--but=${scenario}`);
  const child = spawn(process.execPath, [...args, module, ...but], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...env,
      ...strict,
      // V8 has leaks of its own: those of the addon's boundary are looked for by the fuzz targets (docs/fuzzing.md).
      ASAN_OPTIONS: `${strict.ASAN_OPTIONS}:detect_leaks=0`,
      LD_PRELOAD: runtimes(),
      ANOMALYCLR_TEST_ADDON: path.join(buildDir, 'Release', 'anomalyclr.node'),
    },
  });
  return new Promise(resolve => child.on('exit', (status, signal) => resolve(signal ?? status)));
}

async function testAddon() {
  const failed = [];
  await twoAtATime(boundary, async module => {
    const began = Date.now();
    const status = await scenariosOf(module);
    console.log(`addon under ${module}: ${status === 0 ? 'ok' : status}, ${Math.round((Date.now() - began) / 1000)} s`);
    if (status !== 0) failed.push(module);
  });
  if (failed.length > 0) fail(`test/boundary: ${failed.join(', ')}`);
}

async function testAddresses() {
  const alone = process.argv.includes('--addon');
  const targets = alone ? ['anomalyclr'] : [];
  build(['-DANOMALYCLR_TESTS=ON', '-DANOMALYCLR_ADDON=ON', '-DANOMALYCLR_SANITIZE=address,undefined'], targets);
  if (!alone) run('ctest', ['--test-dir', buildDir, '--parallel', jobs, '--output-on-failure', '--no-tests=error']);
  if (process.platform === 'linux') await testAddon();
}

if (missing) fail(missing);
if (threads) testThreads();
else void testAddresses();
