import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { shardOf, shardRows, shardText } from '../../src/config/shard.js';
import { UsageError } from '../../src/errors.js';
import { temporaryFolder } from '../read/craft.js';

const at = temporaryFolder();

test.each([
  ['3/8', { index: 3, of: 8 }],
  ['1/1', { index: 1, of: 1 }],
  [' 8 / 8 ', { index: 8, of: 8 }],
  ['0001/1000000', { index: 1, of: 1_000_000 }],
])('%j is a shard', async (text, shard) => {
  expect(await shardOf(text, {})).toEqual(shard);
  expect(await shardOf('auto', { ANOMALYCLR_SHARD: text, SLURM_ARRAY_TASK_ID: 'x' })).toEqual(shard);
});

test.each([
  ['0/8', '--shard: there is no shard 0 of 8; they count from 1 to 8'],
  ['9/8', '--shard: there is no shard 9 of 8; they count from 1 to 8'],
  ['1/0', '--shard: 0 shards, allowed: 1 to 1000000'],
  ['1/1000001', '--shard: 1000001 shards, allowed: 1 to 1000000'],
  ['-1/8', '--shard: got "-1/8", allowed: i/n such as 3/8, counted from 1, or auto'],
  ['1.5/8', '--shard: got "1.5/8", allowed: i/n such as 3/8, counted from 1, or auto'],
  ['3', '--shard: got "3", allowed: i/n such as 3/8, counted from 1, or auto'],
  ['', '--shard: got "", allowed: i/n such as 3/8, counted from 1, or auto'],
  ['Auto', '--shard: got "Auto", allowed: i/n such as 3/8, counted from 1, or auto'],
  ['3/8/2', '--shard: got "3/8/2", allowed: i/n such as 3/8, counted from 1, or auto'],
])('%j is none', async (text, message) => {
  await expect(shardOf(text, {})).rejects.toThrow(UsageError);
  await expect(shardOf(text, {})).rejects.toThrow(message);
});

test('the shards of any rows are all of them, once, in order, of like size', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 52 }), fc.integer({ min: 1, max: 300 }), (total, of) => {
      let end = 0;
      for (let index = 1; index <= of; index++) {
        const { from, to } = shardRows({ index, of }, total);
        expect(from).toBe(end);
        expect([Math.floor(total / of), Math.ceil(total / of)]).toContain(to - from);
        end = to;
      }
      expect(end).toBe(total);
    }),
    { seed: 3 },
  );
});

/** What Slurm sets in a task of an array. */
const array = (task: number, first: number, last: number, count: number, step = 1) => ({
  SLURM_ARRAY_TASK_ID: `${task}`,
  SLURM_ARRAY_TASK_MIN: `${first}`,
  SLURM_ARRAY_TASK_MAX: `${last}`,
  SLURM_ARRAY_TASK_COUNT: `${count}`,
  SLURM_ARRAY_TASK_STEP: `${step}`,
});

test.each([
  ['--array=0-7', array(0, 0, 7, 8), '1/8'],
  ['--array=1-8', array(8, 1, 8, 8), '8/8'],
  ['--array=0-7:3', array(6, 0, 6, 3, 3), '3/3'],
  ['--array=0-7:3, its end as it was given', array(3, 0, 7, 3, 3), '2/3'],
  ['--array=10', array(10, 10, 10, 1), '1/1'],
])('auto under Slurm, %s', async (_, env, shard) => {
  expect(shardText(await shardOf('auto', env))).toBe(shard);
});

test.each([
  ['a list with gaps', array(7, 1, 7, 3), /task 7 of a Slurm array of 3 from 1 to 7 .* has gaps; say which/],
  ['the first of such a list', array(1, 1, 7, 3), /task 1 of a Slurm array of 3 from 1 to 7/],
  ['a task between steps', array(4, 0, 6, 3, 3), /task 4 of a Slurm array/],
  ['no count', { SLURM_ARRAY_TASK_ID: '1', SLURM_ARRAY_TASK_MIN: '1' }, /SLURM_ARRAY_TASK_COUNT is "", not a whole/],
  [
    'nonsense',
    { ...array(1, 1, 2, 2), SLURM_ARRAY_TASK_ID: 'one' },
    /SLURM_ARRAY_TASK_ID is "one", not a whole number/,
  ],
  ['nothing', {}, /this is no job of a Slurm array .* or of HTCondor .*; say which with --shard i\/n$/],
  ['a variable of our own', { ANOMALYCLR_SHARD: '5/4' }, /ANOMALYCLR_SHARD: there is no shard 5 of 4/],
])('auto with %s is told in one line', async (_, env, message) => {
  await expect(shardOf('auto', env)).rejects.toThrow(UsageError);
  await expect(shardOf('auto', env)).rejects.toThrow(message);
});

describe('auto under HTCondor', () => {
  const ad = (text: string) => {
    writeFileSync(at('job.ad'), text);
    return { _CONDOR_JOB_AD: at('job.ad') };
  };
  const lines = 'ClusterId = 77\nMyProcId = 9\nProcId = 4\nTotalSubmitProcs = 12\nCmd = "run.sh"\n';

  test('the ad tells', async () => {
    expect(await shardOf('auto', ad(lines))).toEqual({ index: 5, of: 12 });
    expect(await shardOf('auto', ad(lines.replaceAll('\n', '\r\n')))).toEqual({ index: 5, of: 12 });
  });

  test('what it lacks or contradicts is told', async () => {
    await expect(shardOf('auto', ad('ProcId = 4\n'))).rejects.toThrow(/job\.ad tells no TotalSubmitProcs; say which/);
    await expect(shardOf('auto', ad(lines.replace('= 12', '= 4')))).rejects.toThrow(
      /job\.ad tells ProcId 4 of TotalSubmitProcs 4; say which/,
    );
    await expect(shardOf('auto', { _CONDOR_JOB_AD: at('gone.ad') })).rejects.toThrow(/gone\.ad: no such file; say/);
  });

  test('inside a job of Slurm both must say the same', async () => {
    expect(await shardOf('auto', { ...ad(lines), ...array(4, 0, 11, 12) })).toEqual({ index: 5, of: 12 });
    await expect(shardOf('auto', { ...ad(lines), ...array(0, 0, 1, 2) })).rejects.toThrow(
      '--shard auto: Slurm says 1/2 and HTCondor says 5/12; say which with --shard i/n',
    );
  });
});
