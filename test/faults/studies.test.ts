import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { temporaryFolder } from '../read/craft.js';
import { cli, sample, start } from '../support/cli.js';
import { needsMount, SmallDisk } from './disk.js';
import { studyArgs, studyContents } from './kill-studies.js';

// A study is many processes: what becomes of it when one of them dies, when all are told to stop, when a file changes under
// them and when the disk is full. That all are killed at once is in kills.test.ts, folders to read from in read-only.test.ts.

const at = temporaryFolder();
const inputs = { background: sample('background_train'), test: sample('background_test'), signal: at('signal.h5') };
let want: Record<string, string>;

beforeAll(async () => {
  copyFileSync(sample('hChToTauNu'), inputs.signal);
  expect(await cli(studyArgs(inputs, at('whole')))).toMatchObject({ code: 0, stderr: '' });
  want = await studyContents(at('whole'));
});

/** Waits until `there` holds, or the process has ended. */
async function until(child: { exitCode: number | null }, there: () => boolean): Promise<void> {
  while (child.exitCode === null && !there()) await new Promise(resolve => setTimeout(resolve, 2));
}

const filesOf = (study: string): string[] =>
  existsSync(study) ? (readdirSync(study, { recursive: true }) as string[]) : [];

/** Processes that a process has started. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(name => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false; // it has ended
      }
    })
    .map(Number);
}

/** The same command again comes to what an undisturbed one does. */
async function goesOn(study: string): Promise<void> {
  expect(await cli(studyArgs(inputs, study))).toMatchObject({ code: 0, stderr: '' });
  expect(await studyContents(study)).toEqual(want);
}

test.each([
  ['before a trial', (study: string) => existsSync(study)],
  ['in trainings', (study: string) => filesOf(study).some(name => name.includes('checkpoint/encoder'))],
  ['after a trial', (study: string) => filesOf(study).some(name => name.endsWith('trial.json'))],
])('a study that SIGTERM stops %s says how to go on and exits 0; it comes to the same', async (when, there) => {
  const study = at(when.replaceAll(' ', '-'));
  const { child, finished } = start(studyArgs(inputs, study));
  await until(child, () => there(study));
  child.kill('SIGTERM');
  const { code, signal, stdout, stderr } = await finished;
  expect([code, signal, stdout]).toEqual([0, null, '']);
  expect(stderr).toMatch(
    /^anomalyclr: SIGTERM: stopping [^\n]*\nanomalyclr: stopped with \d trials to go; the same command goes on [^\n]*\n$/,
  );
  expect(filesOf(study).filter(name => name.endsWith('comparison.json'))).toEqual([]);
  await goesOn(study);
});

(process.platform === 'linux' ? test : test.skip)(
  'a trial whose process dies, as for want of memory, is named; the others are kept, and the same command makes it',
  async () => {
    const study = at('dies');
    const { child, finished } = start(studyArgs(inputs, study));
    await until(child, () => filesOf(study).some(name => name.includes('checkpoint/encoder')));
    const [victim] = childrenOf(child.pid ?? 0);
    process.kill(victim, 'SIGKILL');
    const { code, stdout, stderr } = await finished;
    expect(code).toBe(1);
    expect(stdout).toMatch(/\*\*Missing:\*\* \S+, seed 1: its process was ended by SIGKILL\n/);
    expect(stderr).toMatch(
      /^anomalyclr: warning: 1 trials failed: \S+ \(seed 1\); its process was ended by SIGKILL; the same command tries again\n$/,
    );
    expect(filesOf(study).filter(name => name.endsWith('trial.json'))).toHaveLength(2);
    await goesOn(study);
  },
);

test('an event file that is removed or replaced on the way: one line, and nothing of both', async () => {
  const signal = at('other.h5');
  copyFileSync(inputs.signal, signal);
  const study = at('changed');
  const args = studyArgs({ ...inputs, signal }, study);
  const changed = async (change: () => void): Promise<string> => {
    const { child, finished } = start(args);
    await until(child, () => filesOf(study).some(name => name.includes('checkpoint/encoder')));
    change();
    const { code, stderr } = await finished;
    expect(code).toBe(1);
    return stderr;
  };
  expect(await changed(() => rmSync(signal))).toMatch(
    /^anomalyclr: no trial is there to show: [^\n]*other\.h5[^\n]*\n$/,
  );
  copyFileSync(inputs.signal, signal);
  rmSync(path.join(study, 'runs'), { recursive: true });
  expect(await changed(() => copyFileSync(sample('hToTauTau'), signal))).toMatch(
    /^anomalyclr: [^\n]*(changed|no trial)[^\n]*\n$/,
  );
  copyFileSync(inputs.signal, signal);
  expect(await cli(args)).toMatchObject({ code: 0, stderr: '' });
  const figures = (of: string): unknown =>
    (JSON.parse(readFileSync(path.join(of, 'comparison.json'), 'utf8')) as Record<string, unknown>)['figures'];
  expect(figures(study)).toEqual(figures(at('whole')));
});

needsMount('disk full: again and again a little more room, to the same trials', async () => {
  const disk = await SmallDisk.mount('size=6m');
  try {
    const total = filesOf(at('whole')).reduce((sum, name) => sum + statSync(at(`whole/${name}`)).size, 0);
    const args = studyArgs(inputs, disk.inside('study'));
    let failed = 0;
    for (let i = 0; i < 4; i++) {
      const used = disk.files().reduce((sum, name) => sum + disk.sizeOf(name), 0);
      disk.fill(Math.max(0, (total * i) / 4 - used));
      const { code, stdout, stderr } = await disk.cli(args);
      if (code === 0) break;
      failed += 1;
      expect([code, stdout + stderr]).toEqual([1, expect.stringMatching(/no space left on the disk/)]);
      expect(stdout + stderr).not.toMatch(/unexpected/);
    }
    expect(failed).toBeGreaterThan(1);
    disk.makeRoom();
    expect(await disk.cli(args)).toMatchObject({ code: 0, stderr: '' });
    expect(await studyContents(disk.at('study'))).toEqual(want);
  } finally {
    await disk.unmount();
  }
});
