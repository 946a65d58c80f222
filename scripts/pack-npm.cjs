// Packs what npm publishes into build/npm: the package, and one for each platform with what is prebuilt for it.
//   --arch LIST  x64, arm64 or both by a comma; default: this machine's. arm64 elsewhere needs aarch64-linux-gnu-g++
//   --addon FILE the addon that another machine built as `anomalyclr_prebuilt`, for one arch
// The package names the platforms' packages as optional dependencies in this form alone: a lockfile of the checkout
// cannot name what no registry has yet.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { root, findTools, onPath } = require('./common.cjs');
const { buildDir, buildNative } = require('./build-native.cjs');

const outDir = path.join(root, 'build', 'npm');
const at = (...names) => path.join(root, ...names);
const say = line => console.log(`pack:npm: ${line}`);
function option(name) {
  const place = process.argv.indexOf(name);
  return place < 0 ? undefined : (process.argv[place + 1] ?? '');
}
const readJson = file => JSON.parse(fs.readFileSync(file, 'utf8'));

const platforms = {
  x64: { name: 'linux-x64-gnu', cpu: 'x64', processor: 'x86_64' },
  arm64: { name: 'linux-arm64-gnu', cpu: 'arm64', processor: 'aarch64', compiler: 'aarch64-linux-gnu-g++' },
};
/** The oldest glibc that Node.js 20 runs on. */
const oldestGlibc = [2, 28];

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28, ...options });
  if (result.status === 0) return result.stdout;
  const told = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim().split('\n').slice(-20).join('\n');
  throw new Error(`${path.basename(command)} ${args[0] ?? ''} failed${told ? `:\n${told}` : ''}`);
}

/** Packs a folder; the tarball's file. npm gives all files one time, so that the same content is the same tarball. */
function npmPack(folder, into) {
  const cli = process.env.npm_execpath;
  const own = cli && /npm-cli\.c?js$/.test(cli);
  const args = [...(own ? [cli] : []), 'pack', '--json', '--pack-destination', into];
  const env = { ...process.env, npm_config_update_notifier: 'false', npm_config_loglevel: 'error' };
  const told = run(own ? process.execPath : 'npm', args, { cwd: folder, env });
  const packed = JSON.parse(told.slice(told.search(/^[[{]/m))); // what prepack says stands before it
  const [{ filename }] = Array.isArray(packed) ? packed : Object.values(packed);
  return path.join(into, path.basename(filename.replace(/^@/, '').replace('/', '-')));
}

function buildAddon({ cpu, processor, compiler }) {
  const given = option('--addon');
  if (given !== undefined) return path.resolve(given);
  const { env, missing } = findTools();
  if (missing) throw new Error(missing);
  const jobs = String(os.availableParallelism());
  let folder = buildDir;
  if (cpu === process.arch) {
    // the objects of the build that there is; tests that it has are not built for this
    if (!fs.existsSync(path.join(folder, 'CMakeCache.txt'))) buildNative({ verbose: false });
  } else {
    if (!compiler || !onPath(compiler))
      throw new Error(`${compiler ?? processor} not found (Debian: g++-aarch64-linux-gnu)`);
    folder = path.join(outDir, 'cmake', cpu);
    const cross = [
      '-DCMAKE_SYSTEM_NAME=Linux',
      `-DCMAKE_SYSTEM_PROCESSOR=${processor}`,
      `-DCMAKE_CXX_COMPILER=${compiler}`,
    ];
    run('cmake', ['-S', root, '-B', folder, ...cross], { env });
  }
  run('cmake', ['--build', folder, '--target', 'anomalyclr_prebuilt', '--parallel', jobs], { env });
  return path.join(folder, 'Release', 'anomalyclr_prebuilt.node');
}

/** Newest versions that a library asks for, by whose they are: `{ GLIBC: [2, 27], GCC: [4, 2, 0] }`. */
function symbolVersions(file) {
  const newest = {};
  const text = fs.readFileSync(file, 'latin1');
  for (const [, name, version] of text.matchAll(/\0(GLIBC|GLIBCXX|GCC)_(\d+(?:\.\d+)+)(?=\0)/g)) {
    const parts = version.split('.').map(Number);
    const held = newest[name] ?? [];
    const place = parts.findIndex((part, i) => part !== (held[i] ?? 0));
    if (place >= 0 && parts[place] > (held[place] ?? 0)) newest[name] = parts;
  }
  return newest;
}

/** @throws Error where a file asks for a newer glibc than Node.js does, or the addon for a C++ library */
function checkNeeds(folder) {
  const needs = {};
  for (const file of fs.readdirSync(folder).filter(name => /\.node$|\.so(\.|$)/.test(name))) {
    const { GLIBC = [2, 0], GLIBCXX } = (needs[file] = symbolVersions(path.join(folder, file)));
    if (GLIBC[0] > oldestGlibc[0] || GLIBC[1] > oldestGlibc[1])
      throw new Error(`${file} needs glibc ${GLIBC.join('.')}, and Node.js no more than ${oldestGlibc.join('.')}`);
    if (file === 'anomalyclr.node' && GLIBCXX) throw new Error(`${file} needs libstdc++ ${GLIBCXX.join('.')}`);
  }
  return needs;
}

/** ONNX Runtime for one platform: its libraries, and its JavaScript in one file. */
async function copyRuntime({ cpu }, stage) {
  const from = at('node_modules', 'onnxruntime-node');
  if (!fs.existsSync(from)) throw new Error('onnxruntime-node is missing; run npm ci');
  const binaries = path.join(from, 'bin', 'napi-v6', 'linux', cpu);
  for (const name of fs.readdirSync(binaries).filter(name => !name.includes('providers')))
    fs.copyFileSync(path.join(binaries, name), path.join(stage, name));
  const binding = './onnxruntime_binding.node';
  await require('esbuild').build({
    entryPoints: [path.join(from, 'dist', 'index.js')],
    outfile: path.join(stage, 'onnxruntime.cjs'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external: [binding],
    legalComments: 'inline',
    logLevel: 'error',
    plugins: [
      {
        name: 'binding beside',
        setup(build) {
          build.onLoad({ filter: /onnxruntime-node[\\/]dist[\\/]binding\.js$/ }, ({ path: file }) => {
            const source = fs.readFileSync(file, 'utf8');
            const contents = source.replace(/require\(`[^`]*onnxruntime_binding\.node`\)/, `require('${binding}')`);
            if (contents === source) throw new Error(`${file} does not load its binding as it used to`);
            return { contents };
          });
        },
      },
    ],
  });
  const versionOf = name => readJson(at('node_modules', name, 'package.json')).version;
  return ['onnxruntime-node', 'onnxruntime-common'].map(name => ({ name, version: versionOf(name), license: 'MIT' }));
}

const libstdcxx = `The addon holds GCC's C++ library (libstdc++), which is under the GNU General Public License, version 3 or later,
with the GCC Runtime Library Exception, version 3.1. That exception permits to hand on the compiled program under terms
of one's own choice. The texts: https://www.gnu.org/licenses/gcc-exception-3.1.html`;

function writeNotices(stage) {
  const text = (...names) => fs.readFileSync(at(...names), 'utf8').trim();
  const parts = [
    ['libstdc++: GPL-3.0-or-later WITH GCC-exception-3.1', libstdcxx],
    ['node-addon-api: MIT', text('node_modules', 'node-addon-api', 'LICENSE.md')],
    ['ONNX Runtime: MIT', text('scripts', 'licences', 'onnxruntime', 'LICENSE')],
    ['Within ONNX Runtime', text('scripts', 'licences', 'onnxruntime', 'ThirdPartyNotices.txt')],
  ];
  const written = parts.map(([title, said]) => `${title}\n${'='.repeat(title.length)}\n\n${said}\n`);
  fs.writeFileSync(path.join(stage, 'THIRD-PARTY-NOTICES'), written.join('\n'));
  fs.copyFileSync(at('LICENSE'), path.join(stage, 'LICENSE'));
}

/** What is in the package beside our own, as parts of a bill of materials. */
function bundledParts(runtime, { compiler = 'c++' }) {
  const version = run(compiler, ['-dumpfullversion']).trim();
  const addonApi = readJson(at('node_modules', 'node-addon-api', 'package.json')).version;
  return [
    ...runtime.map(part => ({ ...part, note: 'onnxruntime.cjs, libonnxruntime' })),
    { name: 'node-addon-api', version: addonApi, license: 'MIT', note: 'anomalyclr.node' },
    {
      name: 'libstdc++',
      version,
      license: 'GPL-3.0-or-later WITH GCC-exception-3.1',
      purl: `pkg:generic/libstdc%2B%2B@${version}`,
      note: 'anomalyclr.node',
    },
  ].map(part => ({ ...part, ref: `bundled:${part.name}@${part.version}` }));
}

async function packPlatform(platform, { version, license, engines, binary }) {
  const { bill, component } = require('./sbom.cjs');
  const addon = buildAddon(platform);
  const stage = path.join(outDir, 'stage', platform.name);
  fs.rmSync(stage, { recursive: true, force: true });
  fs.mkdirSync(stage, { recursive: true });
  fs.copyFileSync(addon, path.join(stage, 'anomalyclr.node'));
  const runtime = await copyRuntime(platform, stage);
  const needs = checkNeeds(stage);
  const manifest = {
    name: `@anomalyclr/${platform.name}`,
    version,
    description: `anomalyclr's native engine and ONNX Runtime for ${platform.name}`,
    license: `${license} AND MIT`,
    os: ['linux'],
    cpu: [platform.cpu],
    libc: ['glibc'],
    engines,
    nodeApi: Math.max(...binary.napi_versions),
    main: 'anomalyclr.node',
    preferUnplugged: true,
  };
  const json = (name, content) => fs.writeFileSync(path.join(stage, name), `${JSON.stringify(content, null, 2)}\n`);
  json('package.json', manifest);
  const parts = bundledParts(runtime, platform);
  const self = `${manifest.name}@${version}`;
  const refs = parts.map(({ ref }) => ref);
  const dependencies = [{ ref: self, dependsOn: refs }, ...refs.map(ref => ({ ref, dependsOn: [] }))];
  json('sbom.cdx.json', bill(manifest, parts.map(component), dependencies));
  writeNotices(stage);
  fs.writeFileSync(
    path.join(stage, 'README.md'),
    `# ${manifest.name}\n\nWhat [anomalyclr](https://www.npmjs.com/package/anomalyclr) has prebuilt for ${platform.name}; npm installs it along.\n`,
  );
  const file = npmPack(stage, outDir);
  const wants = Object.entries(needs).map(([name, { GLIBC }]) => `${name} glibc ${GLIBC.join('.')}`);
  say(`${path.relative(root, file)}, ${size(file)}; needs ${wants.join(', ')}`);
}

const size = file => `${(fs.statSync(file).size / 2 ** 20).toFixed(1)} MiB`;

/** What a published package has no use for, and the platforms' packages, which it then has. */
function publishedManifest(manifest) {
  const { devDependencies: _, allowScripts: _scripts, overrides: _overrides, scripts, ...rest } = manifest;
  const optional = Object.values(platforms).map(({ name }) => [`@anomalyclr/${name}`, manifest.version]);
  return { ...rest, scripts: { install: scripts.install }, optionalDependencies: Object.fromEntries(optional) };
}

function packMain() {
  const stage = path.join(outDir, 'stage', 'main');
  fs.rmSync(stage, { recursive: true, force: true });
  fs.mkdirSync(stage, { recursive: true });
  const whole = npmPack(root, stage);
  run('tar', ['-xf', whole, '-C', stage]);
  const folder = path.join(stage, 'package');
  const manifest = path.join(folder, 'package.json');
  fs.writeFileSync(manifest, `${JSON.stringify(publishedManifest(readJson(manifest)), null, 2)}\n`);
  const file = npmPack(folder, outDir);
  say(`${path.relative(root, file)}, ${size(file)}`);
  return file;
}

function archList() {
  const names = (option('--arch') ?? process.arch).split(',');
  const unknown = names.filter(name => !platforms[name]);
  if (unknown.length > 0) throw new Error(`--arch takes ${Object.keys(platforms).join(', ')}, not "${unknown[0]}"`);
  return names;
}

async function main() {
  const archs = archList();
  fs.mkdirSync(outDir, { recursive: true });
  packMain();
  for (const arch of archs) await packPlatform(platforms[arch], readJson(at('package.json')));
  fs.rmSync(path.join(outDir, 'stage'), { recursive: true });
}

module.exports = { symbolVersions, publishedManifest, outDir };

if (require.main === module)
  main().catch(error => {
    console.error(`pack:npm: ${error.message}`);
    process.exitCode = 1;
  });
