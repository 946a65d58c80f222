// Brings a checkout to where it runs: packages, native engine, compiled TypeScript; each only if missing or outdated.
//   --tests       also the C++ unit tests
//   --typescript  without the native engine
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { root, markBuilt } = require('./common.cjs');

const tests = process.argv.includes('--tests');
const at = name => path.join(root, name);
const say = line => console.log(`setup: ${line}`);
const readJson = name => JSON.parse(fs.readFileSync(at(name), 'utf8'));

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], ...options });
  if (result.status !== 0) throw new Error(`${[path.basename(command), ...args].join(' ')} failed`);
}

/** Whether node_modules holds what package-lock.json says; by content, as a checkout says nothing by its times. */
function packagesCurrent() {
  try {
    const installed = readJson('node_modules/.package-lock.json').packages;
    return Object.entries(readJson('package-lock.json').packages).every(([name, { version, integrity, optional }]) => {
      const there = installed[name];
      if (name === '' || (!there && optional)) return true;
      return there?.version === version && there?.integrity === integrity;
    });
  } catch {
    return false;
  }
}

function installPackages() {
  if (packagesCurrent()) return;
  say('installing packages (npm ci)');
  // The native engine is built below, where its outcome is told.
  // onnxruntime-node would fetch CUDA libraries, which its processor provider does without.
  const env = {
    ...process.env,
    ANOMALYCLR_NATIVE: 'skip',
    npm_config_update_notifier: 'false',
    npm_config_onnxruntime_node_install: 'skip',
  };
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const options = { env, stdio: ['ignore', 'ignore', 'inherit'] };
  const npm = process.env.npm_execpath;
  if (npm && /npm-cli\.c?js$/.test(npm)) run(process.execPath, [npm, ...args], options);
  else run('npm', args, { ...options, shell: process.platform === 'win32' });
}

/** Latest change, ms, of the files and folders below `names`; a folder's own time tells of removals. */
function newest(names) {
  let latest = 0;
  const visit = file => {
    const info = fs.statSync(file, { throwIfNoEntry: false });
    if (!info) return;
    latest = Math.max(latest, info.mtimeMs);
    if (info.isDirectory()) for (const entry of fs.readdirSync(file)) visit(path.join(file, entry));
  };
  for (const name of names) visit(at(name));
  return latest;
}

/** Whether the build that left `mark` is newer than its sources. */
function outdated(mark, sources) {
  const info = fs.statSync(at(mark), { throwIfNoEntry: false });
  return !info || info.mtimeMs < newest(sources);
}

function buildEngine() {
  const mark = 'build/cmake/.built';
  const complete =
    !outdated(mark, ['native', 'CMakeLists.txt', ...(tests ? ['test/native'] : [])]) &&
    fs.existsSync(at('build/cmake/Release/anomalyclr.node')) &&
    (!tests || fs.readFileSync(at(mark), 'utf8').startsWith('tests'));
  if (complete) return;
  const { buildNative } = require('./build-native.cjs');
  say(tests ? 'building the native engine and its tests' : 'building the native engine');
  const skipped = buildNative({ tests: tests || markedTests(mark), verbose: false });
  if (!skipped) return;
  if (process.env.ANOMALYCLR_NATIVE === 'require') throw new Error(`native engine not built: ${skipped}`);
  say(`native engine not built: ${skipped}`);
}

/** An outdated build with tests is brought up to date with them. */
function markedTests(mark) {
  return fs.existsSync(at(mark)) && fs.readFileSync(at(mark), 'utf8').startsWith('tests');
}

function compile() {
  const mark = 'dist/.built';
  if (
    !outdated(mark, ['src', 'bench', 'tsconfig.json', 'tsconfig.build.json', 'scripts/bundle.cjs', 'package-lock.json'])
  )
    return;
  say('compiling TypeScript');
  const started = new Date();
  fs.rmSync(at('dist'), { recursive: true, force: true });
  run(process.execPath, [at('node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json']);
  run(process.execPath, [at('scripts/bundle.cjs')]);
  markBuilt(at(mark), '', started);
}

try {
  installPackages();
  if (!process.argv.includes('--typescript')) buildEngine();
  compile();
} catch (error) {
  console.error(`setup: ${error.message}`);
  process.exitCode = 1;
}
