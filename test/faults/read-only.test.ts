import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { packageRoot } from '../../src/addon.js';
import { temporaryFolder } from '../read/craft.js';
import { ending, sample, type Finished } from '../support/cli.js';
import { canMount, needsMount, SmallDisk } from './disk.js';
import { must, tinyTraining } from './kill-data.js';
import { studyArgs } from './kill-studies.js';

// Folders that may be read and not written, as on a shared disk: what needs no writing works, all else is one line.

// before the folder is removed, which follows
afterAll(() => {
  for (const folder of [readOnly, model, ...['checkpoint', 'comparators'].map(name => path.join(model, name))])
    chmodSync(folder, 0o755);
});
const at = temporaryFolder();
const signal = at('signal.h5');
const background = sample('background_train');
const readOnly = at('shared');
const model = path.join(readOnly, 'model');

beforeAll(async () => {
  chmodSync(at(''), 0o755);
  copyFileSync(sample('hChToTauNu'), signal);
  chmodSync(signal, 0o444);
  mkdirSync(readOnly);
  await must(['train', '--background', background, ...tinyTraining, '--out', model]);
  cpSync(model, at('part/model'), { recursive: true });
  mkdirSync(at('open'));
  chmodSync(at('open'), 0o777);
  for (const entry of readdirSync(readOnly, { recursive: true, withFileTypes: true }))
    chmodSync(path.join(entry.parentPath, entry.name), entry.isDirectory() ? 0o555 : 0o444);
  chmodSync(readOnly, 0o555);
});

/** The superuser may write anywhere, and anybody else is nobody, whose home is not there. */
const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

function asNobody(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  const child = spawn(process.execPath, [path.join(packageRoot(), 'bin', 'anomalyclr.mjs'), ...args], {
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...nobody,
  });
  return ending(child);
}

const commands = (out: (name: string) => string): [name: string, args: string[]][] => [
  ['train', ['train', '--background', background, ...tinyTraining, '--out', out('run')]],
  ['score', ['score', '--model', model, '--data', signal, '--out', out('s.h5'), '--quiet']],
  [
    'evaluate',
    ['evaluate', '--model', model, '--background', signal, '--signal', `s=${signal}`, '--json', out('e.json')],
  ],
  ['inspect', ['inspect', signal, '--model', model, '--report', out('i.html'), '--quiet']],
  ['scan', studyArgs({ background, test: sample('background_test'), signal }, out('study'))],
  ['export', ['export', '--model', model, '--out', out('b.onnx'), '--quiet']],
];

const refused = /^anomalyclr: [^\n]*: (no permission to write it|the file system is read-only; name another place)\n$/;

describe.each(commands(name => path.join(readOnly, name)))('%s', (name, args) => {
  test('into a folder of another user: one line, and nothing is left', async () => {
    const before = readdirSync(readOnly, { recursive: true });
    const { code, stderr } = await asNobody(args);
    expect([code, stderr]).toEqual([1, expect.stringMatching(refused)]);
    expect(readdirSync(readOnly, { recursive: true })).toEqual(before);
  });

  test('from a run that may only be read, with no home', async () => {
    const inside = args.map(arg =>
      arg.replace(`${readOnly}/`, arg.startsWith(model) ? `${readOnly}/` : `${at('open')}/`),
    );
    const { code, stderr } = await asNobody(inside);
    expect([name, code, stderr.replace(/^.*events\/s\n/, '')]).toEqual([
      name,
      0,
      expect.not.stringMatching(/anomalyclr: (?!warning)/),
    ]);
  });
});

describe('a disk that is mounted for reading', () => {
  let disk: SmallDisk;
  beforeAll(async () => {
    if (!canMount) return;
    disk = await SmallDisk.mount('size=4m');
    cpSync(at('part/model'), disk.at('model'), { recursive: true });
    disk.shell(`mount -o remount,ro ${disk.inside()}`);
  });
  afterAll(() => disk?.unmount());

  needsMount('whatever is to be written there is refused, before the work; what is there can be used', async () => {
    for (const [name, args] of commands(file => disk.inside(file))) {
      const { code, stderr } = await disk.cli(args.map(arg => (arg === model ? disk.inside('model') : arg)));
      expect([name, code, stderr]).toEqual([name, 1, expect.stringMatching(refused)]);
    }
    const score = ['score', '--model', disk.inside('model'), '--data', signal, '--out', at('s.csv'), '--quiet'];
    expect(await disk.cli(score)).toMatchObject({ code: 0, stderr: '' });
    const resumed = ['train', '--background', background, ...tinyTraining, '--out', disk.inside('model'), '--resume'];
    const { code, stderr } = await disk.cli(resumed);
    expect([code, stderr]).toEqual([0, '']); // it is complete
  });
});
