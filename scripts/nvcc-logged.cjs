// Runs nvcc for CMake and keeps what ptxas tells of each kernel beside the object file, with the time it took:
//   node scripts/nvcc-logged.cjs NVCC ARGUMENT...   leaves OBJECT.ptxas
// Warnings and errors are passed on.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');

const [nvcc, ...args] = process.argv.slice(2);
const started = process.hrtime.bigint();
const { status, signal, stdout, stderr, error } = spawnSync(nvcc, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
const seconds = Number(process.hrtime.bigint() - started) / 1e9;
if (error) console.error(error.message);

const output = args.indexOf('-o');
if (status === 0 && args.includes('-c') && output >= 0)
  fs.writeFileSync(`${args[output + 1]}.ptxas`, `# ${seconds.toFixed(1)} s\n${stdout}${stderr}`);
const told = `${stdout ?? ''}${stderr ?? ''}`
  .split('\n')
  .filter(line => line.trim() !== '' && !/^ptxas info|^\s+\d+ bytes stack frame/.test(line));
if (told.length > 0) process.stderr.write(`${told.join('\n')}\n`);
process.exitCode = status ?? (signal ? 1 : 127);
