// Builds the native engine into build/cmake (build/cmake/Release/anomalyclr.node).
//   --optional  nothing where the platform's package has it; a missing tool or a failed build is one line, not an error:
//               the form that `npm install` runs
//   --tests     also the C++ unit tests
// ANOMALYCLR_NATIVE=skip does nothing; =require makes whatever is missing an error, under --optional too.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { root, findTools, markBuilt, onPath } = require('./common.cjs');

const buildDir = path.join(root, 'build', 'cmake');
/** Of Node-API: in a checkout, and in an installed package. */
const headers = ['node_modules/node-addon-api/napi.h', 'dist/node-api/napi.h'];

/**
 * @returns undefined when built, else why it was not tried
 * @throws Error when the build was tried and failed
 */
function buildNative({ tests = false, verbose = true } = {}) {
  if (process.env.ANOMALYCLR_NATIVE === 'skip') return 'ANOMALYCLR_NATIVE=skip';
  if (!headers.some(file => fs.existsSync(path.join(root, file)))) return 'node_modules is not there yet; run `npm ci`';
  const { env, missing } = findTools();
  if (missing) return missing;
  const started = new Date();
  const run = (...args) => {
    const result = spawnSync('cmake', args, {
      cwd: root,
      env,
      encoding: 'utf8',
      stdio: verbose ? 'inherit' : ['ignore', 'pipe', 'pipe'],
      maxBuffer: 2 ** 28,
    });
    if (result.status === 0) return;
    const log = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim();
    throw new Error(`compilation failed${log === '' ? '' : `:\n${log.split('\n').slice(-40).join('\n')}`}`);
  };
  // A folder that is configured is not configured again by itself. The tests are never switched off again: that would
  // build everything anew each time the two forms alternate.
  const fresh = !fs.existsSync(path.join(buildDir, 'CMakeCache.txt'));
  if (fresh || (tests && !testsConfigured())) {
    const generator = fresh && onPath('ninja') ? ['-G', 'Ninja'] : [];
    run('-S', root, '-B', buildDir, ...generator, `-DANOMALYCLR_TESTS=${tests ? 'ON' : 'OFF'}`);
  }
  run('--build', buildDir, '--parallel', String(os.availableParallelism()));
  markBuilt(path.join(buildDir, '.built'), tests ? 'tests\n' : '', started);
  return undefined;
}

function testsConfigured() {
  const cache = path.join(buildDir, 'CMakeCache.txt');
  return fs.existsSync(cache) && /^ANOMALYCLR_TESTS:BOOL=ON$/m.test(fs.readFileSync(cache, 'utf8'));
}

/** Whether a package of this version for this platform is there and loads. */
function isPrebuilt() {
  const name = `@anomalyclr/${process.platform}-${process.arch}${process.platform === 'linux' ? '-gnu' : ''}`;
  const find = file => require.resolve(`${name}/${file}`, { paths: [root] });
  try {
    const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
    return require(find('package.json')).version === version && Boolean(require(find('anomalyclr.node')).info());
  } catch {
    return false;
  }
}

module.exports = { buildDir, buildNative };

if (require.main === module) {
  const required = process.env.ANOMALYCLR_NATIVE === 'require' || !process.argv.includes('--optional');
  let problem;
  try {
    if (required || !isPrebuilt())
      problem = buildNative({ tests: process.argv.includes('--tests'), verbose: required });
  } catch (error) {
    problem = required ? error.message : 'compilation failed; `npm run build:native` shows why';
  }
  if (problem && process.env.ANOMALYCLR_NATIVE !== 'skip')
    console.error(`anomalyclr: native engine not built: ${problem}`);
  process.exitCode = problem && required && process.env.ANOMALYCLR_NATIVE !== 'skip' ? 1 : 0;
}
