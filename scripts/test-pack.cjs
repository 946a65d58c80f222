// Installs what pack:npm makes into an empty project, with an empty home and npm cache, and works there: every script of
// every package switched off, no compiler on PATH. Without a registry it ends with "skipped: ..." and that is no failure.
//   --packed  as build/npm is, without packing again
//   --full    also: with scripts but no compiler; compiled by a stranger; npm 10 and 12; pnpm
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { root } = require('./common.cjs');
const { outDir } = require('./pack-npm.cjs');

const say = line => console.log(`test:pack: ${line}`);
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'anomalyclr-pack-'));
const sample = path.join(root, 'sample');

/** PATH of a machine without compilers: Node.js, npm and a shell. */
function bareTools() {
  const folder = path.join(temporary, 'tools');
  fs.mkdirSync(folder);
  const node = path.dirname(process.execPath);
  for (const name of ['node', 'npm', 'npx'])
    fs.symlinkSync(fs.realpathSync(path.join(node, name)), path.join(folder, name));
  const needed = ['sh', 'env', 'uname', 'sed', 'dirname', 'readlink'];
  for (const name of needed)
    for (const at of ['/bin', '/usr/bin'])
      if (fs.existsSync(path.join(at, name)) && !fs.existsSync(path.join(folder, name)))
        fs.symlinkSync(path.join(at, name), path.join(folder, name));
  return folder;
}

const stranger = { HOME: path.join(temporary, 'home'), npm_config_cache: path.join(temporary, 'cache') };
fs.mkdirSync(stranger.HOME);
const bare = {
  ...stranger,
  PATH: bareTools(),
  npm_config_userconfig: '/dev/null',
  npm_config_update_notifier: 'false',
};
const compiling = { ...bare, PATH: process.env.PATH };

/** Runs a command; its output. Nothing of this process's environment goes along. */
function run(folder, command, args, env = bare) {
  const result = spawnSync(command, args, { cwd: folder, env, encoding: 'utf8', maxBuffer: 2 ** 28, timeout: 900_000 });
  if (result.status === 0) return result.stdout;
  const told = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}`
    .trim()
    .split('\n')
    .slice(-25)
    .join('\n');
  throw new Error(`${path.basename(command)} ${args.slice(0, 3).join(' ')} failed:\n${told}`);
}
const npm = (folder, env, ...args) => run(folder, 'npm', ['--no-audit', '--no-fund', '--loglevel=error', ...args], env);

function check(condition, what) {
  if (!condition) throw new Error(what);
}

function project(name) {
  const folder = path.join(temporary, name);
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "name": "stranger", "version": "1.0.0", "private": true }\n');
  return folder;
}

const tarballs = () =>
  Object.fromEntries(
    fs
      .readdirSync(outDir)
      .filter(name => name.endsWith('.tgz'))
      .map(name => [/linux-(\w+)-gnu/.exec(name)?.[1] ?? 'main', path.join(outDir, name)]),
  );

/** The command line of an installed package. */
const cli = (folder, args, env = bare) =>
  run(
    folder,
    process.execPath,
    [path.join(folder, 'node_modules', 'anomalyclr', 'bin', 'anomalyclr.mjs'), ...args],
    env,
  );
const doctor = (folder, env) => JSON.parse(cli(folder, ['doctor', '--json'], env));

/** How much an install takes: packages and MB. */
function measure(folder) {
  const lock = JSON.parse(fs.readFileSync(path.join(folder, 'node_modules', '.package-lock.json'), 'utf8')).packages;
  const scripts = Object.entries(lock).filter(([, { hasInstallScript }]) => hasInstallScript);
  check(
    scripts.every(([name]) => name === 'node_modules/anomalyclr'),
    `install scripts: ${scripts.map(([name]) => name).join(', ')}`,
  );
  const sizeOf = file => {
    const info = fs.lstatSync(file);
    if (!info.isDirectory()) return info.size;
    return fs.readdirSync(file).reduce((sum, name) => sum + sizeOf(path.join(file, name)), 0);
  };
  const megabytes = sizeOf(path.join(folder, 'node_modules')) / 1e6;
  return `${Object.keys(lock).length} packages, ${megabytes.toFixed(0)} MB`;
}

/** The path of an event: a file looked at, a run trained, events scored by it and by its bundle. */
function work(folder, env = bare, engine = []) {
  const events = name => path.join(sample, `${name}.h5`);
  const small = [
    '--max-events',
    '600',
    '--epochs',
    '1',
    '--batch',
    '64',
    '--width',
    '16',
    '--heads',
    '2',
    '--layers',
    '1',
  ];
  const shape = ['--feed-forward', '16', '--output', '16', '--patience', '0', '--quiet'];
  const command = (...args) => cli(folder, args, env);
  const told = command('inspect', path.join(sample, 'nanoaod.root'), '--schema', 'nanoaod', '--json');
  check(JSON.parse(told), 'inspect says nothing of a ROOT file');
  command('train', '--background', events('background_train'), '--out', 'run', ...small, ...shape, ...engine);
  command('score', '--model', 'run', '--data', events('background_test'), '--out', 'run.parquet', '--quiet', ...engine);
  command('export', '--model', 'run', '--out', 'small.onnx', '--background', events('background_test'), '--quiet');
  command('verify', 'small.onnx');
  command('score', '--model', 'small.onnx', '--data', events('background_test'), '--out', 'bundle.csv', '--quiet');
  command(
    'evaluate',
    '--model',
    'run',
    '--background',
    events('background_test'),
    '--signal',
    `A=${events('Ato4l')}`,
    '--report',
    'report.html',
    '--json',
    'evaluation.json',
    '--quiet',
    ...engine,
  );
  for (const file of ['run.parquet', 'bundle.csv', 'report.html', 'evaluation.json'])
    check(fs.statSync(path.join(folder, file)).size > 1000, `${file} is short`);
}

/** As a library: modules of both kinds, and types by every way in which TypeScript finds them. */
function library(folder) {
  const use = `const { countEvents } = anomalyclr; countEvents(${JSON.stringify(path.join(sample, 'Ato4l.h5'))}).then(n => console.log(n));`;
  fs.writeFileSync(
    path.join(folder, 'use.mjs'),
    `import * as anomalyclr from 'anomalyclr'; import 'anomalyclr/serve';\n${use}`,
  );
  fs.writeFileSync(path.join(folder, 'use.cjs'), `const anomalyclr = require('anomalyclr');\n${use}`);
  fs.writeFileSync(path.join(folder, 'later.cjs'), `import('anomalyclr').then(anomalyclr => { ${use} });`);
  const counts = ['use.mjs', 'use.cjs', 'later.cjs'].map(file => run(folder, process.execPath, [file]).trim());
  check(new Set(counts).size === 1 && Number(counts[0]) > 0, `modules count ${counts.join(', ')} events`);
  fs.writeFileSync(
    path.join(folder, 'use.mts'),
    `import { readEvents, openEngine, AnomalyClrError, type EventBatch } from 'anomalyclr';
import { openBundle, type Bundle } from 'anomalyclr';
export const wrong: Error = new AnomalyClrError('x');
export async function first(file: string): Promise<EventBatch | undefined> {
  for await (const batch of readEvents(file, { onBadEvent: 'skip' })) return batch;
  return undefined;
}
export const open = (file: string): Promise<Bundle> => openBundle(file);
// @ts-expect-error: a number is no engine's name
export const engine = await openEngine({ engine: 3 });
`,
  );
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  for (const [module, resolution] of [
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
    ['es2022', 'bundler'],
  ])
    run(folder, process.execPath, [
      tsc,
      '--noEmit',
      '--strict',
      '--target',
      'es2023',
      '--module',
      module,
      '--moduleResolution',
      resolution,
      'use.mts',
    ]);
}

/** Node.js has a compiler of its own in no platform's package: the engine of TensorFlow.js serves. */
function withoutNative(folder, env = bare) {
  const { native, engine } = doctor(folder, env);
  check(!native.built && /npm install @anomalyclr/.test(native.problem), `native: ${JSON.stringify(native)}`);
  check(/TensorFlow\.js|tfjs/i.test(engine), `computes on ${engine}`);
  const args = [
    '--max-events',
    '300',
    '--epochs',
    '1',
    '--batch',
    '64',
    '--width',
    '16',
    '--heads',
    '2',
    '--layers',
    '1',
    '--feed-forward',
    '16',
    '--output',
    '16',
    '--quiet',
  ];
  cli(folder, ['train', '--background', path.join(sample, 'background_train.h5'), '--out', 'other', ...args], env);
}

function lean({ main, ...platform }) {
  const folder = project('prebuilt');
  npm(folder, bare, 'install', '--ignore-scripts', main, platform[process.arch]);
  say(`prebuilt, no scripts, no compiler: ${measure(folder)}`);
  const { native, onnxruntime, tfjs } = doctor(folder);
  check(native.built && native.source.includes('@anomalyclr/linux'), `native: ${JSON.stringify(native)}`);
  check(onnxruntime.cpu.works && tfjs.backends.wasm.works, 'ONNX Runtime or the wasm backend does not work');
  work(folder);
  library(folder);
  say('commands, modules and types work');
  fs.rmSync(path.join(folder, 'node_modules', '@anomalyclr'), { recursive: true });
  withoutNative(folder);
  say('without the package of the platform TensorFlow.js serves');
}

function full({ main, ...platform }) {
  const uncompiled = project('uncompiled');
  npm(uncompiled, bare, 'install', main);
  withoutNative(uncompiled);
  say(`scripts, no compiler, no platform: installs, TensorFlow.js serves; ${measure(uncompiled)}`);

  const compiled = project('compiled');
  const started = Date.now();
  npm(compiled, compiling, 'install', '--foreground-scripts', main);
  const { native } = doctor(compiled, compiling);
  check(native.built && native.source === 'compiled here', `native: ${JSON.stringify(native)}`);
  say(`compiled by a stranger in ${((Date.now() - started) / 1000).toFixed(0)} s`);

  for (const version of ['10.8.2', '12.2.1']) {
    const folder = project(`npm-${version}`);
    const other = ['--yes', `npm@${version}`, 'install', '--no-audit', '--no-fund', main, platform[process.arch]];
    run(folder, 'npx', other);
    check(doctor(folder).native.source?.includes('prebuilt'), `npm ${version}: no engine`);
    say(`npm ${version}: works`);
  }

  const pnpm = project('pnpm');
  run(pnpm, 'npx', ['--yes', 'pnpm@9.15.9', 'add', '--ignore-scripts', main, platform[process.arch]]);
  const { built, source, problem } = doctor(pnpm).native;
  say(`pnpm: ${built ? source : problem}`);
  work(pnpm);
  say('pnpm: commands work');
}

function main() {
  if (process.platform !== 'linux') return say('only on Linux');
  const reached = spawnSync('npm', ['view', 'ms@2.1.3', 'version', '--fetch-retries=0'], {
    env: compiling,
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (reached.status !== 0) return console.log('skipped: test:pack: no package registry is reached from here');
  if (!process.argv.includes('--packed'))
    run(root, process.execPath, [path.join(__dirname, 'pack-npm.cjs')], process.env);
  const files = tarballs();
  check(files.main && files[process.arch], `no packages in ${outDir}; run npm run pack:npm`);
  lean(files);
  if (process.argv.includes('--full')) full(files);
}

try {
  main();
} catch (error) {
  console.error(`test:pack: ${error.message}`);
  process.exitCode = 1;
} finally {
  fs.rmSync(temporary, { recursive: true, force: true });
}
