import { UsageError } from '../errors.js';
import type { Engine } from './engine.js';
import { nativeEngine } from './native.js';

export type * from './engine.js';

/** The engines there are, best first. */
const engines: Readonly<Record<string, (threads: number) => Engine>> = { native: nativeEngine };

/**
 * Opens an engine by name; `auto` takes the best that works here.
 * @throws AnomalyClrError when it does not work on this machine, saying what is missing
 */
export function openEngine(name: string, threads: number): Engine {
  const open = name === 'auto' ? Object.values(engines)[0] : engines[name];
  if (!open) throw new UsageError(`--engine ${name}: there are ${Object.keys(engines).join(', ')}`);
  return open(threads);
}
