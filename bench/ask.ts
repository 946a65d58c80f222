import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Rates } from './case.js';

/** What one case came to in a process of its own. */
export interface Timed {
  readonly rates: Rates;
  readonly backend: string;
  readonly threads: number;
  readonly peakRssMb: number;
  /** Of the machine's peak, where the case counts operations. */
  readonly share?: number;
}

/** The answer of a child process that checks or times a case by its place; undefined where it had none. */
export async function ask(
  what: 'check' | 'time',
  index: number,
  threads: number,
): Promise<{ problem: string } | Timed | undefined> {
  const child = fork(fileURLToPath(new URL('child.ts', import.meta.url)), [what, String(index), String(threads)]);
  let answer: { problem: string } | Timed | undefined;
  child.on('message', message => (answer = message as { problem: string } | Timed));
  const code = await new Promise<number | null>(resolve => child.on('close', resolve));
  return code === 0 ? answer : { problem: `its process ended with ${code ?? 'a signal'}` };
}
