import { readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { readScores } from '../../src/score/read-scores.js';
import { temporaryFolder } from '../read/craft.js';
import { runtimeInstalled } from '../support/bundle.js';
import { sample } from '../support/cli.js';
import { canMount, needsMount, SmallDisk } from './disk.js';
import { must, tinyTraining } from './kill-data.js';

// A disk that has room for all but the last, the last but one, .. of what a command writes: whichever write fails, it says
// so in one line, leaves nothing half written, and goes on when there is room.

/** How many fillings of the disk are tried for each command; the long form takes more. */
const tries = Number(process.env['ANOMALYCLR_FAULTS'] ?? 3);

const at = temporaryFolder();
const model = at('model');
const signal = sample('hChToTauNu');
const train = ['train', '--background', sample('background_train'), ...tinyTraining];
const noRoom = /^anomalyclr: [^\n]*: no space left on the disk; make room and start again\n$/;
let disk: SmallDisk;

beforeAll(async () => {
  if (!canMount) return;
  disk = await SmallDisk.mount('size=6m');
  await must([...train, '--out', model]);
});
afterEach(() => disk?.empty());
afterAll(() => disk?.unmount());

/** What of a run may not depend on its interruptions. */
const results = [
  'domain.json',
  'metrics.jsonl',
  'encoder.safetensors',
  'autoencoder.safetensors',
  'comparators/raw-autoencoder.safetensors',
  'comparators/raw-autoencoder-log.safetensors',
  'comparators/untrained-autoencoder.safetensors',
];

needsMount('train: again and again a little more room, to the same results', async () => {
  const out = disk.inside('run');
  const total = 330e3; // bytes of a run of this size
  let failed = 0;
  for (let i = 0; i < 2 * tries; i++) {
    const used = disk.files().reduce((sum, name) => sum + statSync(disk.at(name)).size, 0);
    disk.fill(Math.max(0, (total * i) / (2 * tries) - used));
    const { code, stderr } = await disk.cli([...train, '--out', out, ...(i > 0 ? ['--resume'] : [])]);
    if (code === 0) break;
    failed += 1;
    expect([code, stderr]).toEqual([1, expect.stringMatching(noRoom)]);
    expect(disk.files().filter(name => /\.(tmp|old)$/.test(name))).toEqual([]);
  }
  expect(failed).toBeGreaterThanOrEqual(tries);
  disk.makeRoom();
  expect(await disk.cli([...train, '--out', out, '--resume'])).toMatchObject({ code: 0, stderr: '' });
  for (const name of results) {
    const [got, want] = [disk.at('run', name), path.join(model, name)].map(file => readFileSync(file, 'utf8'));
    expect([name, got.replaceAll(out, model) === want]).toEqual([name, true]);
  }
});

const score = (name: string) => ['score', '--model', model, '--data', signal, '--out', name, '--quiet'];
const evaluate = ['evaluate', '--model', model, '--background', sample('Ato4l'), '--signal', `s=${signal}`, '--quiet'];
const whole: [name: string, args: string[], files: string[], needsRuntime?: boolean][] = [
  ['score to HDF5', score('s.h5'), ['s.h5']],
  ['score to CSV', score('s.csv'), ['s.csv']],
  ['score to Parquet', score('s.parquet'), ['s.parquet']],
  ['evaluate', [...evaluate, '--json', 'e.json', '--report', 'e.html'], ['e.html', 'e.json']],
  ['evaluate a shard', [...evaluate, '--shard', '1/2', '--out', 'part'], ['part']],
  ['inspect', ['inspect', signal, '--model', model, '--report', 'i.html', '--quiet'], ['i.html']],
  ['export', ['export', '--model', model, '--out', 'b.onnx', '--quiet'], ['b.json', 'b.md', 'b.onnx'], true],
];

describe.each(whole)('%s', (_, args, outputs, onnx = false) => {
  const test = canMount && (runtimeInstalled || !onnx) ? needsMount : needsMount.skip;
  test('leaves what was there until all is written', async () => {
    const inside = args.map(arg => (outputs.includes(arg) ? disk.inside(arg) : arg));
    expect(await disk.cli(inside)).toMatchObject({ code: 0 });
    const want = await contents();
    const names = disk.files();
    const total = names.reduce((sum, name) => sum + statSync(disk.at(name)).size, 0);
    let failed = 0;
    for (let i = 0; i < tries; i++) {
      disk.fill((total * i) / tries);
      const { code, stderr } = await disk.cli(inside);
      expect(disk.files()).toEqual(names);
      if (code === 0) continue;
      failed += 1;
      expect([code, stderr]).toEqual([1, expect.stringMatching(noRoom)]);
    }
    expect(failed).toBeGreaterThanOrEqual(1);
    expect(await contents()).toEqual(want);
    disk.makeRoom();
    for (const name of outputs) rmSync(disk.at(name), { recursive: true });
    disk.fill(0);
    expect(await disk.cli(inside)).toMatchObject({ code: 1, stderr: expect.stringMatching(noRoom) });
    expect(disk.files()).toEqual([]);
    disk.makeRoom();
    expect(await disk.cli(inside)).toMatchObject({ code: 0 });
    expect(await contents()).toEqual(want);
  });
});

/** Of all files on the disk; times and speeds, which are others each time, are left out. */
async function contents(): Promise<Record<string, unknown>> {
  const changing = /"(created|started|sha256|seconds|bytes|scoredPerSecond)": ?("[^"]*"|[\d.e+-]+)/g;
  const found: Record<string, unknown> = {};
  for (const name of disk.files())
    if (name.endsWith('.h5')) found[name] = await readScores(disk.at(name));
    else if (!/\.(html|onnx|md)$/.test(name)) found[name] = readFileSync(disk.at(name), 'latin1').replace(changing, '');
  return found;
}
