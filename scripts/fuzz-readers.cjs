// Fuzzes every reader in TypeScript, guided by coverage: see docs/fuzzing.md. Each target goes on for a minute from the
// kept corpus, two at a time.
//   npm run fuzz:readers -- [--seconds 60] [--only TARGET,TARGET] [--seed N]   0 is another each time
//   npm run fuzz:readers -- --distil   brings what was found into test/fuzz/corpus/readers
//   npm run fuzz:readers -- --replay   runs the kept corpus and no more, without Jazzer.js
'use strict';
const { spawn, spawnSync } = require('node:child_process');
const { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { root, twoAtATime } = require('./common.cjs');

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    only: { type: 'string' },
    seed: { type: 'string', default: '1' },
    distil: { type: 'boolean' },
    replay: { type: 'boolean' },
  },
});
// apart, since tests may run while a fuzzer does
const built = path.join(root, 'build', 'fuzz', values.replay ? 'readers-replayed' : 'readers');
/** Bytes of the kept corpus of a target. */
const mostKept = 40_000;
const targets = readdirSync(path.join(root, 'test', 'fuzz', 'readers', 'targets'))
  .map(file => path.parse(file).name)
  .filter(name => !values.only || values.only.split(',').includes(name));

main().then(
  code => process.exit(code),
  error => {
    console.error(error);
    process.exit(1);
  },
);

async function main() {
  if (targets.length === 0) throw new Error(`no target ${values.only}`);
  await build();
  if (values.replay)
    return spawnSync(process.execPath, [path.join(built, 'test', 'fuzz', 'readers', 'replay.js'), ...targets], {
      stdio: 'inherit',
    }).status;
  let failed = 0;
  let skipped;
  await twoAtATime(targets, async target => {
    const { code, text } = await worker(target);
    skipped ??= /^skipped: .*/m.exec(text)?.[0];
    if (code !== 0 && code !== 3) failed += 1;
    if (code !== 3) console.log(lineOf(target, code, text));
  });
  if (skipped) console.log(skipped);
  return failed > 0 ? 1 : 0;
}

/** src and the targets in JavaScript, where the library thread is one that runs in the thread that asks. */
async function build() {
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  rmSync(path.join(built, 'test'), { recursive: true, force: true });
  const { status } = spawnSync(
    process.execPath,
    [tsc, '-p', path.join(root, 'test', 'fuzz', 'readers'), '--outDir', built],
    {
      stdio: 'inherit',
    },
  );
  if (status !== 0) throw new Error('the targets do not compile');
  copyFileSync(
    path.join(built, 'test', 'fuzz', 'readers', 'library-thread.js'),
    path.join(built, 'src', 'read', 'library-thread.js'),
  );
  mkdirSync(path.join(built, 'programs'), { recursive: true });
  writeHdf5();
  const read = path.join(built, 'src', 'read');
  for (const file of ['hdf5-worker', 'schema/root-worker', 'schema/parquet-worker', 'schema/arrow-worker'])
    for (const program of Object.values(await import(path.join(read, `${file}.js`)))) writeProgram(program);
}

/** The program of a library thread as a module, so that it is instrumented as all others are. */
function writeProgram({ module, also = [], source }) {
  const imports = [module, ...also].map(
    (name, i) => `import * as library${i} from '${module === hdf5 ? './h5wasm.mjs' : name}';`,
  );
  const renew = module === hdf5 ? `export { renew } from './h5wasm.mjs';` : '';
  const text = `import { createRequire } from 'node:module';
${imports.join('\n')}
${renew}
const require = createRequire(import.meta.url);
const console = new Proxy({}, { get: () => () => {} });
export const libraries = [${imports.map((_, i) => `library${i}`).join(', ')}];
export const run = serve => {
${source}
};
`;
  writeFileSync(path.join(built, 'programs', `${module.replaceAll(/\W/g, '-')}.mjs`), text);
}

const hdf5 = 'h5wasm/node';

/** h5wasm with a way to begin its WebAssembly anew, which costs a twentieth of a second and not a thread. */
function writeHdf5() {
  const folder = path.join(root, 'node_modules', 'h5wasm', 'dist', 'node');
  const text = readFileSync(path.join(folder, 'hdf5_hl.js'), 'utf8');
  const line = /^import ModuleFactory from '.\/hdf5_util.js';$/m;
  if (!line.test(text)) throw new Error('h5wasm is another than this script knows');
  const anew = `
export async function renew() {
  Module = await ModuleFactory({ noInitialRun: true });
  FS = Module.FS;
  Module.activate_throwing_error_handler();
}
`;
  const util = JSON.stringify(`file://${path.join(folder, 'hdf5_util.js')}`);
  writeFileSync(
    path.join(built, 'programs', 'h5wasm.mjs'),
    `${text.replace(line, `import ModuleFactory from ${util};`)}${anew}`,
  );
}

/** V8 finds out by SIGSEGV where WebAssembly reaches out of its memory, which libFuzzer would take for a crash. */
const trapless = '--disable-wasm-trap-handler';

function worker(target) {
  const amount = values.distil ? mostKept : values.seconds;
  const child = spawn(
    process.execPath,
    [
      trapless,
      path.join(__dirname, 'fuzz-readers-worker.cjs'),
      values.distil ? 'distil' : 'fuzz',
      target,
      String(amount),
      values.seed,
    ],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', part => (text = (text + part).slice(-200_000)));
  return new Promise(resolve => child.on('close', code => resolve({ code, text })));
}

function lineOf(target, code, text) {
  if (values.distil) return text.trim().split('\n').at(-1);
  const number = name => /\d+/.exec(new RegExp(`stat::${name}: *\\d+`).exec(text)?.[0].split('::')[1] ?? '')?.[0];
  const last = [...text.matchAll(/cov: (\d+) ft: (\d+) corp: (\d+)/g)].at(-1);
  const runs = number('number_of_executed_units') ?? [...text.matchAll(/^#(\d+)\s/gm)].at(-1)?.[1] ?? '?';
  const figures = `${runs} executions, ${number('average_exec_per_sec') ?? Math.round(Number(runs) / Number(values.seconds))} a second, coverage ${last?.[1] ?? '?'}, corpus ${last?.[3] ?? '?'}`;
  if (code === 0) return `${target}: ${figures}`;
  const file =
    [...text.matchAll(/Test unit written to (\S*(?:crash|timeout|oom)-\S+)/g)].at(-1)?.[1] ??
    'no reproducer was written';
  const what =
    /(?:Uncaught Exception: |ERROR: libFuzzer: )([^\n]*(?:\n(?! *at )[^\n]*)?)/.exec(text)?.[1] ?? text.slice(-2000);
  return `${target}: FINDING after ${figures}\n  ${what.slice(0, 600)}\n  ${file}`;
}
