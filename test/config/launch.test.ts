import { firstHost, gpuOf, launchOf } from '../../src/config/launch.js';
import { UsageError } from '../../src/errors.js';

const torchrun = {
  RANK: '3', WORLD_SIZE: '8', LOCAL_RANK: '1', LOCAL_WORLD_SIZE: '2', MASTER_ADDR: 'node1', MASTER_PORT: '29600',
  TORCHELASTIC_RUN_ID: 'a7', TORCHELASTIC_RESTART_COUNT: '0',
}; // prettier-ignore
const openMpi = {
  OMPI_COMM_WORLD_RANK: '2', OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_LOCAL_RANK: '2', OMPI_COMM_WORLD_LOCAL_SIZE: '4',
  PMIX_NAMESPACE: 'prterun-node1-4711@1',
}; // prettier-ignore
const batchScript = {
  SLURM_JOB_ID: '77', SLURM_NTASKS: '8', SLURM_NPROCS: '8', SLURM_PROCID: '0', SLURM_LOCALID: '0', SLURM_NODEID: '0',
  SLURM_JOB_NODELIST: 'gpu[003-006]', SLURM_TASKS_PER_NODE: '2(x4)', SLURM_LAUNCH_NODE_IPADDR: '10.0.0.3',
}; // prettier-ignore
const srun = {
  ...batchScript, SLURM_PROCID: '5', SLURM_LOCALID: '1', SLURM_NODEID: '2', SLURM_STEP_ID: '0', SLURM_STEP_NUM_TASKS: '8',
  SLURM_STEP_NUM_NODES: '4', SLURM_STEP_NODELIST: 'gpu[003-006]', SLURM_STEP_TASKS_PER_NODE: '2(x4)',
}; // prettier-ignore

function refusal(env: Record<string, string>): string {
  try {
    launchOf(env);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).not.toContain('\n');
    return (error as Error).message;
  }
  throw new Error('was not refused');
}

describe('where a launcher has placed this process', () => {
  test('torchrun says it all', () => {
    expect(launchOf(torchrun)).toEqual({
      launcher: 'torchrun', rank: 3, ranks: 8, localRank: 1, localRanks: 2, address: 'node1', port: 29_600, job: 'a7/0',
    }); // prettier-ignore
  });

  test('where its agent listens at MASTER_PORT, the next port is ours', () => {
    expect(launchOf({ ...torchrun, TORCHELASTIC_USE_AGENT_STORE: 'True' })?.port).toBe(29_601);
    expect(launchOf({ ...torchrun, TORCHELASTIC_USE_AGENT_STORE: 'False' })?.port).toBe(29_600);
  });

  test('four variables are enough', () => {
    const found = launchOf({ RANK: '1', WORLD_SIZE: '2', MASTER_ADDR: '127.0.0.1', MASTER_PORT: '5000' });
    expect(found).toMatchObject({ rank: 1, ranks: 2, localRank: 0, address: '127.0.0.1', port: 5000, job: '' });
  });

  test('Open MPI on one machine needs no address; its job makes the port', () => {
    const found = launchOf(openMpi);
    expect(found).toMatchObject({ launcher: 'Open MPI', rank: 2, ranks: 4, localRank: 2, localRanks: 4 });
    expect(found).toMatchObject({ address: '127.0.0.1', job: 'prterun-node1-4711@1' });
    expect(launchOf({ ...openMpi, OMPI_COMM_WORLD_RANK: '3' })?.port).toBe(found?.port);
    const other = launchOf({ ...openMpi, PMIX_NAMESPACE: 'prterun-node1-4712@1' });
    expect(other?.port).not.toBe(found?.port);
    for (const one of [found, other]) {
      expect(one?.port).toBeGreaterThan(29_500);
      expect(one?.port).toBeLessThan(32_768);
    }
  });

  test('Open MPI on several asks for MASTER_ADDR, or takes the first node of Slurm', () => {
    const several = { ...openMpi, OMPI_COMM_WORLD_LOCAL_SIZE: '2', OMPI_COMM_WORLD_LOCAL_RANK: '0' };
    expect(refusal(several)).toMatch(/Open MPI started 4 ranks on several machines: set MASTER_ADDR/);
    expect(launchOf({ ...several, MASTER_ADDR: 'node9' })?.address).toBe('node9');
    expect(launchOf({ ...several, ...batchScript })).toMatchObject({ launcher: 'Open MPI', address: 'gpu003' });
  });

  test('PMI', () => {
    const env = { PMI_RANK: '1', PMI_SIZE: '2', MPI_LOCALRANKID: '1', MPI_LOCALNRANKS: '2' };
    expect(launchOf(env)).toMatchObject({ launcher: 'PMI', rank: 1, ranks: 2, localRank: 1, address: '127.0.0.1' });
    expect(launchOf({ ...srun, PMI_RANK: '5', PMI_SIZE: '8' })).toMatchObject({
      launcher: 'PMI',
      localRank: 1,
      address: 'gpu003',
    });
  });

  test('srun', () => {
    const found = launchOf(srun);
    expect(found).toMatchObject({
      launcher: 'Slurm',
      rank: 5,
      ranks: 8,
      localRank: 1,
      localRanks: 2,
      address: 'gpu003',
    });
    expect(found?.job).toBe('77/0');
    expect(launchOf({ ...srun, SLURM_STEP_NUM_NODES: '1' })?.address).toBe('127.0.0.1');
    expect(launchOf({ ...srun, SLURM_STEP_NODELIST: '', SLURM_JOB_NODELIST: '' })?.address).toBe('10.0.0.3');
    expect(launchOf({ ...srun, SLURM_STEP_TASKS_PER_NODE: '1,3(x2),1' })?.localRanks).toBe(3);
    expect(launchOf({ ...srun, SLURM_STEP_TASKS_PER_NODE: 'what' })?.localRanks).toBeUndefined();
  });

  test.each([
    ['nothing', {}],
    ['a batch script of eight tasks that nobody has started', batchScript],
    [
      'the same where its step has a number',
      { ...batchScript, SLURM_STEP_ID: '4294967294', SLURM_STEP_NUM_TASKS: '8' },
    ],
    ['an interactive step', { ...batchScript, SLURM_STEP_ID: '4294967290', SLURM_STEP_NUM_TASKS: '1' }],
    ['a step of one task', { ...srun, SLURM_STEP_NUM_TASKS: '1', SLURM_PROCID: '0' }],
    ['one rank of torchrun', { RANK: '0', WORLD_SIZE: '1' }],
    ['one rank of mpirun within a job of several', { ...srun, OMPI_COMM_WORLD_SIZE: '1', OMPI_COMM_WORLD_RANK: '0' }],
    ["somebody else's RANK", { RANK: 'colonel' }],
    ['empty values', { RANK: '', WORLD_SIZE: '', PMI_SIZE: '', OMPI_COMM_WORLD_SIZE: '' }],
  ])('%s is a process of its own', (_, env: Record<string, string>) => {
    expect(launchOf(env)).toBeUndefined();
  });

  test('torchrun goes before Open MPI, and that before Slurm', () => {
    expect(launchOf({ ...srun, ...openMpi, ...torchrun })?.launcher).toBe('torchrun');
    expect(launchOf({ ...srun, ...openMpi })?.launcher).toBe('Open MPI');
  });

  test.each([
    [{ ...torchrun, WORLD_SIZE: 'many' }, 'WORLD_SIZE is "many", must be a whole number in 1..65536'],
    [{ ...torchrun, WORLD_SIZE: '0' }, 'WORLD_SIZE is "0"'],
    [{ ...torchrun, RANK: '8' }, 'RANK is "8", must be in 0..7 as WORLD_SIZE is 8; --ranks off'],
    [{ ...torchrun, RANK: '-1' }, 'RANK is "-1"'],
    [{ ...torchrun, RANK: '1.5' }, 'RANK is "1.5"'],
    [{ ...torchrun, RANK: '' }, 'RANK is not set, must be in 0..7'],
    [{ ...torchrun, LOCAL_RANK: 'x' }, 'LOCAL_RANK is "x"'],
    [{ ...torchrun, MASTER_PORT: '99999' }, 'MASTER_PORT is "99999", must be a port in 1..65534'],
    [{ ...torchrun, MASTER_ADDR: '' }, 'torchrun started 8 ranks on several machines: set MASTER_ADDR'],
    [{ ...openMpi, OMPI_COMM_WORLD_RANK: '4' }, 'OMPI_COMM_WORLD_RANK is "4"'],
    [{ ...srun, SLURM_PROCID: '8' }, 'SLURM_PROCID is "8", must be in 0..7 as SLURM_STEP_NUM_TASKS is 8'],
  ])('a wrong value is told by name %#', (env, words) => {
    expect(refusal(env)).toContain(words);
  });
});

test.each([
  ['node1', 'node1'],
  ['node1,node2', 'node1'],
  ['gpu[003-004,7],login1', 'gpu003'],
  ['gpu[9,11]', 'gpu9'],
  ['rack[2-3]node[05-06]', 'rack2node05'],
  ['a[1-2].site.org,b', 'a1.site.org'],
])('the first host of %s is %s', (list, host) => {
  expect(firstHost(list)).toBe(host);
});

test("a rank's GPU is that of its place, or the only one it is shown", () => {
  const launch = launchOf(torchrun);
  expect(launch && [gpuOf(launch, {}), gpuOf(launch, { CUDA_VISIBLE_DEVICES: '4,5' })]).toEqual([1, 1]);
  expect(launch && gpuOf(launch, { CUDA_VISIBLE_DEVICES: '5' })).toBe(0);
});
