// What ptxas tells of each kernel (-Xptxas=-v), and the table of it in native/cuda/registers.tsv.
// A cell is registers/shared/stack/spilled, the last three in bytes, zeros at the end left out: 40, 40/4608, 40/0/16/24.
'use strict';
const { spawnSync } = require('node:child_process');

/** Registers that a kernel may take more than the table says. */
const slack = 8;

/**
 * @param text what nvcc wrote for one file
 * @returns one entry for each kernel and architecture
 */
function parse(text) {
  const entries = [];
  let last;
  let function_;
  for (const line of text.split('\n')) {
    const entry = /Compiling entry function '([^']+)' for '(\w+)'/.exec(line);
    if (entry) {
      last = { symbol: entry[1], arch: entry[2], registers: 0, shared: 0, stack: 0, spilled: 0 };
      entries.push(last);
    }
    function_ = /Function properties for (\S+)/.exec(line)?.[1] ?? function_;
    if (!last) continue;
    const bytes = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    if (bytes && function_ === last.symbol) {
      last.stack = Number(bytes[1]);
      last.spilled = Math.max(Number(bytes[2]), Number(bytes[3]));
    }
    const used = /Used (\d+) registers/.exec(line);
    if (used) {
      last.registers = Number(used[1]);
      last.shared = Number(/(\d+) bytes smem/.exec(line)?.[1] ?? 0);
    }
  }
  return entries;
}

/** Symbols as the source has them, in one run of c++filt: attention_forward<bf16, 32>. */
function demangle(symbols) {
  const { status, stdout } = spawnSync('c++filt', { input: symbols.join('\n'), encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error('c++filt not found; install binutils');
  return stdout.split('\n').slice(0, symbols.length).map(shorten);
}

function shorten(name) {
  const plain = name
    .replaceAll('(anonymous namespace)::', '')
    .replace(/\b(?:aclr|cuda|device)::/g, '')
    .replaceAll('__nv_bfloat16', 'bf16')
    .replace(/\(bool\)([01])/g, (_, value) => (value === '1' ? 'true' : 'false'))
    .replace(/\((?:unsigned )?(?:int|long|char)\)(-?\d+)/g, '$1');
  // "void name<...>(parameters)": the parameters start at the first bracket outside < >
  let depth = 0;
  let end = plain.length;
  for (let i = 0; i < plain.length; ++i) {
    if (plain[i] === '<') ++depth;
    else if (plain[i] === '>') --depth;
    else if (plain[i] === '(' && depth === 0) {
      end = i;
      break;
    }
  }
  return plain.slice(0, end).replace(/^void /, '');
}

/**
 * @param files what nvcc wrote, by name of the source
 * @returns rows by "source kernel", each a map from architecture to an entry
 */
function tabulate(files) {
  const rows = new Map();
  for (const [source, text] of Object.entries(files)) {
    const entries = parse(text);
    const names = demangle(entries.map(({ symbol }) => symbol));
    for (const [i, entry] of entries.entries()) {
      const key = `${source}\t${names[i]}`;
      if (!rows.has(key)) rows.set(key, new Map());
      const row = rows.get(key);
      const other = row.get(entry.arch);
      if (other) throw new Error(`${source} has two kernels ${names[i]}; give them names of their own`);
      row.set(entry.arch, entry);
    }
  }
  return rows;
}

const cellOf = ({ registers, shared, stack, spilled }) =>
  [registers, shared, stack, spilled].join('/').replace(/(?:\/0)+$/, '');

function entryOf(cell) {
  const [registers, shared = 0, stack = 0, spilled = 0] = cell.split('/').map(Number);
  return { registers, shared, stack, spilled };
}

/** Reasons of rows that spill are kept from the table before. */
function write(rows, archs, nvcc, before) {
  const lines = [...rows]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, row]) => {
      const cells = archs.map(arch => (row.has(arch) ? cellOf(row.get(arch)) : ''));
      return [key, ...cells, before?.rows.get(key)?.reason ?? ''].join('\t').trimEnd();
    });
  return `${[`nvcc ${nvcc}`, ['source', 'kernel', ...archs, 'why it spills'].join('\t'), ...lines].join('\n')}\n`;
}

function read(text) {
  const [first, header, ...lines] = text.trimEnd().split('\n');
  const archs = header.split('\t').slice(2, -1);
  const rows = new Map();
  for (const line of lines) {
    const [source, kernel, ...cells] = line.split('\t');
    const entries = new Map(archs.flatMap((arch, i) => (cells[i] ? [[arch, entryOf(cells[i])]] : [])));
    rows.set(`${source}\t${kernel}`, { entries, reason: cells[archs.length] ?? '' });
  }
  return { nvcc: first.replace(/^nvcc /, ''), archs, rows };
}

/**
 * @param exact whether the compiler is the table's: another one's registers say nothing
 * @returns one line for each thing that is not as recorded
 */
function compare(rows, table, exact) {
  const problems = [];
  for (const [key, row] of rows) {
    const name = key.replace('\t', ' ');
    const recorded = table.rows.get(key);
    if (!recorded) problems.push(`${name} is not recorded`);
    for (const [arch, entry] of row) {
      const wanted = recorded?.entries.get(arch);
      const say = what => problems.push(`${name} ${arch}: ${what}`);
      if (entry.spilled > 0 && !recorded?.reason) say(`${entry.spilled} bytes spilled, and no reason recorded`);
      if (recorded && !wanted) say('is not recorded');
      if (!wanted || !exact) continue;
      if (entry.spilled > wanted.spilled && recorded.reason)
        say(`${entry.spilled} bytes spilled, ${wanted.spilled} recorded`);
      if (entry.registers > wanted.registers + slack) say(`${entry.registers} registers, ${wanted.registers} recorded`);
      if (entry.shared !== wanted.shared) say(`${entry.shared} bytes of shared memory, ${wanted.shared} recorded`);
      if (entry.stack > wanted.stack) say(`${entry.stack} bytes of stack, ${wanted.stack} recorded`);
    }
  }
  for (const key of table.rows.keys())
    if (!rows.has(key)) problems.push(`${key.replace('\t', ' ')} is recorded and not there any more`);
  return problems;
}

module.exports = { parse, demangle, tabulate, write, read, compare };
