import type { BenchOptions } from '../config/schema.js';
import type { Context } from './commands.js';

/** `anomalyclr bench`: the benchmark of bench/, which no other file of src/ knows. */
export async function run(options: BenchOptions, context: Context): Promise<number> {
  const { runBench } = await import('../../bench/command.js');
  return runBench(options, context);
}
