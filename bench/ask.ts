import { fork } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Rates } from './report-types.js';
import type { Subject } from './subjects.js';

/** What a process of its own is asked: whether a subject works here, or to check or time a case on it. */
export type Request =
  | { readonly what: 'probe'; readonly subject: Subject; readonly threads: number }
  | ({ readonly what: 'check' | 'time'; readonly seconds: number } & CaseAt);

export interface CaseAt {
  readonly name: string;
  readonly model: string;
  readonly batch: number;
  readonly subject: Subject;
  readonly threads: number;
}

/** What one case came to in a process of its own. */
export interface Timed {
  readonly rates: Rates;
  readonly backend: string;
  readonly threads: number;
  readonly peakRssMb: number;
  readonly deviceMb?: number;
  /** Of the machine's peak, where the case counts operations. */
  readonly share?: number;
}

/** What a subject is, where it works. */
export interface Works {
  readonly describe: string;
}

export interface Answers {
  readonly probe: Works;
  readonly check: { readonly checked: boolean };
  readonly time: Timed;
}

/** What went wrong in a child process, in a line. */
export interface Problem {
  readonly problem: string;
}

/** The answer of a child process to a request. */
export async function ask<W extends Request['what']>(
  request: Request & { readonly what: W },
  signal?: AbortSignal,
): Promise<Answers[W] | Problem> {
  const self = fileURLToPath(import.meta.url);
  const fromSources = path.extname(self) === '.ts';
  const file = path.join(path.dirname(self), `child${path.extname(self)}`);
  const loader = () => pathToFileURL(createRequire(self).resolve('tsx')).href;
  const child = fork(file, [JSON.stringify(request)], {
    execArgv: fromSources ? ['--import', loader()] : [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let answer: Answers[W] | Problem | undefined;
  let said = '';
  child.on('message', message => (answer = message as typeof answer));
  child.stderr?.on('data', (part: Buffer) => (said = (said + part.toString()).slice(-2000)));
  const kill = (): void => void child.kill();
  signal?.addEventListener('abort', kill);
  const [code, by] = await new Promise<[number | null, string | null]>(resolve =>
    child.on('close', (...how) => resolve(how)),
  );
  signal?.removeEventListener('abort', kill);
  if (code === 0 && answer) return answer;
  const last = said
    .trim()
    .split('\n')
    .findLast(line => /\S/.test(line));
  return { problem: `its process ended with ${code ?? by}${last === undefined ? '' : ` (${last.trim()})`}` };
}

/** Whether an answer tells of a failure. */
export const failed = (answer: object): answer is Problem => 'problem' in answer;
