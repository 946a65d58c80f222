import type { ServeOptions } from '../config/schema.js';
import type { Context } from './commands.js';

export async function run(options: ServeOptions, { output }: Context): Promise<void> {
  output.json(options);
}
