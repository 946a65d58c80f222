// Packs what a GPU node without network, compiler and Node.js needs into one archive: Node.js itself, the addon, the CUDA
// library, its kernels' tests, the packages and the sample, and the scripts of gpu-node/ that use them there.
//   --arch LIST  GPUs as for build:cuda; default: every one from sm_80 on
//   --out FILE   .tar.xz or .tar.gz; default: build/anomalyclr-gpu.tar.xz, or .tar.gz where there is no xz
//   --wheels     with the compiler out of PyPI's wheels
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { root, onPath } = require('./common.cjs');
const { buildCuda } = require('./build-cuda.cjs');

const folderName = 'anomalyclr-gpu';
const say = line => console.log(`pack:gpu: ${line}`);

/** Packages that no command on such a node loads: of the server. */
const leftOut = new Set(['fastify', '@fastify/swagger', 'pino', 'prom-client']);
const isLeftOut = name => leftOut.has(name) || name.startsWith('@types/');

/**
 * Folders of the packages to pack: what package-lock.json makes of the dependencies, without those left out.
 */
function packedPackages({ packages }) {
  const packed = new Set();
  // as Node.js does: in node_modules of the package, then of those that it lies in
  const locate = (from, name) => {
    for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
      const candidate = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
      if (packages[candidate]) return candidate;
      if (folder === '')
        throw new Error(`package-lock.json: ${from || 'package.json'} needs ${name}, which is missing`);
    }
  };
  const visit = from => {
    for (const name of Object.keys(packages[from].dependencies ?? {})) {
      if (isLeftOut(name)) continue;
      const folder = locate(from, name);
      if (packed.has(folder)) continue;
      packed.add(folder);
      visit(folder);
    }
  };
  visit('');
  return [...packed];
}

/** What Node.js loads none of: types, sources, tests, maps, and builds for browsers. */
const unused = [
  /\.(map|ts|mts|cts|md|html|flow)$/,
  /(^|\/)(test|tests|docs|examples?|asset)\//,
  /^node_modules\/(zod|zrender|h5wasm)\/src\//,
  /^node_modules\/(echarts|zrender)\/dist\//,
  /^node_modules\/echarts\/(types|i18n|theme)\//,
  /^node_modules\/h5wasm\/dist\/iife\//,
];

/** Whether a file of a packed package, or of dist/, goes along; its path is relative to the root. */
function isPacked(file) {
  if (/(^|\/)(licen[cs]e|notice)[^/]*$/i.test(file)) return true;
  if (file.startsWith('dist/node-api/')) return false;
  return !unused.some(pattern => pattern.test(file));
}

function filesBelow(folder) {
  return fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const file = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return filesBelow(file);
    return entry.isFile() ? [file] : [];
  });
}

function copy(file, stage, to = file, mode) {
  const target = path.join(stage, to);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.copyFileSync(path.isAbsolute(file) ? file : path.join(root, file), target);
  if (mode !== undefined) fs.chmodSync(target, mode);
  return target;
}

function copyPackages(stage) {
  const lock = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  for (const folder of packedPackages(lock)) {
    if (!fs.existsSync(path.join(root, folder))) throw new Error(`${folder} is missing; run npm ci`);
    const own = filesBelow(folder).filter(file => !file.slice(folder.length).includes('/node_modules/'));
    for (const file of own.filter(isPacked)) copy(file, stage);
  }
}

/** Node.js, addon, library and tests, stripped; their paths in the stage. */
function copyBinaries(stage, built) {
  const sources = path.join(root, 'test', 'native', 'cuda');
  const tests = fs // an earlier build may have left one that is gone
    .readdirSync(built.folder)
    .filter(name => /^cuda_\w+_test$/.test(name) && fs.existsSync(path.join(sources, `${name.slice(5)}.cc`)));
  if (tests.length === 0) throw new Error(`no tests of kernels in ${built.folder}`);
  const binaries = [
    copy(process.execPath, stage, 'bin/node', 0o755),
    copy('build/cmake/Release/anomalyclr.node', stage, undefined, 0o755),
    copy(built.library, stage, `build/cuda/${path.basename(built.library)}`, 0o755),
    ...tests.map(name => copy(path.join(built.folder, name), stage, `tests/${name}`, 0o755)),
  ];
  if (!onPath('strip')) say('no strip on PATH (package binutils): the archive is larger than it need be');
  else
    for (const binary of binaries) {
      const { status, stderr } = spawnSync('strip', ['--strip-unneeded', binary], { encoding: 'utf8' });
      if (status !== 0) say(`${path.relative(stage, binary)} stays as it is: ${stderr.trim().split('\n')[0]}`);
    }
  return binaries;
}

/** The newest versions of the C and C++ libraries that the binaries ask for, as text. */
function needs(binaries) {
  const newest = { GLIBC: [0, 0], GLIBCXX: [0, 0] };
  for (const binary of binaries)
    for (const [, name, text] of fs
      .readFileSync(binary, 'latin1')
      .matchAll(/\0(GLIBC|GLIBCXX)_(\d+(?:\.\d+)+)(?=\0)/g)) {
      const version = text.split('.').map(Number);
      const at = version.findIndex((part, i) => part !== (newest[name][i] ?? 0));
      if (at >= 0 && version[at] > (newest[name][at] ?? 0)) newest[name] = version;
    }
  return `glibc ${newest.GLIBC.join('.')} and libstdc++ with GLIBCXX_${newest.GLIBCXX.join('.')}`;
}

/** A Node.js of a distribution lies in libraries of its own, which a GPU node lacks. */
function checkNode() {
  const { status, stdout } = spawnSync('ldd', [process.execPath], { encoding: 'utf8' });
  const library = status === 0 ? /\blibnode\.so\S*/.exec(stdout)?.[0] : undefined;
  if (library) throw new Error(`${process.execPath} needs ${library}; run this by a Node.js of nodejs.org`);
}

const hasXz = () => onPath('xz');

function archiveFile() {
  const at = process.argv.indexOf('--out');
  const given = at < 0 ? undefined : process.argv[at + 1];
  const file = path.resolve(
    at < 0 ? path.join(root, 'build', `${folderName}.tar.${hasXz() ? 'xz' : 'gz'}`) : (given ?? ''),
  );
  if (!/\.tar\.[xg]z$/.test(file)) throw new Error('--out takes a file that ends in .tar.xz or .tar.gz');
  if (file.endsWith('.xz') && !hasXz()) throw new Error('no xz on PATH (package xz-utils); name a .tar.gz by --out');
  if (!onPath('tar')) throw new Error('no tar on PATH');
  return file;
}

function compress(stage, file) {
  const format = file.endsWith('.xz') ? '-J' : '-z';
  const env = { ...process.env, XZ_OPT: '-7 -T0', GZIP: undefined };
  const args = ['-c', format, '-f', file, '-C', path.dirname(stage), path.basename(stage)];
  const { status, stderr } = spawnSync('tar', args, { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`tar: ${stderr.trim().split('\n').at(-1)}`);
}

/** The packed program runs, without what lies around it here. */
function tryOut(stage) {
  const env = { PATH: '/usr/bin:/bin', HOME: stage };
  const { status, stdout, stderr } = spawnSync(path.join(stage, 'anomalyclr'), ['doctor', '--json'], {
    env,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`what was packed does not run: ${stderr.trim().split('\n').at(-1)}`);
  const { native, cuda } = JSON.parse(stdout);
  if (!native.built) throw new Error(`what was packed has no native engine: ${native.problem}`);
  if (!cuda.available) say(`tried here: ${cuda.why}`);
}

function commit() {
  const git = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? '';
  return `${git('rev-parse', '--short', 'HEAD') || 'unknown'}${git('status', '--porcelain') ? ' with changes' : ''}`;
}

function main() {
  if (process.platform !== 'linux') throw new Error('GPU nodes run Linux: it is packed there');
  const file = archiveFile();
  checkNode();
  const at = process.argv.indexOf('--arch');
  const arch = at < 0 ? undefined : (process.argv[at + 1] ?? '');
  const setup = spawnSync(process.execPath, [path.join(__dirname, 'setup.cjs')], { cwd: root, stdio: 'inherit' });
  if (setup.status !== 0) throw new Error('setup failed');
  if (!fs.existsSync(path.join(root, 'build', 'cmake', 'Release', 'anomalyclr.node')))
    throw new Error('the native engine is not built: npm run build:native tells why');
  const folder = path.join(root, 'build', 'cuda-pack');
  const built = buildCuda({ arch, tests: true, wheels: process.argv.includes('--wheels'), folder, say });

  const stage = path.join(folder, folderName);
  fs.rmSync(stage, { recursive: true, force: true });
  for (const name of ['anomalyclr', 'check']) copy(`scripts/gpu-node/${name}`, stage, name, 0o755);
  for (const name of ['package.json', 'LICENSE', 'docs/gpu.md', 'bin/anomalyclr.mjs']) copy(name, stage);
  const own = ['sample', 'schemas'].flatMap(filesBelow);
  for (const file of [...filesBelow('dist').filter(isPacked), ...own]) copy(file, stage);
  for (const file of filesBelow('bench/peers').filter(name => name.endsWith('.py'))) copy(file, stage);
  copyPackages(stage);
  const binaries = copyBinaries(stage, built);
  const codes = built.codes?.map(code => `sm_${code}`).join(', ') ?? 'every GPU from sm_80 on';
  const day = new Date().toISOString().slice(0, 10);
  const wanted = needs(binaries);
  fs.writeFileSync(
    path.join(stage, 'PACKED'),
    `commit ${commit()}, ${day}, for ${codes}, CUDA ${built.version}, Node.js ${process.versions.node}; needs ${wanted}\n`,
  );
  tryOut(stage);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  compress(stage, file);
  fs.rmSync(stage, { recursive: true });
  const size = (fs.statSync(file).size / 2 ** 20).toFixed(1);
  say(`${path.relative(process.cwd(), file)} for ${codes}, ${size} MiB, ${binaries.length - 3} tests`);
  say(`the node needs ${process.arch}, ${wanted}, and the driver`);
  say(`there: tar xf ${path.basename(file)} && ${folderName}/check`);
}

module.exports = { packedPackages, isPacked, isLeftOut };

if (require.main === module) {
  try {
    main();
  } catch (error) {
    console.error(`pack:gpu: ${error.message}`);
    process.exitCode = 1;
  }
}
