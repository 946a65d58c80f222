// Builds the CUDA library, build/cuda/libanomalyclr_cuda.so, which the engine opens at run time.
//   --arch LIST  only for these, e.g. 90a or 80,120; `native` is the GPU of this machine. Default: every GPU from sm_80 on
//   --wheels     with the compiler out of PyPI's wheels, also where an nvcc is installed
// nvcc: CUDACXX, CUDA_HOME, CUDA_PATH or PATH, if of CUDA 12.8 or later; else the wheels (tools/cuda-from-pypi) of
// ANOMALYCLR_CUDA_WHEELS or build/cuda-wheels, into which they are fetched when they are not there.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { root, findTools, onPath } = require('./common.cjs');

const buildDir = path.join(root, 'build', 'cuda');
const libraryName = 'libanomalyclr_cuda.so';
const wheelsDir = process.env.ANOMALYCLR_CUDA_WHEELS || path.join(root, 'build', 'cuda-wheels');
const oldest = [12, 8]; // knows sm_100 and sm_120

/** What was found wrong, to be told in one line. */
class Missing extends Error {}

function versionOf(nvcc) {
  const { status, stdout } = spawnSync(nvcc, ['--version'], { encoding: 'utf8' });
  const found = status === 0 ? /release (\d+)\.(\d+)/.exec(stdout) : null;
  return found ? [Number(found[1]), Number(found[2])] : undefined;
}

const isOld = ([major, minor]) => major < oldest[0] || (major === oldest[0] && minor < oldest[1]);

/** The folder of nccl.h, which no toolkit has. */
function ncclBeside(nvcc) {
  const folders = [
    path.join(wheelsDir, 'nccl', 'include'),
    ...[process.env.NCCL_HOME, process.env.CONDA_PREFIX, path.dirname(path.dirname(nvcc)), '/usr', '/usr/local']
      .filter(Boolean)
      .map(folder => path.join(folder, 'include')),
  ];
  return folders.find(folder => fs.existsSync(path.join(folder, 'nccl.h')));
}

/** nvcc of a toolkit, or why none serves. */
function installed() {
  const homes = [process.env.CUDA_HOME, process.env.CUDA_PATH, '/usr/local/cuda'].filter(Boolean);
  const candidates = [
    process.env.CUDACXX,
    ...homes.map(home => path.join(home, 'bin', 'nvcc')),
    ...(process.env.PATH ?? '').split(path.delimiter).map(folder => path.join(folder, 'nvcc')),
  ].filter(file => file && fs.existsSync(file));
  let why = 'no nvcc found';
  for (const nvcc of candidates) {
    const version = versionOf(nvcc);
    const nccl = ncclBeside(nvcc);
    if (!version) why = `${nvcc} does not run`;
    else if (isOld(version))
      why = `${nvcc} is of CUDA ${version.join('.')}, and ${oldest.join('.')} or later is needed`;
    else if (!nccl) why = `no nccl.h for ${nvcc} (Debian package libnccl-dev)`;
    else return { nvcc, version: version.join('.'), nccl };
  }
  return { why };
}

/** nvcc out of the wheels, which are fetched where they are missing. */
function fromWheels(say, why) {
  const nvcc = path.join(wheelsDir, 'cu13', 'bin', 'nvcc');
  if (!fs.existsSync(nvcc)) {
    if (process.platform !== 'linux') throw new Missing(`${why}; install CUDA ${oldest.join('.')} or later`);
    if (!onPath('python3') && !process.env.PYTHON)
      throw new Missing(`${why}, and no python3 to fetch its wheels with; install CUDA ${oldest.join('.')} or python3`);
    say(`${why}; fetching the compiler's wheels (tools/cuda-from-pypi)`);
    const { status, stderr } = spawnSync(path.join(root, 'tools', 'cuda-from-pypi'), [wheelsDir], {
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (status !== 0)
      throw new Missing(`${why}, and ${stderr.trim().split('\n').at(-1) ?? 'its wheels cannot be had'}`);
  }
  const version = versionOf(nvcc);
  if (!version) throw new Missing(`${nvcc} does not run; delete ${path.dirname(path.dirname(path.dirname(nvcc)))}`);
  return { nvcc, version: version.join('.'), nccl: path.join(wheelsDir, 'nccl', 'include') };
}

function findCompiler({ wheels = false, say = () => {} } = {}) {
  if (wheels || process.env.ANOMALYCLR_CUDA_WHEELS) return fromWheels(say, 'no compiler there');
  const found = installed();
  return found.nvcc ? found : fromWheels(say, found.why);
}

/** The GPU of this machine, or undefined: `{name, driver, arch}`. */
function gpu() {
  const { status, stdout } = spawnSync(
    'nvidia-smi',
    ['--query-gpu=name,driver_version,compute_cap', '--format=csv,noheader'],
    { encoding: 'utf8' },
  );
  const [name, driver, capability] =
    status === 0
      ? stdout
          .split('\n')[0]
          .split(',')
          .map(part => part.trim())
      : [];
  if (!capability || !/^\d+\.\d+$/.test(capability)) return undefined;
  return { name, driver, arch: archName(capability.replace('.', '')) };
}

/** sm_90's own instructions stand in sm_90a. */
const archName = number => (number === '90' ? '90a' : number);

function archList(text) {
  if (text === undefined) return undefined;
  return text.split(',').map(part => {
    if (part === 'native') {
      const here = gpu();
      if (!here) throw new Missing('--arch native needs a GPU, and nvidia-smi tells of none');
      return here.arch;
    }
    const found = /^(?:sm_)?(\d{2,3}[af]?)$/.exec(part.trim());
    if (!found) throw new Missing(`--arch takes numbers such as 80 or 90a, not ${JSON.stringify(part)}`);
    return archName(found[1]);
  });
}

function cacheEntry(folder, name) {
  const cache = path.join(folder, 'CMakeCache.txt');
  const found = fs.existsSync(cache) && new RegExp(`^${name}:\\w+=(.*)$`, 'm').exec(fs.readFileSync(cache, 'utf8'));
  return found ? found[1] : undefined;
}

/**
 * @returns compiler, library, seconds and the folder of the build
 * @throws Missing where something is not there, Error where it does not compile
 */
function buildCuda({ arch, tests = false, wheels = false, folder = buildDir, say = () => {} } = {}) {
  const { env, missing } = findTools();
  if (missing) throw new Missing(missing);
  const codes = archList(arch);
  const compiler = findCompiler({ wheels, say });
  say(`nvcc ${compiler.version}, ${compiler.nvcc}`);
  const started = Date.now();
  const previous = cacheEntry(folder, 'CMAKE_CUDA_COMPILER');
  if (previous !== undefined && previous !== compiler.nvcc) fs.rmSync(folder, { recursive: true });
  const run = (...args) => {
    const { status, stdout, stderr } = spawnSync('cmake', args, {
      cwd: root,
      env,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    const told = `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n');
    if (status !== 0) throw new Error(`compilation failed:\n${told.slice(-60).join('\n')}`);
    return told;
  };
  const fresh = !fs.existsSync(path.join(folder, 'CMakeCache.txt'));
  run(
    '-S',
    root,
    '-B',
    folder,
    ...(fresh && onPath('ninja') ? ['-G', 'Ninja'] : []),
    '-DANOMALYCLR_CUDA=ON',
    '-DANOMALYCLR_ADDON=OFF',
    `-DANOMALYCLR_TESTS=${tests ? 'ON' : 'OFF'}`,
    `-DCMAKE_CUDA_COMPILER=${compiler.nvcc}`,
    `-DCMAKE_CUDA_COMPILER_LAUNCHER=${process.execPath};${path.join(__dirname, 'nvcc-logged.cjs')}`,
    `-DANOMALYCLR_NCCL_INCLUDE=${compiler.nccl}`,
    ...(codes
      ? [`-DANOMALYCLR_CUDA_CODE=${codes.join(';')}`, '-DANOMALYCLR_CUDA_PTX=']
      : ['-UANOMALYCLR_CUDA_CODE', '-UANOMALYCLR_CUDA_PTX']),
  );
  const jobs = String(os.availableParallelism());
  const told = run('--build', folder, '--parallel', jobs, ...(tests ? [] : ['--target', 'anomalyclr_cuda']));
  for (const line of told.filter(line => /\bwarning\b/i.test(line))) console.log(line);
  const seconds = (Date.now() - started) / 1000;
  return { ...compiler, folder, library: path.join(folder, libraryName), codes, seconds };
}

module.exports = { Missing, buildCuda, findCompiler, gpu };

if (require.main === module) {
  const value = name => {
    const at = process.argv.indexOf(name);
    return at < 0 ? undefined : (process.argv[at + 1] ?? '');
  };
  const say = line => console.log(`build:cuda: ${line}`);
  try {
    const { library, codes, seconds } = buildCuda({
      arch: value('--arch'),
      wheels: process.argv.includes('--wheels'),
      say,
    });
    const which = codes ? codes.map(code => `sm_${code}`).join(', ') : 'every GPU from sm_80 on';
    say(`${path.relative(root, library)} for ${which}, ${seconds.toFixed(0)} s`);
  } catch (error) {
    console.error(`build:cuda: ${error.message}`);
    process.exitCode = 1;
  }
}
