// Builds the CUDA library for every architecture, without a GPU, and looks at what came out:
//   registers, spills, stack and shared memory of each kernel against native/cuda/registers.tsv
//   machine code for each architecture and PTX for others; tensor cores and asynchronous copies where they are meant
//   one exported symbol, nothing wanted that a stock system lacks; it opens without a driver and refuses politely
// --record writes the table anew; --wheels takes the compiler of the wheels also where another is installed.
// Ends with one line. Where there is no compiler and none can be had it is "skipped: ...", which is no failure.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./common.cjs');
const { Missing, buildCuda } = require('./build-cuda.cjs');
const ptxas = require('./ptxas.cjs');

const tableFile = path.join(root, 'native', 'cuda', 'registers.tsv');
const archs = ['sm_80', 'sm_90a', 'sm_100', 'sm_120'];
const ptx = ['sm_80', 'sm_120'];
const problems = [];
const say = line => console.log(`check:cuda: ${line}`);

function output(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    ...options,
  });
  if (status !== 0) throw new Error(`${path.basename(command)} failed: ${(error?.message ?? stderr).trim()}`);
  return stdout;
}

/** What nvcc wrote for each source: `[name, text, seconds]`. */
function compileLogs(folder) {
  const objects = path.join(folder, 'CMakeFiles', 'anomalyclr_cuda_objects.dir', 'native', 'cuda');
  return fs
    .readdirSync(objects, { recursive: true })
    .filter(name => name.endsWith('.ptxas') && fs.existsSync(path.join(objects, name.slice(0, -'.ptxas'.length))))
    .map(name => {
      const source = name.replace(/\.o\.ptxas$/, '');
      const text = fs.readFileSync(path.join(objects, name), 'utf8');
      return { source, text, seconds: Number(/^# ([\d.]+) s/.exec(text)?.[1]) };
    })
    .filter(({ source }) => fs.existsSync(path.join(root, 'native', 'cuda', source)));
}

function checkRegisters({ folder, version }) {
  const logs = compileLogs(folder);
  const slowest = logs.toSorted((a, b) => b.seconds - a.seconds).slice(0, 5);
  say(`slowest files: ${slowest.map(({ source, seconds }) => `${source} ${seconds.toFixed(0)} s`).join(', ')}`);
  const rows = ptxas.tabulate(Object.fromEntries(logs.map(({ source, text }) => [source, text])));
  if (rows.size === 0) problems.push('no kernel was found');
  const before = fs.existsSync(tableFile) ? ptxas.read(fs.readFileSync(tableFile, 'utf8')) : undefined;
  if (process.argv.includes('--record')) {
    fs.writeFileSync(tableFile, ptxas.write(rows, archs, version, before));
    say(`recorded ${rows.size} kernels in ${path.relative(root, tableFile)}`);
  }
  const table = fs.existsSync(tableFile) ? ptxas.read(fs.readFileSync(tableFile, 'utf8')) : undefined;
  if (!table) throw new Error(`${path.relative(root, tableFile)} is not there; --record writes it`);
  const exact = table.nvcc === version;
  if (!exact) say(`the table is nvcc ${table.nvcc}'s: of ${version} only spills are looked at`);
  problems.push(...ptxas.compare(rows, table, exact));
  for (const [key, row] of rows)
    for (const arch of archs) if (!row.has(arch)) problems.push(`${key.replace('\t', ' ')} has no code for ${arch}`);
  return rows;
}

/** Instructions of each kernel by architecture: counts of the mnemonics asked for. */
function countInstructions(cuobjdump, library, mnemonics) {
  const counts = new Map();
  let arch = '';
  let symbol = '';
  const wanted = new RegExp(`\\b(${mnemonics.join('|')})\\b`);
  for (const line of output(cuobjdump, ['--dump-sass', library]).split('\n')) {
    arch = /^arch = (\w+)/.exec(line)?.[1] ?? arch;
    symbol = /Function : (\S+)/.exec(line)?.[1] ?? symbol;
    const mnemonic = wanted.exec(line)?.[1];
    if (!mnemonic) continue;
    const key = `${arch} ${symbol}`;
    if (!counts.has(key)) counts.set(key, {});
    counts.get(key)[mnemonic] = (counts.get(key)[mnemonic] ?? 0) + 1;
  }
  return counts;
}

/** Tensor cores are what files *_mma.cu are for, on every architecture; elsewhere they would round float to 10 bits. */
function checkCode({ nvcc, library }, rows) {
  const cuobjdump = path.join(path.dirname(nvcc), 'cuobjdump');
  const listed = output(cuobjdump, ['--list-elf', '--list-ptx', library]);
  for (const arch of archs)
    if (!new RegExp(`\\.${arch}\\.cubin`).test(listed)) problems.push(`no machine code for ${arch}`);
  for (const arch of ptx) if (!new RegExp(`\\.${arch}\\.ptx`).test(listed)) problems.push(`no PTX for ${arch}`);

  const counts = countInstructions(cuobjdump, library, ['HMMA', 'LDGSTS', 'LDSM']);
  const sources = new Map([...rows].flatMap(([key, row]) => [...row.values()].map(entry => [entry.symbol, key])));
  const found = new Set();
  for (const [at, count] of counts) {
    const [arch, symbol] = at.split(' ');
    const [source, kernel] = sources.get(symbol)?.split('\t') ?? ['', symbol];
    for (const mnemonic of Object.keys(count)) found.add(`${source} ${arch} ${mnemonic}`);
    if (count.HMMA && !source.endsWith('_mma.cu')) problems.push(`${source} ${kernel} ${arch}: has HMMA`);
  }
  const tensor = [...new Set([...rows.keys()].map(key => key.split('\t')[0]))].filter(name => name.endsWith('_mma.cu'));
  if (tensor.length === 0) problems.push('there is no *_mma.cu');
  for (const arch of archs) {
    for (const source of tensor)
      if (!found.has(`${source} ${arch} HMMA`)) problems.push(`${source} has no HMMA for ${arch}`);
    for (const mnemonic of ['LDGSTS', 'LDSM'])
      if (!tensor.some(source => found.has(`${source} ${arch} ${mnemonic}`)))
        problems.push(`no *_mma.cu has ${mnemonic} for ${arch}`);
  }
}

function checkSymbols(library) {
  const exported = output('nm', ['-D', '--defined-only', library]).trim().split('\n').filter(Boolean);
  if (exported.length !== 1 || !exported[0].endsWith(' T anomalyclr_device_library'))
    problems.push(`it exports ${exported.map(line => line.split(' ').at(-1)).join(', ') || 'nothing'}`);
  for (const line of output('nm', ['-D', '--undefined-only', library]).trim().split('\n')) {
    const [kind, symbol] = line.trim().split(/\s+/);
    const weak = kind === 'w';
    if (!weak && !/@(?:GLIBC|GLIBCXX|CXXABI|GCC)_[\d.]+$/.test(symbol)) problems.push(`it wants ${symbol}`);
  }
  const needed = [...output('readelf', ['-d', library]).matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name);
  const stock = /^(?:libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|ld-linux-[\w-]+)\.so/;
  for (const name of needed) if (!stock.test(name)) problems.push(`it is linked to ${name}`);
}

function checkOpens({ folder, library }) {
  const program = path.join(folder, 'cuda_build');
  const source = path.join(root, 'test', 'native', 'cuda_build.cc');
  const compiler = process.env.CXX || 'c++';
  output(compiler, ['-std=c++20', '-O1', '-I', path.join(root, 'native'), source, '-o', program, '-ldl']);
  const { status, signal, stdout } = spawnSync(program, [library], { encoding: 'utf8' });
  const told = stdout.trim();
  if (status === 0) say(told);
  else problems.push(`opening it: ${told || `ends with ${signal ?? status}`}`);
}

/** What a user of a machine without a GPU gets to read. */
function checkDoctor(library) {
  if (!['build/cmake/Release/anomalyclr.node', 'dist/.built'].every(file => fs.existsSync(path.join(root, file))))
    return;
  const doctor = path.join(root, 'bin', 'anomalyclr.mjs');
  const env = { ...process.env, ANOMALYCLR_CUDA_LIBRARY: library };
  const { cuda } = JSON.parse(output(process.execPath, [doctor, 'doctor', '--json'], { env }));
  if (cuda?.available) say(`doctor: ${cuda.name}`);
  else if (!cuda?.why || cuda.why.includes('\n')) problems.push('doctor does not say in one line why CUDA is off');
  else say(`doctor: ${cuda.why}`);
}

function main() {
  let built;
  try {
    // in a folder of its own: what build:cuda made for this machine stays, and none is left where `auto` would find it
    const folder = path.join(root, 'build', 'cuda-check');
    built = buildCuda({ wheels: process.argv.includes('--wheels'), folder, say });
  } catch (error) {
    if (error instanceof Missing) {
      console.log(`skipped: check:cuda: ${error.message}`);
      return;
    }
    throw error;
  }
  const rows = checkRegisters(built);
  checkCode(built, rows);
  checkSymbols(built.library);
  checkOpens(built);
  checkDoctor(built.library);
  for (const problem of problems) console.error(`check:cuda: ${problem}`);
  const size = (fs.statSync(built.library).size / 2 ** 20).toFixed(1);
  say(
    problems.length > 0
      ? `${problems.length} of what is checked ${problems.length === 1 ? 'is' : 'are'} not as it should be`
      : `${rows.size} kernels for ${archs.join(', ')} and PTX, ${size} MB, built in ${built.seconds.toFixed(0)} s: as recorded`,
  );
  process.exitCode = problems.length > 0 ? 1 : 0;
}

try {
  main();
} catch (error) {
  console.error(`check:cuda: ${error.message}`);
  process.exitCode = 1;
}
