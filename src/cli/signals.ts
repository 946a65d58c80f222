import process from 'node:process';
import { StopRequest } from '../errors.js';

const signals = ['SIGINT', 'SIGTERM'] as const;

/**
 * The first SIGINT or SIGTERM asks: the AbortSignal fires, and a command finishes its step and leaves valid files. A
 * SIGINT after that kills. A SIGTERM does not: launchers pass on what the batch system has sent to every process too, and
 * SIGKILL follows where it is meant.
 *
 * @param say told what will happen at the first signal
 * @returns the signal to watch, whose reason is a StopRequest, and a function that puts things back
 */
export function catchSignals(say: (line: string) => void): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const listener = (name: (typeof signals)[number]): void => {
    if (!controller.signal.aborted) {
      say(`anomalyclr: ${name}: stopping after this step; Ctrl-C (SIGINT) to stop at once`);
      controller.abort(new StopRequest(name));
    } else if (name === 'SIGINT') {
      release();
      process.kill(process.pid, name); // now with the system's own effect, so that the parent sees how we died
    }
  };
  const release = (): void => {
    for (const name of signals) process.off(name, listener);
  };
  for (const name of signals) process.on(name, listener);
  return { signal: controller.signal, release };
}
