// One target of the fuzzing of readers, in a process of its own: `fuzz TARGET SECONDS SEED` runs libFuzzer by Jazzer.js on it,
// `distil TARGET BYTES` brings what was found into the kept corpus: the smallest inputs that reach what all reach.
'use strict';
const Module = require('node:module');
const { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { createHash } = require('node:crypto');
const askForOlder = require('./older-glibc.cjs');

const root = path.join(__dirname, '..');
const built = path.join(root, 'build', 'fuzz', 'readers');
const [work, target, amount, seed = '1'] = process.argv.slice(2);
const found = path.join(built, 'corpus', target);
const kept = path.join(root, 'test', 'fuzz', 'corpus', 'readers', target);
const crashes = path.join(built, 'crashes');

/** What parses, beside our own code. */
const libraries = [
  'apache-arrow',
  'flatbuffers',
  'hyparquet',
  'hyparquet-compressors',
  'jsroot',
  'yauzl',
  'yaml',
  'onnx-buf',
  '@bufbuild/protobuf',
  'commander',
  'tinyglobby',
];
/** s and MB; what takes longer or more is a finding. */
const [patience, memory] = [60, 3000];

/** Jazzer.js, its library where need be in a copy that this system can load; exits with a word where it cannot. */
function loadJazzer() {
  const load = Module._extensions['.node'];
  Module._extensions['.node'] = (module, file) => {
    if (path.basename(path.dirname(path.dirname(file))) !== 'fuzzer') return load(module, file);
    try {
      return load(module, file);
    } catch (error) {
      if (!/GLIBC/.test(error.message)) throw error;
      const copy = path.join(built, path.basename(file));
      if (!existsSync(copy)) {
        askForOlder(file, `${copy}.${process.pid}`);
        renameSync(`${copy}.${process.pid}`, copy); // another worker may be at it too
      }
      return load(module, copy);
    }
  };
  try {
    return require('@jazzer.js/core');
  } catch (error) {
    console.log(`skipped: Jazzer.js cannot be loaded here (${error.message.split('\n')[0]})`);
    process.exit(3);
  }
}

const jazzer = loadJazzer();
for (const folder of [found, crashes]) mkdirSync(folder, { recursive: true });
const options = new jazzer.OptionsManager(jazzer.OptionSource.DefaultCLIOptions).merge(
  {
    fuzzTarget: path.join(built, 'test', 'fuzz', 'readers', 'targets', `${target}.js`),
    includes: [
      path.join(built, 'src'),
      path.join(built, 'programs'),
      ...libraries.map(name => `node_modules/${name}/`),
    ],
    excludes: ['h5wasm', 'node_modules/jsroot/modules/gui', 'node_modules/yaml/browser'],
    disableBugDetectors: ['.*'], // they watch shells and paths; prototypes the targets watch themselves
    timeout: patience * 1000,
    fuzzerOptions: [
      found,
      ...(existsSync(kept) ? [kept] : []),
      `-max_total_time=${amount}`,
      `-seed=${seed}`,
      `-rss_limit_mb=${memory}`,
      `-artifact_prefix=${crashes}/${target}-`,
      '-max_len=40000',
      '-len_control=2', // an input may have to be long from the start: the longest are whole files
      '-use_value_profile=1',
      '-print_final_stats=1',
    ],
  },
  jazzer.OptionSource.CommandLineArguments,
);

const failed = error => {
  console.error(error);
  process.exit(1);
};
if (work === 'fuzz') jazzer.startFuzzing(options).then(({ returnCode }) => process.exit(returnCode), failed);
else distil(Number(amount)).then(() => process.exit(0), failed);

/** Smallest first, each that reaches something new; inputs kept by hand (their names have a dot) stay. */
async function distil(most) {
  jazzer.registerGlobals(options);
  const { registerEsmLoaderHooks } = require('@jazzer.js/instrumentor');
  const instrumentor = await jazzer.initFuzzing(options);
  registerEsmLoaderHooks(instrumentor);
  instrumentor.sendHooksToLoader();
  const { fuzz } = await import(options.get('fuzzTarget'));
  const inputs = [kept, found]
    .filter(existsSync)
    .flatMap(folder =>
      readdirSync(folder).map(name => ({ name, folder, bytes: readFileSync(path.join(folder, name)) })),
    )
    .sort((a, b) => a.bytes.length - b.bytes.length);
  const byHand = ({ name, folder }) => folder === kept && name.includes('.');
  const run = ({ bytes }) => fuzz(Buffer.from(bytes)).catch(() => undefined);
  for (const input of inputs.filter(byHand)) await run(input); // loads what is loaded late
  const { coverageTracker } = globalThis.Fuzzer;
  const modules = [coverageTracker.coverageMap, ...coverageTracker.moduleCounters];
  // of each counter, which of the classes 1, 2 to 3, 4 to 7 and more were met, by bits
  const seen = modules.map(counters => new Uint8Array(counters.length));
  let [total, count, features] = [0, 0, 0];
  const chosen = new Set();
  for (const input of inputs) {
    const { bytes } = input;
    for (const counters of modules) counters.fill(0);
    await run(input);
    const fresh = [];
    for (const [m, counters] of modules.entries())
      for (let i = 0; i < counters.length; i++) {
        if (counters[i] === 0) continue;
        const bit = 1 << Math.min(3, 31 - Math.clz32(counters[i]));
        if ((seen[m][i] & bit) === 0) fresh.push([m, i, bit]);
      }
    if (!byHand(input) && (fresh.length === 0 || total + bytes.length > most)) continue;
    for (const [m, i, bit] of fresh) seen[m][i] |= bit;
    features += fresh.length;
    if (byHand(input)) continue;
    total += bytes.length;
    count += 1;
    chosen.add(createHash('sha1').update(bytes).digest('hex'));
    mkdirSync(kept, { recursive: true });
    writeFileSync(path.join(kept, createHash('sha1').update(bytes).digest('hex')), bytes);
  }
  for (const name of readdirSync(kept)) if (!name.includes('.') && !chosen.has(name)) rmSync(path.join(kept, name));
  console.log(`${target}: ${count} of ${inputs.length} inputs kept, ${total} bytes, ${features} features`);
}
