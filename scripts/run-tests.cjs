// Runs the C++ tests (build/cmake) and the TypeScript tests, and ends with one line: N passed, N failed[, N skipped].
// Arguments go to jest, and then only jest runs.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./common.cjs');
const counts = require('./counts.cjs');

const buildDir = path.join(root, 'build', 'cmake');
const engine = path.join(buildDir, 'Release', 'anomalyclr.node');
const args = process.argv.slice(2);

function nativeTests() {
  if (fs.existsSync(path.join(buildDir, 'CTestTestfile.cmake'))) return counts.ctest(buildDir);
  console.log('C++ tests: not built');
  // without a compiler there is nothing to test; with an engine and no tests of it something is wrong
  const expected = process.env.ANOMALYCLR_NATIVE === 'require' || fs.existsSync(engine);
  return expected ? counts.broken : counts.nothing;
}

let total = args.length > 0 ? counts.nothing : nativeTests();
total = counts.sum(total, counts.jest(args));
console.log(counts.line(total));
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
