import process from 'node:process';
import { AnomalyClrError, Stopped, StopRequest } from '../errors.js';
import { oneLine } from '../files.js';
import { runTrial } from './run-trial.js';
import { loadStudy } from './studies/index.js';
import type { TrialNews, TrialOrder } from './trial.js';

/** What a trial's process is told: its order once, and perhaps to stop. */
export type TrialRequest = { readonly kind: 'order'; readonly order: TrialOrder } | { readonly kind: 'stop' };

const controller = new AbortController();
const stop = (): void => controller.abort(new StopRequest('SIGTERM'));

function say(news: TrialNews): Promise<void> {
  return new Promise(resolve => {
    if (process.connected && process.send) process.send(news, () => resolve());
    else resolve();
  });
}

async function run(order: TrialOrder): Promise<void> {
  try {
    await runTrial(await loadStudy(order.request.study), order, {
      signal: controller.signal,
      progress: share => void say({ kind: 'progress', share }),
      warn: line => void say({ kind: 'warning', line }),
    });
    await say({ kind: 'done' });
  } catch (error) {
    if (error instanceof Stopped || controller.signal.aborted) await say({ kind: 'stopped' });
    else await say({ kind: 'failed', message: messageOf(error) });
  }
  process.exit(); // threads that libraries keep for the next file would hold it
}

function messageOf(error: unknown): string {
  if (error instanceof AnomalyClrError) return error.message;
  return `unexpected ${error instanceof Error ? `${error.name}: ${oneLine(error.message)}` : oneLine(String(error))}`;
}

// a terminal sends Ctrl-C to all at once; the second one ends the parent, and with it the channel
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
process.on('disconnect', stop);
process.on('message', (request: TrialRequest) => (request.kind === 'stop' ? stop() : void run(request.order)));
