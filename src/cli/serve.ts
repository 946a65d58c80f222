import process from 'node:process';
import { openBundle } from '../bundle/open.js';
import type { ServeOptions } from '../config/schema.js';
import { openLog } from '../serve/log.js';
import { openServer } from '../serve/server.js';
import type { Context } from './commands.js';

export async function run(options: ServeOptions, { output, signal, version }: Context): Promise<number> {
  const { provider, threads, sessions } = options;
  const log = openLog(options);
  const open = (file: string): ReturnType<typeof openBundle> => openBundle(file, { provider, threads, sessions });
  const server = await openServer(options, { open, version, log });
  const reload = (): void => void server.reload().catch(() => undefined); // it has logged why
  process.on('SIGHUP', reload);
  try {
    output.result(server.url);
    if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
  } finally {
    process.off('SIGHUP', reload);
    await server.stop();
  }
  return 0;
}
