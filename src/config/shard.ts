import { UsageError } from '../errors.js';
import { oneLine, readText, show } from '../files.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** The `index`-th of `of` equal parts of some rows, counted from 1. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

const most = 1_000_000;
const byHand = 'say which with --shard i/n';

/** The shard as it is written and read: `3/8`. */
export const shardText = ({ index, of }: Shard): string => `${index}/${of}`;

/**
 * The shard that `--shard` asks for: `i/n`, or `auto` for the place that a batch system gave this job.
 *
 * `auto` takes `ANOMALYCLR_SHARD` (i/n) where it is set, else the place in a Slurm array or in an HTCondor submission.
 *
 * @throws UsageError in one line: not of this form, out of range, or `auto` where nothing or two things tell the place
 * @example
 * await shardOf('3/8', process.env); // { index: 3, of: 8 }
 */
export async function shardOf(text: string, env: Environment): Promise<Shard> {
  if (text !== 'auto') return parseShard(text, '--shard');
  if (env['ANOMALYCLR_SHARD']) return parseShard(env['ANOMALYCLR_SHARD'], 'ANOMALYCLR_SHARD');
  const [slurm, condor] = [slurmShard(env), await condorShard(env)];
  if (slurm && condor && shardText(slurm) !== shardText(condor))
    throw new UsageError(
      `--shard auto: Slurm says ${shardText(slurm)} and HTCondor says ${shardText(condor)}; ${byHand}`,
    );
  const found = slurm ?? condor;
  if (!found)
    throw new UsageError(
      `--shard auto: this is no job of a Slurm array (SLURM_ARRAY_TASK_ID) or of HTCondor (_CONDOR_JOB_AD); ${byHand}`,
    );
  return found;
}

/** The rows of a shard among `total`: every row is of one shard, and no two shards differ by more than one row. */
export function shardRows({ index, of }: Shard, total: number): { from: number; to: number } {
  const edge = (i: number) => Number((BigInt(i) * BigInt(total)) / BigInt(of)); // i * total may pass 2^53
  return { from: edge(index - 1), to: edge(index) };
}

/** @param where - the option or variable that holds it, for messages */
export function parseShard(text: string, where: string): Shard {
  const [, first, second] = /^\s*(\d{1,16})\s*\/\s*(\d{1,16})\s*$/.exec(text) ?? [];
  if (first === undefined)
    throw new UsageError(`${where}: got ${show(text)}, allowed: i/n such as 3/8, counted from 1, or auto`);
  const [index, of] = [Number(first), Number(second)];
  if (of < 1 || of > most) throw new UsageError(`${where}: ${of} shards, allowed: 1 to ${most}`);
  if (index < 1 || index > of)
    throw new UsageError(`${where}: there is no shard ${index} of ${of}; they count from 1 to ${of}`);
  return { index, of };
}

/** An array with `--array=first-last[:step]`: the variables tell its ends, and an array with gaps does not fit them. */
function slurmShard(env: Environment): Shard | undefined {
  if (!env['SLURM_ARRAY_TASK_ID']) return undefined;
  const task = numberIn(env, 'SLURM_ARRAY_TASK_ID');
  const first = numberIn(env, 'SLURM_ARRAY_TASK_MIN');
  const of = numberIn(env, 'SLURM_ARRAY_TASK_COUNT');
  const step = env['SLURM_ARRAY_TASK_STEP'] ? numberIn(env, 'SLURM_ARRAY_TASK_STEP') : 1;
  const index = (task - first) / step + 1;
  const last = env['SLURM_ARRAY_TASK_MAX'] ? numberIn(env, 'SLURM_ARRAY_TASK_MAX') : first + (of - 1) * step;
  // --array=0-7:3 ends at 6, and Slurm may call either the last
  const fits = Math.floor((last - first) / step) + 1 === of;
  if (!Number.isInteger(index) || index < 1 || index > of || !fits)
    throw new UsageError(
      `--shard auto: task ${task} of a Slurm array of ${of} from ${first} to ${last} in steps of ${step}: ` +
        `such an array has gaps; ${byHand}`,
    );
  return { index, of };
}

function numberIn(env: Environment, name: string): number {
  const text = env[name] ?? '';
  if (!/^\d{1,15}$/.test(text))
    throw new UsageError(`--shard auto: ${name} is ${show(text)}, not a whole number; ${byHand}`);
  return Number(text);
}

/** HTCondor writes the job's ad into the file that _CONDOR_JOB_AD names, one `Name = value` a line. */
async function condorShard(env: Environment): Promise<Shard | undefined> {
  const file = env['_CONDOR_JOB_AD'];
  if (!file) return undefined;
  const ad = await readText(file).catch((error: unknown) => {
    throw new UsageError(`--shard auto: _CONDOR_JOB_AD: ${oneLine((error as Error).message)}; ${byHand}`);
  });
  const value = (name: string): number => {
    const found = new RegExp(`^\\s*${name}\\s*=\\s*(\\d{1,15})\\s*$`, 'im').exec(ad);
    if (!found)
      throw new UsageError(`--shard auto: ${file} tells no ${name}; ${byHand}, such as $(Process) + 1 of queue`);
    return Number(found[1]);
  };
  const [process, of] = [value('ProcId'), value('TotalSubmitProcs')];
  if (process >= of)
    throw new UsageError(`--shard auto: ${file} tells ProcId ${process} of TotalSubmitProcs ${of}; ${byHand}`);
  return { index: process + 1, of };
}
