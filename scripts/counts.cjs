// Runs ctest and jest and counts what they tell.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { root, findTools } = require('./common.cjs');

/** A run that broke off before it could count is one failure. */
const broken = { passed: 0, failed: 1, skipped: 0 };
const nothing = { passed: 0, failed: 0, skipped: 0 };

const sum = (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped });

const line = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;

/** Calls `body` with the path of a report and counts the report, if one was written. */
function reported(name, body, count) {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'anomalyclr-tests-'));
  try {
    const report = path.join(scratch, name);
    const { status } = body(report);
    return fs.existsSync(report) ? count(fs.readFileSync(report, 'utf8'), status) : broken;
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

function ctest(buildDir, args = []) {
  const jobs = String(os.availableParallelism());
  const common = ['--test-dir', buildDir, '--build-config', 'Release', '--parallel', jobs];
  common.push('--output-on-failure', '--no-tests=error');
  return reported(
    'ctest.xml',
    report =>
      spawnSync('ctest', [...common, '--output-junit', report, ...args], { stdio: 'inherit', env: findTools().env }),
    (text, status) => {
      const suite = /<testsuite\b[^>]*>/.exec(text)?.[0] ?? '';
      const number = name => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
      const skipped = number('skipped') + number('disabled');
      const failed = Math.max(number('failures'), status === 0 ? 0 : 1);
      return { passed: Math.max(0, number('tests') - number('failures') - skipped), failed, skipped };
    },
  );
}

function jest(args, env = process.env) {
  const program = path.join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  return reported(
    'jest.json',
    report =>
      spawnSync(process.execPath, [...node, program, '--json', `--outputFile=${report}`, ...args], {
        cwd: root,
        env,
        stdio: ['ignore', 'ignore', 'inherit'], // --json also prints the JSON; the readable form is on stderr
      }),
    (text, status) => {
      const counts = JSON.parse(text);
      const failed = counts.numFailedTests + counts.numRuntimeErrorTestSuites;
      return {
        passed: counts.numPassedTests,
        failed: Math.max(failed, status === 0 ? 0 : 1),
        skipped: counts.numPendingTests + counts.numTodoTests,
      };
    },
  );
}

module.exports = { broken, nothing, sum, line, ctest, jest };
