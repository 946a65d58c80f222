import type { TrainOptions } from '../config/schema.js';
import { train } from '../train/run.js';
import type { Context } from './commands.js';

export async function run(options: TrainOptions, { output, progress, signal, version }: Context): Promise<void> {
  await train(options, version, {
    signal,
    progress,
    info: line => output.info(line),
    warn: line => output.warn(line),
  });
}
