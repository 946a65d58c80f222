// Puts into dist/, beside the compiled TypeScript, what comes out of packages that are not installed along:
//   dist/src/ops        TensorFlow.js: core, gradients, the cpu and wasm backends. Its npm packages take 290 MB, bring an
//                       install script and can fetch from the network.
//   dist/src/read       jsroot's reader of files. Its package needs canvas, jsdom, three and others, one with a script.
//   dist/node-api       headers of Node-API, for those who compile the engine
//   dist/bundled.json   these packages; dist/THIRD-PARTY-NOTICES: their licences
'use strict';
const { build } = require('esbuild');
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./common.cjs');

const at = (...names) => path.join(root, ...names);

/** Modules that stand in for packages, by what they say. */
const instead = replaced => ({
  name: 'instead',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /./ }, ({ path: name, importer }) => {
      const by = replaced[name];
      if (by === undefined || importer.includes(`/${name}/`)) return undefined;
      return { path: name, namespace: 'instead' };
    });
    onLoad({ filter: /./, namespace: 'instead' }, ({ path: name }) => ({
      contents: replaced[name].source,
      resolveDir: root,
    }));
  },
});

/** What a package that fetches is replaced by. */
const noNetwork = { source: `throw new Error('anomalyclr fetches nothing from the network');` };

const tensorFlow = {
  entryPoints: ['src/ops/tf.ts', 'src/ops/wasm.ts'],
  outdir: 'dist/src/ops',
  splitting: true,
  chunkNames: 'tfjs-[hash]',
  plugins: [
    instead({
      '@tensorflow/tfjs': {
        source: `
          export * from '@tensorflow/tfjs-core';
          import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
          import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
          import '@tensorflow/tfjs-backend-cpu';`,
      },
      'node-fetch': noNetwork,
    }),
  ],
};
/** jsroot is given another library for it. */
const noZstd = { source: `throw new Error('zstddec unpacks zstd')` };
const jsroot = {
  stdin: { contents: `export * from 'jsroot/io'; export { internals } from 'jsroot/core';`, resolveDir: root },
  outfile: 'dist/src/read/schema/jsroot.js',
  plugins: [
    instead({
      '@oneidentity/zstd-js': noZstd,
      './base/zstd.mjs': noZstd,
      xhr2: noNetwork,
      tmp: noNetwork,
    }),
  ],
};

/** CommonJS in modules asks for these. */
const banner = `import { createRequire as _require } from 'node:module';
import { dirname as _dirname } from 'node:path';
import { fileURLToPath as _path } from 'node:url';
const require = _require(import.meta.url), __filename = _path(import.meta.url), __dirname = _dirname(__filename);`;

/** Folders of the packages of which something is in the output. */
async function bundle(options) {
  const { metafile } = await build({
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    mainFields: ['module', 'main'],
    banner: { js: banner },
    legalComments: 'none', // their licences stand whole in one file
    charset: 'utf8',
    metafile: true,
    logLevel: 'error',
    ...options,
  });
  const inputs = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
  );
  return inputs.flatMap(file => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
}

/** What packages contain of others', by the file of its licence in scripts/licences. */
const within = {
  jsroot: [{ name: 'lzma-js', license: 'MIT', text: 'scripts/licences/lzma-js.txt' }],
};
/** Licences of packages that carry no file of theirs; Apache-2.0 is that of this package too. */
const texts = { 'Apache-2.0': 'LICENSE', seedrandom: 'scripts/licences/seedrandom.txt' };

/** Name, version, licence and its text of a package in a folder, and of what it contains. */
function describe(folder) {
  const { name, version, license } = JSON.parse(fs.readFileSync(at(folder, 'package.json'), 'utf8'));
  const own = fs.readdirSync(at(folder)).find(file => /^licen[cs]e/i.test(file));
  const text = own ? `${folder}/${own}` : (texts[name] ?? texts[license]);
  if (!text) throw new Error(`${name} has no text of its licence; add it to scripts/licences`);
  return [{ name, version, license, text }, ...(within[name] ?? []).map(part => ({ ...part, within: name }))];
}

function writeNotices(packages) {
  const listed = packages.map(({ name, version, license, within: whole }) => ({
    name,
    version,
    license,
    within: whole,
  }));
  fs.writeFileSync(at('dist', 'bundled.json'), `${JSON.stringify(listed, null, 2)}\n`);
  const notices = packages.map(({ name, version, license, within: whole, text }) => {
    const title = `${name}${version ? ` ${version}` : ''}${whole ? `, within ${whole}` : ''}: ${license}`;
    const said = text === 'LICENSE' ? 'The text is in LICENSE.' : fs.readFileSync(at(text), 'utf8').trim();
    return `${title}\n${'='.repeat(title.length)}\n\n${said}\n`;
  });
  const head = 'The compiled JavaScript of anomalyclr has parts of the packages below, under these licences.\n';
  fs.writeFileSync(at('dist', 'THIRD-PARTY-NOTICES'), [head, ...notices].join('\n'));
}

function copyHeaders() {
  const folder = at('dist', 'node-api');
  fs.mkdirSync(folder, { recursive: true });
  for (const from of ['node_modules/node-api-headers/include', 'node_modules/node-addon-api'])
    for (const name of fs.readdirSync(at(from)))
      if (name.endsWith('.h')) fs.copyFileSync(at(from, name), path.join(folder, name));
  return ['node_modules/node-api-headers', 'node_modules/node-addon-api'];
}

async function main() {
  for (const name of fs.readdirSync(at('dist/src/ops')))
    if (name.startsWith('tfjs-') || /^(tf|wasm)\.js\.map$/.test(name)) fs.rmSync(at('dist/src/ops', name));
  const folders = [...(await bundle(tensorFlow)), ...(await bundle(jsroot)), ...copyHeaders()];
  // of the binaries those that run in Node.js, where WebAssembly has no threads
  for (const name of ['tfjs-backend-wasm.wasm', 'tfjs-backend-wasm-simd.wasm'])
    fs.copyFileSync(at('node_modules/@tensorflow/tfjs-backend-wasm/dist', name), at('dist/src/ops', name));
  writeNotices([...new Set(folders)].toSorted((a, b) => a.localeCompare(b)).flatMap(describe));
}

main().catch(error => {
  console.error(`bundle: ${error.message}`);
  process.exitCode = 1;
});
