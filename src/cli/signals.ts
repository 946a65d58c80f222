import process from 'node:process';
import { AnomalyClrError } from '../errors.js';

const signals = ['SIGINT', 'SIGTERM'] as const;

/**
 * The first SIGINT or SIGTERM asks: the AbortSignal fires, and a command finishes its step and leaves valid files. The
 * second kills.
 *
 * @param say told what will happen at the first signal
 * @returns the signal to watch, and a function that puts things back
 */
export function catchSignals(say: (line: string) => void): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const listener = (name: NodeJS.Signals): void => {
    if (!controller.signal.aborted) {
      say(`anomalyclr: ${name}: stopping after this step; once more to stop at once`);
      controller.abort(new AnomalyClrError(`stopped by ${name}`));
      return;
    }
    release();
    process.kill(process.pid, name); // now with the system's own effect, so that the parent sees how we died
  };
  const release = (): void => {
    for (const name of signals) process.off(name, listener);
  };
  for (const name of signals) process.on(name, listener);
  return { signal: controller.signal, release };
}
