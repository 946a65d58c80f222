import type { ExportOptions } from '../config/schema.js';
import type { Context } from './commands.js';

export async function run(options: ExportOptions, { output }: Context): Promise<void> {
  output.json(options);
}
