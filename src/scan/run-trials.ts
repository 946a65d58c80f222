import { fork } from 'node:child_process';
import path from 'node:path';
import { packageRoot } from '../addon.js';
import { oneLine } from '../files.js';
import type { TrialNews, TrialOrder } from './trial.js';
import type { TrialRequest } from './trial-process.js';

/** How a trial ended, in words where it failed. */
export type TrialEnd = { readonly kind: 'done' | 'stopped' } | { readonly kind: 'failed'; readonly message: string };

/** A trial under way. */
export interface RunningTrial {
  /** Asks it to stop after its step; `ended` tells when it has. */
  stop(): void;
  readonly ended: Promise<TrialEnd>;
}

/** Starts a trial; `hear` gets its news until it has ended. */
export type StartTrial = (order: TrialOrder, hear: (news: TrialNews) => void) => RunningTrial;

/** A trial to run. Trials of one `run` share its folder, and follow one another. */
export interface QueuedTrial {
  readonly order: TrialOrder;
  readonly run: string;
}

export interface TrialsWatch {
  readonly signal?: AbortSignal | undefined;
  /** How much of all trials is done, in trials. */
  readonly progress?: (done: number) => void;
  /** Of a trial, each line once. */
  readonly warn?: (line: string) => void;
  readonly failed?: (trial: QueuedTrial, message: string) => void;
}

/**
 * Runs trials, `jobs` at once. One that fails is told of, and the others go on; when the signal fires all are asked to
 * stop, and none is begun.
 *
 * @returns the failures, in order
 */
export async function runTrials(
  queue: readonly QueuedTrial[],
  jobs: number,
  watch: TrialsWatch,
  start: StartTrial = startProcess,
): Promise<{ trial: QueuedTrial; message: string }[]> {
  const waiting = [...queue];
  const running = new Map<QueuedTrial, RunningTrial>();
  const shares = new Map<QueuedTrial, number>();
  const failures: { trial: QueuedTrial; message: string }[] = [];
  const said = new Set<string>();
  let ended = 0;
  const tell = (): void => watch.progress?.(ended + [...shares.values()].reduce((a, b) => a + b, 0));
  const stopAll = (): void => running.forEach(one => one.stop());
  watch.signal?.addEventListener('abort', stopAll);

  /** The first whose run no other trial is at. */
  const next = (): QueuedTrial | undefined => {
    const busy = new Set([...running.keys()].map(({ run }) => run));
    const k = waiting.findIndex(({ run }) => !busy.has(run));
    return k < 0 ? undefined : waiting.splice(k, 1)[0];
  };
  const hear = (trial: QueuedTrial, news: TrialNews): void => {
    if (news.kind === 'progress') {
      shares.set(trial, news.share);
      tell();
    } else if (news.kind === 'warning' && !said.has(news.line)) {
      said.add(news.line);
      watch.warn?.(news.line);
    }
  };
  const follow = async (trial: QueuedTrial): Promise<void> => {
    const one = start(trial.order, news => hear(trial, news));
    running.set(trial, one);
    const end = await one.ended;
    running.delete(trial);
    shares.delete(trial);
    ended += 1;
    tell();
    // of those that the signal stopped nobody needs to hear
    if (end.kind === 'done' || watch.signal?.aborted) return;
    const message = end.kind === 'failed' ? end.message : 'was stopped';
    failures.push({ trial, message });
    watch.failed?.(trial, message);
  };
  const work = async (): Promise<void> => {
    for (;;) {
      if (watch.signal?.aborted) return;
      const trial = next();
      if (trial) await follow(trial);
      else if (waiting.length === 0) return;
      else await Promise.race([...running.values()].map(one => one.ended));
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(jobs, queue.length) }, work));
  } finally {
    watch.signal?.removeEventListener('abort', stopAll);
  }
  return failures;
}

/** The compiled program, also where this source runs untranspiled (tests). */
const program = (): string => path.join(packageRoot(), 'dist', 'src', 'scan', 'trial-process.js');

/** Enough of what a crashed process said last. */
const lastWords = 2000;

const startProcess: StartTrial = (order, hear) => {
  const child = fork(program(), [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [] });
  const tell = (request: TrialRequest): void => void (child.connected && child.send(request, () => undefined));
  let end: TrialEnd | undefined;
  let said = '';
  child.stderr?.on('data', (text: Buffer) => (said = `${said}${text.toString()}`.slice(-lastWords)));
  child.on('message', (news: TrialNews) => {
    if (news.kind === 'done' || news.kind === 'failed' || news.kind === 'stopped') end = news;
    else hear(news);
  });
  const ended = new Promise<TrialEnd>(resolve => {
    child.on('error', error => resolve({ kind: 'failed', message: `its process: ${oneLine(error.message)}` }));
    child.on('close', (code, signal) => {
      const last = said.trim().split('\n').at(-1) ?? '';
      const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
      resolve(end ?? { kind: 'failed', message: `its process ${how}${last === '' ? '' : `: ${oneLine(last)}`}` });
    });
  });
  tell({ kind: 'order', order });
  return { stop: () => tell({ kind: 'stop' }), ended };
};
