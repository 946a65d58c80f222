import { linkSync } from 'node:fs';
import path from 'node:path';
import { particles, writeRaw } from '../read/craft.js';
import { cli, sample } from '../support/cli.js';

/** Rows of one of the large files: 20 MB, of which packed copies are made. */
const largeRows = 66_000;

/** What the commands to be killed work on. */
export interface Inputs {
  /** A small trained run. */
  readonly model: string;
  /** Large files of equal content, with two bad rows each. */
  readonly large: readonly string[];
  /** Packed copies of them. */
  readonly copies: string;
  readonly background: string;
  /** Background that nothing is trained on. */
  readonly test: string;
  readonly signal: string;
}

/** The smallest encoder, on 1,200 events, 3 epochs of 17 steps. */
export const tinyTraining = (
  '--max-events 1200 --epochs 3 --batch 64 --width 8 --heads 2 --layers 1 --feed-forward 8 --output 8 --dropout 0.1 ' +
  '--patience 0 --checkpoint-every 5 --detector-epochs 2 --bottleneck 4 --threads 1 --quiet'
).split(' ');

/** Runs a command that has to do its work. */
export async function must(args: readonly string[]): Promise<void> {
  const { code, stderr } = await cli(args);
  if (code !== 0) throw new Error(`${args[0]}: ${stderr}`);
}

export async function makeInputs(folder: string): Promise<Inputs> {
  const at = (name: string): string => path.join(folder, name);
  const large = Array.from({ length: 8 }, (_, i) => at(`large-${i}.h5`));
  await writeLarge(large[0]);
  for (const file of large.slice(1)) linkSync(large[0], file);
  const [model, copies] = [at('model'), at('copies')];
  const background = sample('background_train');
  await must(['train', '--background', background, ...tinyTraining, '--no-comparators', '--out', model]);
  // a command that makes copies on its way
  const all = ['--background', ...large, '--on-bad-event', 'skip', '--cache-folder', copies];
  const signal = sample('hChToTauNu');
  await must([
    'evaluate',
    '--model',
    model,
    ...all,
    '--signal',
    `s=${signal}`,
    '--json',
    at('figures.json'),
    '--quiet',
  ]);
  return { model, large, copies, background, test: sample('background_test'), signal };
}

/** Events of four objects that differ, and a NaN in two rows. */
async function writeLarge(file: string): Promise<void> {
  const values = new Float32Array(largeRows * 76);
  for (let e = 0; e < largeRows; e++) {
    const set = (slot: number, object: number[]) => values.set(object, e * 76 + slot * 4);
    set(0, [20 + (e % 1021) / 8, 0, -3 + (e % 48) / 8, 1]);
    set(1, [30 + (e % 3001) / 16, 1.5, 0.5, 2]);
    set(9, [120 + (e % 977), -2.2, 2.7, 4]);
    set(10, [50, 3.3, -1.1, 4]);
  }
  for (const row of [5, largeRows - 2]) values[row * 76 + 36] = NaN;
  const ids = BigInt64Array.from({ length: largeRows }, (_, e) => 3n * BigInt(e));
  await writeRaw(file, { Particles: { ...particles(values, largeRows), chunks: [8192, 19, 4] }, EvtId: { data: ids } });
}
