import { UsageError } from '../errors.js';
import { show } from '../files.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** One process of a job of several, as its launcher placed it. */
export interface Launch {
  /** What started it, for messages. */
  readonly launcher: 'torchrun' | 'Open MPI' | 'PMI' | 'Slurm';
  readonly rank: number;
  readonly ranks: number;
  /** Place among the processes of this machine. */
  readonly localRank: number;
  /** How many these are, where the launcher says so. */
  readonly localRanks: number | undefined;
  /** Where rank 0 waits for the others. */
  readonly address: string;
  readonly port: number;
  /** What tells this job from others; the same on all its processes. */
  readonly job: string;
}

const defaultPort = 29_500;
/** Steps of Slurm from here on are a batch script, an interactive shell and the like: nobody else was started. */
const specialStep = 0xffff_ff00;
const mostRanks = 65_536;

/**
 * Where a launcher has placed this process; undefined where it stands alone. torchrun's variables go before those of
 * mpirun, and these before Slurm's, as each may have been started by the next.
 *
 * @throws UsageError where the variables contradict each other or leave something out, in one line
 * @example
 * launchOf({ RANK: '1', WORLD_SIZE: '2', MASTER_ADDR: 'node1', MASTER_PORT: '29500' })?.rank; // 1
 */
export function launchOf(env: Environment): Launch | undefined {
  const launcherOf = [
    ['WORLD_SIZE', torchrun], // a RANK alone is somebody else's
    ['OMPI_COMM_WORLD_SIZE', openMpi],
    ['PMI_SIZE', pmi],
  ] as const;
  const found = (launcherOf.find(([size]) => env[size])?.[1] ?? slurm)(env);
  if (!found) return undefined;
  const { address, launcher, ...place } = found;
  const given = env['MASTER_ADDR'] || address;
  if (!given)
    throw new UsageError(
      `${launcher} started ${found.ranks} ranks on several machines: set MASTER_ADDR on all of them to that of rank 0`,
    );
  return { launcher, ...place, address: given };
}

/** What the launchers have in common before the address is known. */
type Found = Omit<Launch, 'address'> & { readonly address: string | undefined };

function torchrun(env: Environment): Found | undefined {
  const ranks = count(env, 'WORLD_SIZE');
  if (ranks === 1) return undefined;
  const rank = placeIn(env, 'RANK', ranks, 'WORLD_SIZE');
  const localRanks = optionalCount(env, 'LOCAL_WORLD_SIZE');
  // torchrun's agent listens at MASTER_PORT itself
  const shift = env['TORCHELASTIC_USE_AGENT_STORE']?.toLowerCase() === 'true' ? 1 : 0;
  return {
    launcher: 'torchrun',
    rank,
    ranks,
    localRank: env['LOCAL_RANK'] ? placeIn(env, 'LOCAL_RANK', ranks, 'WORLD_SIZE') : localRanks === ranks ? rank : 0,
    localRanks,
    address: localRanks === ranks ? '127.0.0.1' : undefined,
    port: portOf(env, '') + shift,
    job: jobOf(env, ['TORCHELASTIC_RUN_ID', 'TORCHELASTIC_RESTART_COUNT']),
  };
}

function openMpi(env: Environment): Found | undefined {
  const ranks = count(env, 'OMPI_COMM_WORLD_SIZE');
  if (ranks === 1) return undefined;
  const localRanks = optionalCount(env, 'OMPI_COMM_WORLD_LOCAL_SIZE');
  const job = jobOf(env, ['PMIX_NAMESPACE', 'OMPI_MCA_ess_base_jobid']);
  const rank = placeIn(env, 'OMPI_COMM_WORLD_RANK', ranks, 'OMPI_COMM_WORLD_SIZE');
  const local = 'OMPI_COMM_WORLD_LOCAL_RANK';
  return {
    launcher: 'Open MPI',
    rank,
    ranks,
    localRank: env[local] ? placeIn(env, local, localRanks ?? ranks, 'OMPI_COMM_WORLD_LOCAL_SIZE') : 0,
    localRanks,
    address: localRanks === ranks ? '127.0.0.1' : slurmAddress(env),
    port: portOf(env, job),
    job,
  };
}

function pmi(env: Environment): Found | undefined {
  const ranks = count(env, 'PMI_SIZE');
  if (ranks === 1) return undefined;
  const localRanks = optionalCount(env, 'MPI_LOCALNRANKS');
  const job = jobOf(env, ['PMI_JOBID', 'PMI_PORT', 'SLURM_JOB_ID', 'SLURM_STEP_ID']);
  const local = env['MPI_LOCALRANKID'] ? 'MPI_LOCALRANKID' : 'SLURM_LOCALID';
  return {
    launcher: 'PMI',
    rank: placeIn(env, 'PMI_RANK', ranks, 'PMI_SIZE'),
    ranks,
    localRank: env[local] ? placeIn(env, local, ranks, 'PMI_SIZE') : 0,
    localRanks,
    address: localRanks === ranks ? '127.0.0.1' : slurmAddress(env),
    port: portOf(env, job),
    job,
  };
}

/**
 * Only what `srun` started: in a batch script or an allocation's shell SLURM_NTASKS speaks of tasks that nobody has
 * started, and SLURM_PROCID may be 0 too. A job step of several tasks is known by SLURM_STEP_NUM_TASKS and its own number.
 */
function slurm(env: Environment): Found | undefined {
  const step = env['SLURM_STEP_ID'] ?? env['SLURM_STEPID'];
  if (!step || !env['SLURM_STEP_NUM_TASKS'] || !env['SLURM_PROCID']) return undefined;
  if (!(Number(step) < specialStep)) return undefined;
  const ranks = count(env, 'SLURM_STEP_NUM_TASKS');
  if (ranks === 1) return undefined;
  const job = jobOf(env, ['SLURM_JOB_ID', 'SLURM_STEP_ID', 'SLURM_STEPID']);
  return {
    launcher: 'Slurm',
    rank: placeIn(env, 'SLURM_PROCID', ranks, 'SLURM_STEP_NUM_TASKS'),
    ranks,
    localRank: env['SLURM_LOCALID'] ? placeIn(env, 'SLURM_LOCALID', ranks, 'SLURM_STEP_NUM_TASKS') : 0,
    localRanks: slurmLocalRanks(env),
    address: slurmAddress(env),
    port: portOf(env, job),
    job,
  };
}

/** The first node of the step: rank 0 is there, however tasks are dealt out. */
function slurmAddress(env: Environment): string | undefined {
  if (env['SLURM_STEP_NUM_NODES'] === '1') return '127.0.0.1';
  const list = env['SLURM_STEP_NODELIST'] || env['SLURM_JOB_NODELIST'] || env['SLURM_NODELIST'];
  return list ? firstHost(list) : env['SLURM_LAUNCH_NODE_IPADDR'];
}

/** @example firstHost('gpu[003-004,7],login1'); // 'gpu003' */
export function firstHost(list: string): string {
  const end = /,(?![^[]*\])/.exec(list)?.index; // a comma outside of brackets
  return list.slice(0, end).replace(/\[([^\],-]*)[^\]]*\]/g, '$1');
}

/** Of `2(x3),1`, tasks of the nodes in order, those of this one. */
function slurmLocalRanks(env: Environment): number | undefined {
  const node = Number(env['SLURM_NODEID'] ?? NaN);
  let first = 0;
  for (const part of (env['SLURM_STEP_TASKS_PER_NODE'] ?? env['SLURM_TASKS_PER_NODE'] ?? '').split(',')) {
    const match = /^(\d+)(?:\(x(\d+)\))?$/.exec(part);
    if (!match) return undefined;
    first += Number(match[2] ?? 1);
    if (node < first) return Number(match[1]);
  }
  return undefined;
}

function whole(env: Environment, name: string, low: number, high: number, what: string): number {
  const text = env[name];
  const number = Number(text);
  if (text === undefined || text === '') throw new UsageError(`${name} is not set, must be ${what}`);
  if (!/^\d+$/.test(text) || number < low || number > high)
    throw new UsageError(`${name} is ${show(text)}, must be ${what}`);
  return number;
}

const count = (env: Environment, name: string): number =>
  whole(env, name, 1, mostRanks, `a whole number in 1..${mostRanks}; --ranks off trains in this process alone`);
const optionalCount = (env: Environment, name: string): number | undefined =>
  env[name] ? count(env, name) : undefined;
const placeIn = (env: Environment, name: string, ranks: number, size: string): number =>
  whole(env, name, 0, ranks - 1, `in 0..${ranks - 1} as ${size} is ${ranks}; --ranks off trains in this process alone`);

/** MASTER_PORT, or one that follows from the job, so that two jobs on a machine do not meet. */
function portOf(env: Environment, job: string): number {
  if (env['MASTER_PORT']) return whole(env, 'MASTER_PORT', 1, 65_534, 'a port in 1..65534');
  if (job === '') return defaultPort;
  let hash = 2_166_136_261; // FNV-1a
  for (const character of job) hash = Math.imul(hash ^ character.charCodeAt(0), 16_777_619) >>> 0;
  return defaultPort + 1 + (hash % 3000); // below the ports that systems give out by themselves
}

function jobOf(env: Environment, names: readonly string[]): string {
  return [...names, 'ANOMALYCLR_JOB']
    .map(name => env[name])
    .filter(Boolean)
    .join('/');
}

/** Which GPU is this rank's: that of its place on the machine, or the only one that its launcher shows it. */
export function gpuOf({ localRank }: Launch, env: Environment): number {
  const shown = env['CUDA_VISIBLE_DEVICES'];
  return shown && !shown.includes(',') ? 0 : localRank;
}
