// Fuzzes the addon's boundary and the native code that meets bytes from outside, by libFuzzer with AddressSanitizer and
// UndefinedBehaviorSanitizer: see docs/fuzzing.md. Each target goes on for a minute from the kept corpus, two at a time.
//   npm run fuzz:native -- [--seconds 60] [--only TARGET,TARGET] [--seed N]   0 is another each time
//   npm run fuzz:native -- --keep   brings what was found into test/fuzz/corpus/native
'use strict';
const { spawn, spawnSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { root, findTools, onPath, twoAtATime } = require('./common.cjs');

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    only: { type: 'string' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean' },
  },
});
const folder = path.join(root, 'test', 'fuzz', 'native');
const built = path.join(root, 'build', 'fuzz', 'native');
/** What is kept of a target at most. */
const most = { bytes: 200_000, files: 300 };
/** Targets whose inputs are rows of records of so many bytes: short ones are kept joined. */
const records = { boundary: 20 };
/** Longest input of a target, bytes. */
const longest = { boundary: 800, comm: 700, kernels: 200 };
const targets = fs
  .readdirSync(folder)
  .filter(file => file.endsWith('_fuzz.cc'))
  .map(file => file.replace('_fuzz.cc', ''))
  .filter(name => !values.only || values.only.split(',').includes(name));

const program = target => path.join(built, 'test', 'fuzz', 'native', `${target}_fuzz`);
const keptOf = target => path.join(root, 'test', 'fuzz', 'corpus', 'native', target);
const foundOf = target => path.join(root, 'build', 'fuzz', 'corpus', target);
const crashes = path.join(root, 'build', 'fuzz', 'crashes');

main().then(
  code => process.exit(code),
  error => {
    console.error(error);
    process.exit(1);
  },
);

async function main() {
  if (targets.length === 0) {
    console.error(`fuzz:native: there is no target ${values.only}`);
    return 2;
  }
  const { env, missing } = findTools();
  const clang = missing ? undefined : findClang();
  if (!clang) {
    console.log(`skipped: ${missing ?? 'no clang++ with libFuzzer (Debian: clang-16, libclang-rt-16-dev)'}`);
    return 0;
  }
  const steps = [
    ['cmake', '-S', root, '-B', built, `-DCMAKE_CXX_COMPILER=${clang}`, '-DCMAKE_BUILD_TYPE=RelWithDebInfo',
      '-DANOMALYCLR_FUZZ=ON', '-DANOMALYCLR_ADDON=OFF'],
    ['cmake', '--build', built, '--parallel', String(os.availableParallelism()), '--target',
      ...targets.map(target => `${target}_fuzz`)],
  ]; // prettier-ignore
  for (const [command, ...args] of steps) {
    const { status, stdout, stderr } = spawnSync(command, args, {
      cwd: root,
      env,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    if (status !== 0) {
      console.error(`${stdout}${stderr}\nfuzz:native: ${command} failed`);
      return 1;
    }
  }
  fs.mkdirSync(crashes, { recursive: true });
  let failed = 0;
  await twoAtATime(targets, async target => {
    if (!(await (values.keep ? keep(target) : fuzz(target)))) failed += 1;
  });
  return failed > 0 ? 1 : 0;
}

function findClang() {
  const names = ['clang++', ...Array.from({ length: 10 }, (_, i) => `clang++-${22 - i}`)];
  return names.find(name => {
    if (!onPath(name)) return false;
    const source = 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }';
    const args = ['-x', 'c++', '-', '-fsanitize=fuzzer,address', '-o', os.devNull];
    return spawnSync(name, args, { input: source }).status === 0;
  });
}

/** Runs a target; what it says. */
function run(target, args) {
  const log = path.join(root, 'build', 'fuzz', `${target}-${process.pid}.log`);
  const out = fs.openSync(log, 'w');
  const child = spawn(program(target), args, { cwd: built, stdio: ['ignore', out, out] });
  return new Promise(resolve => {
    child.on('exit', (code, signal) => {
      fs.closeSync(out);
      resolve({ code: code ?? signal, log, text: fs.readFileSync(log, 'latin1') });
    });
  });
}

async function fuzz(target) {
  const [kept, found] = [keptOf(target), foundOf(target)];
  for (const one of [kept, found]) fs.mkdirSync(one, { recursive: true });
  const { code, log, text } = await run(target, [
    `-max_total_time=${values.seconds}`, `-seed=${values.seed}`, `-max_len=${longest[target] ?? 1024}`, '-len_control=0',
    '-timeout=60', '-rss_limit_mb=2560', '-print_final_stats=1', `-artifact_prefix=${path.join(crashes, target)}-`, found, kept,
  ]); // prettier-ignore
  const stat = name => new RegExp(`stat::${name}: *(\\d+)`).exec(text)?.[1] ?? '?';
  const covered = [...text.matchAll(/ cov: (\d+) /g)].at(-1)?.[1] ?? '?';
  console.log(
    `${target}: ${stat('number_of_executed_units')} executions, ${stat('average_exec_per_sec')} a second, ` +
      `${covered} edges covered, ${stat('new_units_added')} new inputs, ${code === 0 ? 'no crash' : 'CRASHED'}`,
  );
  if (code === 0) return true;
  const input = /Test unit written to (\S+)/.exec(text)?.[1];
  const what = /(BROKEN: .*|SUMMARY: .*|ERROR: .*|runtime error: .*)/.exec(text)?.[1] ?? `it ended with ${code}`;
  console.error(`${target}: ${what}\n  all it said: ${log}`);
  if (input) console.error(`  again: ${program(target)} ${input}`);
  return false;
}

/** The fewest inputs that cover what all do, in place of what was kept. */
async function keep(target) {
  const [kept, found] = [keptOf(target), foundOf(target)];
  const fewest = `${found}-fewest`;
  fs.rmSync(fewest, { recursive: true, force: true });
  for (const one of [kept, found, fewest]) fs.mkdirSync(one, { recursive: true });
  const { code, log } = await run(target, ['-set_cover_merge=1', '-timeout=30', fewest, kept, found]);
  if (code !== 0) {
    console.error(`${target}: the inputs cannot be merged: ${log}`);
    return false;
  }
  const inputs = fs.readdirSync(fewest).map(name => fs.readFileSync(path.join(fewest, name)));
  inputs.sort((a, b) => a.length - b.length || Buffer.compare(a, b));
  for (const old of fs.readdirSync(kept)) if (!old.startsWith('crash')) fs.rmSync(path.join(kept, old));
  let [bytes, count] = [0, 0];
  for (const input of records[target] ? joined(inputs, longest[target]) : inputs) {
    if (bytes + input.length > most.bytes || count === most.files) break;
    fs.writeFileSync(path.join(kept, createHash('sha1').update(input).digest('hex')), input);
    bytes += input.length;
    count += 1;
  }
  console.log(`${target}: ${count} inputs of ${bytes} bytes kept, of ${inputs.length}`);
  return true;
}

function joined(inputs, longest) {
  const rows = [[]];
  for (const input of inputs) {
    if (Buffer.concat([...rows.at(-1), input]).length > longest) rows.push([]);
    rows.at(-1).push(input);
  }
  return rows.map(row => Buffer.concat(row));
}
