import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { type Aim, type Ended, run, type Start } from './kill.js';

/** One command to be killed, and what must hold of what it writes. */
export interface Command {
  /** What is there before the first start. */
  setUp?(folder: string): void;
  /** As a user types it; `again` where it goes on after it was killed. */
  starts(folder: string, again: boolean): readonly Start[] | Promise<readonly Start[]>;
  /** The folder whose events count; left out, all that is given. */
  watched?(folder: string): string;
  /** Where its work is, from what it has written. */
  phase(folder: string): string;
  /**
   * Right after a kill: throws for a file that is not whole under its name.
   *
   * @returns what is complete now and must not go
   */
  check(folder: string): Promise<readonly string[]>;
  /** What is there in the end, in a form that is equal for equal results; names of leftovers too. */
  result(folder: string): Promise<Record<string, unknown>>;
}

/** Commands that are counted together. */
export interface Kind {
  readonly name: string;
  readonly commands: readonly Command[];
}

/** What became of the kills of a kind. */
export interface Tally {
  readonly kind: string;
  kills: number;
  /** While a temporary was there, that is in the middle of writing. */
  writing: number;
  /** At an event of the file system; the rest by the clock. */
  byEvent: number;
  /** Runs that went to their end after their kills, and were found equal. */
  resumed: number;
  readonly phases: Map<string, number>;
  /** What was lost, and how to see it again. */
  readonly lost: string[];
}

export interface Bounds {
  readonly kills: number;
  readonly seed: number;
  /** Folder for all that is written. */
  readonly folder: string;
  readonly say?: (line: string) => void;
}

/** Uniform in [0, 1): mulberry32. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A command that was never killed: what it leaves, how long it takes. */
interface Whole {
  readonly command: Command;
  readonly result: Record<string, unknown>;
  /** Grows where other work on the machine makes the command slower. */
  ms: number;
  readonly events: number;
  readonly processes: number;
}

/**
 * Kills the commands of a kind at `kills` random moments, two runs at a time, and lets every run go on to its end, with
 * further kills on the way. Half the moments are uniform over the time that the command takes, half are events of the file
 * system, which lie where it writes.
 */
export async function killing(kind: Kind, { kills, seed, folder, say }: Bounds): Promise<Tally> {
  const tally: Tally = { kind: kind.name, kills: 0, writing: 0, byEvent: 0, resumed: 0, phases: new Map(), lost: [] };
  const wholes: Whole[] = [];
  for (const [i, command] of kind.commands.entries())
    wholes.push(await uninterrupted(command, path.join(folder, `${kind.name}-whole-${i}`)));
  let cycle = 0;
  const worker = async (): Promise<void> => {
    while (tally.kills < kills && tally.lost.length < 5) {
      const now = cycle++;
      const place = path.join(folder, `${kind.name}-${now}`);
      const aims: string[] = [];
      try {
        await oneRun(wholes[now % wholes.length], place, generator(seed + 7919 * now), aims, tally);
        tally.resumed += 1;
        rmSync(place, { recursive: true });
      } catch (error) {
        const { message } = error as Error;
        tally.lost.push(`seed ${seed}, ${kind.name}, run ${now} (${place}), killed ${aims.join(', ')}: ${message}`);
      }
      say?.(`${kind.name}: ${tally.kills} kills, ${tally.resumed} runs resumed, ${tally.lost.length} lost`);
    }
  };
  await Promise.all([worker(), worker()]);
  return tally;
}

async function uninterrupted(command: Command, folder: string): Promise<Whole> {
  mkdirSync(folder);
  command.setUp?.(folder);
  const starts = await command.starts(folder, false);
  const { ms, events, finished } = await run(starts, command.watched?.(folder) ?? folder);
  expectWell(finished);
  const result = await command.result(folder);
  await command.check(folder);
  return { command, result, ms, events, processes: starts.length };
}

/** Starts, kills and starts again until the command has come to its end. */
async function oneRun(
  whole: Whole,
  folder: string,
  uniform: () => number,
  aims: string[],
  tally: Tally,
): Promise<void> {
  const { command, result } = whole;
  mkdirSync(folder);
  command.setUp?.(folder);
  const watched = command.watched?.(folder) ?? folder;
  let complete: readonly string[] = [];
  for (let again = false; ; again = true) {
    const aim = again && uniform() < 0.25 ? undefined : draw(uniform, whole);
    const { killed, finished, ms } = await run(await command.starts(folder, again), watched, aim);
    if (!killed || !aim) {
      expectWell(finished);
      whole.ms = Math.max(whole.ms, (whole.ms + ms) / 2);
      break;
    }
    const phase = command.phase(folder);
    tally.kills += 1;
    if (filesIn(folder).some(isTemporary)) tally.writing += 1;
    if ('event' in aim.when) tally.byEvent += 1;
    tally.phases.set(phase, (tally.phases.get(phase) ?? 0) + 1);
    aims.push(`${'ms' in aim.when ? `at ${Math.round(aim.when.ms)} ms` : `at event ${aim.when.event}`} (${phase})`);
    const now = await command.check(folder);
    const gone = complete.filter(name => !now.includes(name));
    if (gone.length > 0) throw new Error(`what was complete is gone: ${gone.join(', ')}`);
    complete = now;
  }
  await command.check(folder);
  expectEqual(await command.result(folder), result);
}

/** Somewhat beyond the end as well: not all runs take as long. */
function draw(uniform: () => number, { ms, events, processes }: Whole): Aim {
  const victim = Math.floor(uniform() * processes);
  if (uniform() < 0.5) return { victim, when: { ms: 1.2 * ms * uniform() }, after: 0 };
  // half of them at once
  return { victim, when: { event: 1 + Math.floor(uniform() * events) }, after: Math.max(0, 4 * uniform() - 2) };
}

function expectWell(finished: Ended['finished']): void {
  for (const { code, signal, stderr } of finished)
    if (code !== 0 || /unexpected/.test(stderr)) throw new Error(`ended with ${code ?? signal}: ${stderr.trim()}`);
}

function expectEqual(got: Record<string, unknown>, want: Record<string, unknown>): void {
  const names = [...new Set([...Object.keys(want), ...Object.keys(got)])];
  const unlike = names.filter(name => got[name] !== want[name]);
  if (unlike.length > 0)
    throw new Error(
      unlike
        .map(name => (!(name in got) ? `${name} is not there` : `${name} is ${name in want ? 'unlike' : 'left over'}`))
        .join(', '),
    );
}

/** Names of all files below a folder, sorted. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => !entry.isDirectory())
    .map(entry => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .toSorted();
}

/** Whether a file, or a folder that it is in, is under a temporary name. */
export const isTemporary = (name: string): boolean => /\.(?:tmp|new|old)(?:\/|$)/.test(name);

/** One line a kind. */
export function table(tallies: readonly Tally[]): string {
  const rows = tallies.map(({ kind, kills, byEvent, writing, resumed, phases, lost }) => [
    kind,
    String(kills),
    String(byEvent),
    String(writing),
    [...phases]
      .toSorted(([, a], [, b]) => b - a)
      .map(([phase, n]) => `${phase} ${n}`)
      .join(', '),
    String(resumed),
    lost.length === 0 ? 'nothing' : `${lost.length}: see below`,
  ]);
  const head = ['what', 'kills', 'at events', 'in a write', 'where', 'runs resumed', 'lost'];
  return [head, head.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |`).join('\n');
}
