// Runs the C++ tests (build/cmake) and the TypeScript tests, and ends with one line: N passed, N failed[, N skipped].
// Arguments go to jest, and then only jest runs.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { root, findTools } = require('./common.cjs');

const buildDir = path.join(root, 'build', 'cmake');
const engine = path.join(buildDir, 'Release', 'anomalyclr.node');
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'anomalyclr-tests-'));
const args = process.argv.slice(2);

/** A run that broke off before it could count is one failure. */
const broken = { passed: 0, failed: 1, skipped: 0 };

function nativeTests() {
  if (!fs.existsSync(path.join(buildDir, 'CTestTestfile.cmake'))) {
    console.log('C++ tests: not built');
    // without a compiler there is nothing to test; with an engine and no tests of it something is wrong
    const expected = process.env.ANOMALYCLR_NATIVE === 'require' || fs.existsSync(engine);
    return expected ? broken : { passed: 0, failed: 0, skipped: 0 };
  }
  const report = path.join(scratch, 'ctest.xml');
  const { status } = spawnSync(
    'ctest',
    [
      '--test-dir',
      buildDir,
      '--build-config',
      'Release',
      '--output-on-failure',
      '--no-tests=error',
      '--output-junit',
      report,
    ],
    { stdio: 'inherit', env: findTools().env },
  );
  if (!fs.existsSync(report)) return broken;
  const suite = /<testsuite\b[^>]*>/.exec(fs.readFileSync(report, 'utf8'))?.[0] ?? '';
  const count = name => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const skipped = count('skipped') + count('disabled');
  const failed = Math.max(count('failures'), status === 0 ? 0 : 1);
  return { passed: Math.max(0, count('tests') - count('failures') - skipped), failed, skipped };
}

function jestTests() {
  const report = path.join(scratch, 'jest.json');
  const jest = path.join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const { status } = spawnSync(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      jest,
      '--json',
      `--outputFile=${report}`,
      ...args,
    ],
    { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }, // --json also prints the JSON; the readable form is on stderr
  );
  if (!fs.existsSync(report)) return broken;
  const counts = JSON.parse(fs.readFileSync(report, 'utf8'));
  const failed = counts.numFailedTests + counts.numRuntimeErrorTestSuites;
  return {
    passed: counts.numPassedTests,
    failed: Math.max(failed, status === 0 ? 0 : 1),
    skipped: counts.numPendingTests + counts.numTodoTests,
  };
}

let total = { passed: 0, failed: 0, skipped: 0 };
try {
  for (const part of args.length > 0 ? [jestTests] : [nativeTests, jestTests]) {
    const counts = part();
    total = Object.fromEntries(Object.keys(total).map(key => [key, total[key] + counts[key]]));
  }
} finally {
  fs.rmSync(scratch, { recursive: true, force: true });
}
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
