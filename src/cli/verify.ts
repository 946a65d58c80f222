import type { VerifyOptions } from '../config/schema.js';
import type { Context } from './commands.js';

export async function run(options: VerifyOptions, { output }: Context): Promise<void> {
  output.json(options);
}
