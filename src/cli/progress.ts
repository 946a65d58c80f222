import cliProgress from 'cli-progress';
import type { Sink } from './output.js';

/** Shown only on what takes longer than this, s. */
const patience = 2;
/** Between two lines where there is no terminal, s. */
const lineInterval = 10;

export interface ProgressOptions {
  /** What is being done, such as `train`. */
  readonly label: string;
  /** Amount of work, in `unit`. */
  readonly total: number;
  /** What is counted, such as `events`. */
  readonly unit: string;
}

export interface Progress {
  /** @param done work done so far, in units of the total */
  update(done: number): void;
  /** Ends the display; may be called twice. */
  stop(): void;
}

/**
 * Shows how far a piece of work is, with rate and time left: a bar on a terminal, a line now and then elsewhere, nothing
 * within the first two seconds or under `quiet`.
 *
 * @param now clock, ms
 * @example
 * const progress = createProgress({ label: 'train', total: steps, unit: 'steps' }, process.stderr, false);
 * progress.update(10);
 * progress.stop();
 */
export function createProgress(
  options: ProgressOptions,
  stream: Sink,
  quiet: boolean,
  now: () => number = () => performance.now(),
): Progress {
  if (quiet) return { update: () => undefined, stop: () => undefined };
  const { label, total, unit } = options;
  const start = now();
  const seconds = (): number => (now() - start) / 1000;
  const rate = (done: number): number => done / Math.max(seconds(), 1e-3);
  const left = (done: number): string => (done > 0 ? formatDuration((total - done) / rate(done)) : '?');
  return stream.isTTY ? bar() : lines();

  function bar(): Progress {
    let shown: cliProgress.SingleBar | undefined;
    return {
      update(done) {
        const figures = { rate: formatRate(rate(done)), left: left(done) };
        if (shown) shown.update(done, figures);
        else if (seconds() > patience) {
          shown = new cliProgress.SingleBar({
            format: `${label} {bar} {percentage} % | {value}/{total} ${unit} | {rate} ${unit}/s | {left} left`,
            stream: stream as NodeJS.WriteStream,
            hideCursor: true,
            barsize: 24,
            barCompleteChar: '#',
            barIncompleteChar: '.',
          });
          shown.start(total, done, figures);
        }
      },
      stop() {
        shown?.stop();
        shown = undefined;
      },
    };
  }

  function lines(): Progress {
    let last = 0;
    let done = 0;
    let open = true;
    return {
      update(value) {
        done = value;
        if (!open || seconds() - last < lineInterval) return;
        last = seconds();
        const percent = Math.floor((100 * done) / Math.max(total, 1));
        const figures = `${formatRate(rate(done))} ${unit}/s, ${left(done)} left`;
        stream.write(`${label}: ${done}/${total} ${unit} (${percent} %), ${figures}\n`);
      },
      stop() {
        if (open && seconds() > patience)
          stream.write(`${label}: ${done}/${total} ${unit} in ${formatDuration(seconds())}\n`);
        open = false;
      },
    };
  }
}

/** Three figures at most below a thousand, whole numbers above. */
function formatRate(perSecond: number): string {
  return perSecond >= 100 ? String(Math.round(perSecond)) : perSecond.toPrecision(2);
}

/** Seconds as `42 s`, `3 min 5 s` or `2 h 10 min`. */
export function formatDuration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}
