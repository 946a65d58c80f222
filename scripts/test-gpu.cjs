// The CUDA engine on the GPU of this machine: the kernels' tests, these again under compute-sanitizer's memcheck and
// racecheck where it is installed, and the TypeScript suites that meet a device library. Builds what they need.
// Ends with one line: N passed, N failed[, N skipped]; without a GPU with "skipped: ...", which is no failure.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { root, onPath } = require('./common.cjs');
const { buildCuda, gpu } = require('./build-cuda.cjs');
const counts = require('./counts.cjs');

const suites = ['test/engine/cuda', 'test/boundary/device'];
const say = line => console.log(`test:gpu: ${line}`);

/** compute-sanitizer of PATH or beside nvcc. */
function sanitizer(nvcc) {
  if (onPath('compute-sanitizer')) return 'compute-sanitizer';
  const beside = path.join(path.dirname(nvcc), 'compute-sanitizer');
  return fs.existsSync(beside) ? beside : undefined;
}

/** Every program of the kernels' tests under each tool: one test each. */
function sanitized(program, folder) {
  const tests = fs.readdirSync(folder).filter(name => /^cuda_\w+_test$/.test(name));
  let total = counts.nothing;
  for (const tool of ['memcheck', 'racecheck'])
    for (const test of tests) {
      const args = ['--tool', tool, '--error-exitcode', '9', path.join(folder, test)];
      const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
      if (status !== 0) console.log(`${stdout ?? ''}${stderr ?? ''}`.trimEnd().split('\n').slice(-40).join('\n'));
      say(`${tool} ${test}: ${status === 0 ? 'clean' : 'FAILED'}`);
      total = counts.sum(total, status === 0 ? { ...counts.nothing, passed: 1 } : counts.broken);
    }
  return total;
}

/** What the figures of a run are told with. */
function describe({ name, driver }) {
  const git = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? '';
  const commit = `${git('rev-parse', '--short', 'HEAD') || 'unknown'}${git('status', '--porcelain') ? ' with changes' : ''}`;
  return `${name}, driver ${driver}, ${new Date().toISOString().slice(0, 10)}, commit ${commit}`;
}

function main() {
  const device = gpu();
  if (!device) {
    console.log('skipped: test:gpu: nvidia-smi tells of no GPU');
    return;
  }
  say(describe(device));
  const setup = spawnSync(process.execPath, [path.join(__dirname, 'setup.cjs')], { cwd: root, stdio: 'inherit' });
  if (setup.status !== 0) throw new Error('setup failed');
  // in a folder of its own: the library of build:cuda stays as it is
  const built = buildCuda({ arch: device.arch, tests: true, folder: path.join(root, 'build', 'cuda-tests'), say });

  let total = counts.ctest(built.folder, ['-L', 'cuda']);
  const program = sanitizer(built.nvcc);
  if (program) total = counts.sum(total, sanitized(program, built.folder));
  else say('compute-sanitizer not found: memory and races were not looked at');
  const env = { ...process.env, ANOMALYCLR_CUDA_LIBRARY: built.library };
  total = counts.sum(total, counts.jest(suites, env));
  console.log(counts.line(total));
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
}

try {
  main();
} catch (error) {
  console.error(`test:gpu: ${error.message}`);
  process.exitCode = 1;
}
