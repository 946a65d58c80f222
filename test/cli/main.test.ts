import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { main } from '../../src/cli/main.js';
import { createProgress, formatDuration } from '../../src/cli/progress.js';
import { catchSignals } from '../../src/cli/signals.js';
import { AnomalyClrError } from '../../src/errors.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'main-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function anomalyclr(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const texts = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') => ({ write: (text: string) => (texts[name] += text) });
  const code = await main(argv, { stdout: sink('stdout'), stderr: sink('stderr') });
  return { code, ...texts };
}

test('--version and --help succeed on standard output', async () => {
  expect(await anomalyclr('--version')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    stderr: '',
  });
  const help = await anomalyclr('--help');
  expect(help).toMatchObject({ code: 0, stderr: '' });
  for (const name of ['demo', 'inspect', 'train', 'score', 'evaluate', 'doctor'])
    expect(help.stdout).toContain(`  ${name} `);
  expect(await anomalyclr('train', '--help')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('--learning-rate'),
  });
});

test('no command at all shows the help as an error', async () => {
  const { code, stdout, stderr } = await anomalyclr();
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('Usage: anomalyclr');
});

test.each([
  [['trian'], 'unknown command'],
  [['train', '--epoch', '3'], "unknown option '--epoch'"],
  [['train', '--epochs'], "option '--epochs <n>' argument missing"],
  [['train', '--epochs', 'ten', '--out', 'x', '--background', 'y'], '--epochs: got "ten"'],
  [['train'], 'train needs --'],
  [['doctor', 'extra'], 'too many arguments'],
  [['doctor', '--config', 'gone.yaml'], 'gone.yaml: no such file'],
  [['train', '--recipe'], 'argument missing'],
])('%j is wrong use: one line, exit code 2', async (argv, message) => {
  const { code, stdout, stderr } = await anomalyclr(...argv);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^anomalyclr: .*\n$/);
  expect(stderr).toContain(message);
});

test('what fails is one line and exit code 1; --debug adds where', async () => {
  const gone = join(dir, 'gone.h5');
  const { code, stderr } = await anomalyclr('inspect', gone);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^anomalyclr: .*gone\.h5.*\n$/);
  expect((await anomalyclr('inspect', gone, '--debug')).stderr).toMatch(/\n\s+at /);
});

test('doctor tells of this machine, as text and as JSON', async () => {
  const text = await anomalyclr('doctor');
  expect(text).toMatchObject({ code: 0, stderr: '' });
  expect(text.stdout).toContain(process.versions.node);
  const json = await anomalyclr('doctor', '--json');
  expect(JSON.parse(json.stdout)).toMatchObject({
    node: process.versions.node,
    native: { built: expect.any(Boolean) },
    tfjs: {
      version: '4.22.0',
      backends: { cpu: { works: true }, wasm: { works: true }, node: { works: expect.any(Boolean) } },
    },
    onnxruntime: { cpu: { works: expect.any(Boolean) }, cuda: { works: expect.any(Boolean) } },
    cache: { folder: process.env['ANOMALYCLR_CACHE'], copies: expect.any(Number), bytes: expect.any(Number) },
    engine: expect.stringMatching(/^(native|tfjs), /),
  });
  expect(text.stdout).toMatch(/^event files +\d+ packed (copy|copies) in .*, \d+\.\d GiB$/m);
  expect(text.stdout).toMatch(/^ONNX Runtime cpu +(version \d|missing: .*npm install)/m);
});

test('options come from a configuration file and its mistakes are named', async () => {
  const file = join(dir, 'doctor.yaml');
  writeFileSync(file, 'json: true\n');
  const { code, stdout } = await anomalyclr('doctor', '--config', file);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toHaveProperty('cpu.cores');
  writeFileSync(file, 'jason: true\n');
  const wrong = await anomalyclr('doctor', '--config', file);
  expect(wrong).toMatchObject({
    code: 2,
    stderr: `anomalyclr: ${file}: unknown key "jason"; the nearest valid name is "json"\n`,
  });
});

test('a listener of ours never stays behind', async () => {
  const count = (): number[] =>
    ['SIGINT', 'SIGTERM', 'uncaughtException', 'unhandledRejection'].map(name => process.listenerCount(name));
  const before = count();
  await anomalyclr('doctor');
  await anomalyclr('train', '--epochs', 'ten');
  expect(count()).toEqual(before);
});

describe('signals', () => {
  test('the first one asks to stop', () => {
    const said: string[] = [];
    const { signal, release } = catchSignals(line => said.push(line));
    expect(signal.aborted).toBe(false);
    process.emit('SIGINT', 'SIGINT');
    release();
    expect(signal.aborted).toBe(true);
    expect(said).toHaveLength(1);
    expect(() => signal.throwIfAborted()).toThrow(new AnomalyClrError('stopped by SIGINT'));
  });

  test('a second SIGTERM, which launchers pass on, changes nothing; Ctrl-C kills', () => {
    const script = join(dir, 'stubborn.ts');
    const source = new URL('../../src/cli/signals.ts', import.meta.url).href;
    writeFileSync(
      script,
      `import { catchSignals } from ${JSON.stringify(source)};
       const { signal } = catchSignals(line => console.log(line));
       signal.addEventListener('abort', () => {
         setTimeout(() => process.kill(process.pid, 'SIGTERM'));
         setTimeout(() => process.kill(process.pid, 'SIGINT'), 300);
       });
       process.kill(process.pid, 'SIGTERM');
       setInterval(() => undefined, 1000);`,
    );
    const tsx = new URL('../../node_modules/tsx/dist/cli.mjs', import.meta.url).pathname;
    const result = spawnSync(process.execPath, [tsx, script], { encoding: 'utf8', timeout: 60_000 });
    expect(result.error).toBeUndefined(); // it would be the time limit
    expect(result.stdout).toMatch(/^anomalyclr: SIGTERM: stopping/);
    expect(result.signal === 'SIGINT' || result.status === 130).toBe(true);
  });
});

describe('progress', () => {
  const run = (isTTY: boolean, quiet = false) => {
    let text = '';
    let ms = 0;
    const stream = { isTTY, write: (part: string) => (text += part), on: () => stream };
    const progress = createProgress({ label: 'train', total: 1000, unit: 'events' }, stream, quiet, () => ms);
    const at = (seconds: number, done: number): string => {
      ms = seconds * 1000;
      progress.update(done);
      return text;
    };
    return { at, stop: () => (progress.stop(), progress.stop(), text) };
  };

  test('lines without a terminal: every ten seconds, with rate and time left, and at the end', () => {
    const { at, stop } = run(false);
    expect(at(5, 50)).toBe('');
    const first = 'train: 100/1000 events (10 %), 10 events/s, 1 min 30 s left\n';
    expect(at(10, 100)).toBe(first);
    expect(at(12, 120)).toBe(first);
    expect(at(40, 1000)).toBe(`${first}train: 1000/1000 events (100 %), 25 events/s, 0 s left\n`);
    expect(stop()).toMatch(/train: 1000\/1000 events in 40 s\n$/);
  });

  test('nothing on what is quick, and nothing under --quiet', () => {
    const quick = run(false);
    quick.at(1, 1000);
    expect(quick.stop()).toBe('');
    const quiet = run(false, true);
    quiet.at(100, 1000);
    expect(quiet.stop()).toBe('');
  });

  test('a bar on a terminal, after two seconds', () => {
    const { at, stop } = run(true);
    expect(at(1, 10)).toBe('');
    at(4, 100);
    expect(stop()).toMatch(/train #+\.+ 10 % \| 100\/1000 events \| 25 events\/s \| 36 s left/);
  });

  test('durations', () => {
    expect([0.4, 59.6, 185, 7800].map(formatDuration)).toEqual(['0 s', '1 min 0 s', '3 min 5 s', '2 h 10 min']);
  });
});
