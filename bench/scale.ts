// Files of many events: how fast they are read, trained on, scored and evaluated, from HDF5 and from the packed copy, and
// what memory that takes. Then several ranks on this machine.
//   npm run bench:scale -- [--events 1e5,1e6,1e7] [--ranks 1,2,4] [--folder build/scale] [--python python3] [--json FILE]
// The files are made where they are not there. Each figure is of one run in a process of its own; 1e7 takes half an hour.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { packageRoot } from '../src/addon.js';
import { AnomalyClrError } from '../src/errors.js';
import { writeAtomically } from '../src/files.js';

interface Row {
  readonly events: number;
  readonly what: string;
  readonly source: string;
  readonly seconds: number;
  readonly eventsPerSecond: number;
  /** Peak resident memory of the process, of all ranks together where there are several. */
  readonly peakMb: number;
}

const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { events: text, ranks: text, folder: text, python: text, json: text } });
const sizes = (values.events ?? '1e5,1e6,1e7').split(',').filter(Boolean).map(Number);
const ranks = (values.ranks ?? '1,2,4').split(',').filter(Boolean).map(Number);
const folder = path.resolve(values.folder ?? path.join(packageRoot(), 'build', 'scale'));
const at = (...parts: string[]): string => path.join(folder, ...parts);
const cacheFolder = at('cache');
const cliFile = path.join(packageRoot(), 'bin', 'anomalyclr.mjs');
const sampleOf = (name: string): string => path.join(packageRoot(), 'sample', `${name}.h5`);
/** An encoder that keeps up with the reading of files, so that these show. */
const small =
  '--epochs 1 --batch 512 --width 16 --heads 2 --layers 1 --feed-forward 16 --output 16 --detector-epochs 1'.split(' ');
/** For ranks: an epoch of 18,000 events. */
const short = '--epochs 1 --batch 512 --max-events 20000 --detector-epochs 1 --no-comparators'.split(' ');
const encoders = {
  default: [],
  published: '--width 160 --layers 4 --feed-forward 160 --output 160 --head-layers 2 --dropout 0.1'.split(' '),
};

const rows: Row[] = [];
function add(row: Omit<Row, 'eventsPerSecond'> & { eventsPerSecond?: number }): void {
  const whole = { ...row, eventsPerSecond: row.eventsPerSecond ?? row.events / row.seconds };
  rows.push(whole);
  const { events, what, source, seconds, eventsPerSecond, peakMb } = whole;
  process.stdout.write(
    `${String(events).padStart(9)}  ${what.padEnd(22)} ${source.padEnd(14)} ${seconds.toFixed(1).padStart(8)} s ` +
      `${Math.round(eventsPerSecond).toString().padStart(9)} events/s  ${Math.round(peakMb)} MB\n`,
  );
}

/** Runs a program to its end; the peak is read while it runs, the last time at most 50 ms before its end. */
async function run(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ stdout: string; seconds: number; peakMb: number }> {
  const from = performance.now();
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr, peakMb] = ['', '', 0];
  child.stdout.on('data', (part: Buffer) => (stdout += part.toString()));
  child.stderr.on('data', (part: Buffer) => (stderr += part.toString()));
  const timer = setInterval(() => (peakMb = Math.max(peakMb, peakOf(child.pid))), 50);
  const code = await new Promise(resolve => child.on('close', resolve).on('error', resolve));
  clearInterval(timer);
  if (code !== 0) throw new AnomalyClrError(`${program} ${args.join(' ')}: ${stderr.trim().split('\n').at(-1)}`);
  return { stdout, seconds: (performance.now() - from) / 1000, peakMb };
}

function peakOf(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0; // it has ended
  }
}

const cli = (args: readonly string[], env: Record<string, string> = {}) =>
  run(process.execPath, [cliFile, ...args, '--quiet'], { ANOMALYCLR_CACHE: cacheFolder, ...env });

async function read(file: string, source: string, cache: readonly string[]): Promise<void> {
  const script = path.join(packageRoot(), 'dist', 'bench', 'scale-read.js');
  const { stdout, peakMb } = await run(process.execPath, [script, file, ...cache]);
  const { events, seconds } = JSON.parse(stdout) as { events: number; seconds: number };
  add({ events, what: 'read', source, seconds, peakMb });
}

const h5pyReader = `
import h5py, sys, time, resource, json
start = time.perf_counter(); events = 0
with h5py.File(sys.argv[1]) as f:
    particles = f['Particles']
    for row in range(0, len(particles), 8192):
        events += len(particles[row:row + 8192])
print(json.dumps({'events': events, 'seconds': time.perf_counter() - start}))`;

async function peer(file: string, python: string): Promise<void> {
  const { stdout, peakMb } = await run(python, ['-c', h5pyReader, file]);
  const { events, seconds } = JSON.parse(stdout) as { events: number; seconds: number };
  add({ events, what: 'read, unchecked', source: 'HDF5, h5py', seconds, peakMb });
}

async function commands(file: string, events: number, source: string, cache: readonly string[]): Promise<void> {
  const out = at('run');
  await rm(out, { recursive: true, force: true });
  const trained = await cli(['train', '--background', file, '--out', out, ...small, ...cache]);
  const { eventsPerSecond } = JSON.parse(readFileSync(path.join(out, 'provenance.json'), 'utf8')) as {
    eventsPerSecond: number;
  };
  add({ events, what: 'train, whole command', source, ...trained });
  add({ events, what: 'train, encoder', source, ...trained, eventsPerSecond });
  add({
    events,
    what: 'score',
    source,
    ...(await cli(['score', '--model', out, '--data', file, '--out', at('scores.h5'), ...cache])),
  });
  if (cache.length === 0) {
    // most of it is computing, whatever the events come from
    const signal = ['--signal', `leptoquark=${sampleOf('leptoquark')}`, '--json', at('evaluation.json')];
    const evaluated = await cli(['evaluate', '--model', out, '--background', file, ...signal]);
    add({ events, what: 'evaluate, all methods', source, ...evaluated });
  }
  await rm(at('scores.h5'), { force: true });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

async function together(count: number, encoder: keyof typeof encoders): Promise<void> {
  const out = at(`ranks-${count}`);
  await rm(out, { recursive: true, force: true });
  const threads = Math.max(1, Math.floor(os.availableParallelism() / count));
  const place = { WORLD_SIZE: String(count), LOCAL_WORLD_SIZE: String(count), MASTER_PORT: String(await freePort()) };
  const args = ['train', '--background', sampleOf('background_train'), '--out', out, ...short, ...encoders[encoder]];
  const all = await Promise.all(
    Array.from({ length: count }, (_, rank) =>
      cli([...args, '--threads', String(threads)], { ...place, RANK: String(rank), LOCAL_RANK: String(rank) }),
    ),
  );
  const { eventsPerSecond } = JSON.parse(readFileSync(path.join(out, 'provenance.json'), 'utf8')) as {
    eventsPerSecond: number;
  };
  const peakMb = all.reduce((sum, one) => sum + one.peakMb, 0);
  add({
    events: 20_000,
    what: `train, ${encoder} encoder`,
    source: `${count} x ${threads} threads`,
    seconds: all[0].seconds,
    eventsPerSecond,
    peakMb,
  });
}

await mkdir(folder, { recursive: true });
for (const events of sizes) {
  const file = at(`${events}.h5`);
  if (!existsSync(file))
    await run(process.execPath, [
      '--import',
      'tsx',
      path.join(packageRoot(), 'tools', 'make-large.ts'),
      '--out',
      file,
      '--events',
      String(events),
    ]);
  await rm(cacheFolder, { recursive: true, force: true });
  if (values.python !== undefined) await peer(file, values.python);
  await read(file, 'HDF5', []);
  await read(file, 'HDF5, packing', [cacheFolder, 'write']);
  await read(file, 'packed copy', [cacheFolder]);
  await commands(file, events, 'HDF5', ['--no-cache']);
  await commands(file, events, 'packed copy', []);
}
for (const encoder of ['default', 'published'] as const) for (const count of ranks) await together(count, encoder);
const machine = {
  processor: os.cpus()[0]?.model,
  cores: os.availableParallelism(),
  node: process.version,
  date: new Date().toISOString(),
};
if (values.json !== undefined) await writeAtomically(values.json, `${JSON.stringify({ machine, rows }, null, 2)}\n`);
