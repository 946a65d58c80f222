import { existsSync, readFileSync } from 'node:fs';
import { temporaryFolder } from '../read/craft.js';
import { cli, smallTraining, start, type Finished } from '../support/cli.js';

const at = temporaryFolder();
const training = [...smallTraining, '--detector-epochs', '6'];
const results = ['encoder', 'autoencoder', 'comparators/raw-autoencoder'].map(name => `${name}.safetensors`);

const bytes = (run: string) =>
  [...results, 'metrics.jsonl'].map(name => readFileSync(at(`${run}/${name}`)).toString('base64'));

/** Starts a training and sends SIGTERM, `times` times, once `there` is. */
async function terminated(run: string, there: () => boolean, times = 1): Promise<Finished> {
  const { child, finished } = start(['train', ...training, '--out', at(run)]);
  while (child.exitCode === null && !there()) await new Promise(resolve => setTimeout(resolve, 1));
  for (let i = 0; i < times; i++) child.kill('SIGTERM');
  return finished;
}

const logged = (run: string, kind: string): number => {
  const file = at(`${run}/metrics.jsonl`);
  return existsSync(file) ? readFileSync(file, 'utf8').split(`"kind":"${kind}"`).length - 1 : 0;
};

beforeAll(async () => {
  expect((await cli(['train', ...training, '--out', at('whole')])).code).toBe(0);
});

test.each([
  ['before its first step', (run: string) => existsSync(at(`${run}/config.json`)), 1],
  ['in an epoch', (run: string) => logged(run, 'step') >= 21, 1],
  ['in an epoch, twice at once', (run: string) => logged(run, 'step') >= 34, 2],
  ['in a detector', (run: string) => existsSync(at(`${run}/encoder.safetensors`)), 1],
  ['in the last comparator', (run: string) => existsSync(at(`${run}/${results[2]}`)), 1],
])(
  'a training that SIGTERM stops %s says how to go on and exits 0; it comes to the same',
  async (when, there, times) => {
    const run = when.replaceAll(' ', '-');
    const { code, signal, stdout, stderr } = await terminated(run, () => there(run), times);
    expect([code, signal, stdout]).toEqual([0, null, '']);
    expect(stderr).toMatch(
      /^anomalyclr: SIGTERM: stopping [^\n]*\nanomalyclr: stopped[^\n]*; the same command with --resume goes on\n$/,
    );
    expect(existsSync(at(`${run}/report.html`))).toBe(false);
    const early = await cli(['score', '--model', at(run), '--data', training[1], '--out', at('scores.h5'), '--quiet']);
    const scorable = existsSync(at(`${run}/autoencoder.safetensors`)); // comparators are for evaluate
    expect([early.code, early.stderr.split('\n').length]).toEqual(scorable ? [0, 1] : [1, 2]);
    expect((await cli(['train', ...training, '--out', at(run), '--resume'])).code).toBe(0);
    expect(bytes(run)).toEqual(bytes('whole'));
  },
);
