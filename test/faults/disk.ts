import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { packageRoot } from '../../src/addon.js';
import { ending, type Finished } from '../support/cli.js';

/** Whether a file system of one's own can be mounted here; where not, says so once. */
export const canMount =
  process.platform === 'linux' && spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
if (!canMount) console.log('no mount namespace can be had here: tests that need one are left out');
export const needsMount = canMount ? test : test.skip;

/**
 * A tmpfs in a mount namespace of its own, which this process sees below /proc. The commands run inside, where the same
 * files have the names that `inside` gives.
 */
export class SmallDisk {
  private constructor(
    private readonly holder: ChildProcess,
    private readonly folder: string,
  ) {}

  /** @param options - of the mount, such as `size=2m,nr_inodes=40` */
  static async mount(options: string): Promise<SmallDisk> {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'aclr-disk-'));
    const script = `mount -t tmpfs -o ${options} none "${folder}" && echo ready && exec cat`;
    const holder = spawn('unshare', ['-rm', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise<void>((resolve, reject) => {
      holder.stdout?.once('data', () => resolve());
      holder.once('exit', () => reject(new Error('no disk')));
    });
    return new SmallDisk(holder, folder);
  }

  /** A file's name for this process. */
  at(...names: string[]): string {
    return path.join(`/proc/${this.holder.pid}/root`, this.folder, ...names);
  }

  /** A file's name for a command that runs inside. */
  inside(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  get free(): number {
    const { bavail, bsize } = statfsSync(this.at());
    return bavail * bsize;
  }

  /** Leaves `bytes` free, or less by a page. */
  fill(bytes: number): void {
    this.makeRoom();
    writeFileSync(this.at('filler'), Buffer.alloc(Math.max(0, this.free - bytes)));
  }

  makeRoom(): void {
    rmSync(this.at('filler'), { force: true });
  }

  /** Starts a program inside; its working folder is the root. */
  start(
    program: readonly string[],
    env: Record<string, string> = {},
  ): { child: ChildProcess; finished: Promise<Finished> } {
    const enter = ['-t', String(this.holder.pid), '-U', '-m', '--preserve-credentials', '--', ...program];
    const child = spawn('nsenter', enter, {
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return { child, finished: ending(child) };
  }

  /** Runs the command line inside, to its end. */
  cli(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
    return this.start([process.execPath, path.join(packageRoot(), 'bin', 'anomalyclr.mjs'), ...args], env).finished;
  }

  /** A shell command inside, as root. */
  shell(script: string): void {
    const enter = ['-t', String(this.holder.pid), '-U', '-m', '--preserve-credentials', '--', 'sh', '-ec', script];
    const { status, stderr } = spawnSync('nsenter', enter, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${script}: ${stderr}`);
  }

  /** All files, with folders before their names. */
  files(folder = ''): string[] {
    return readdirSync(this.at(folder), { recursive: true, withFileTypes: true })
      .filter(entry => !entry.isDirectory())
      .map(entry => path.join(path.relative(this.at(folder), entry.parentPath), entry.name))
      .filter(name => name !== 'filler')
      .toSorted();
  }

  sizeOf(name: string): number {
    return statSync(this.at(name)).size;
  }

  remove(name: string): void {
    rmSync(this.at(name), { recursive: true, force: true });
  }

  empty(): void {
    for (const name of readdirSync(this.at())) rmSync(this.at(name), { recursive: true });
    mkdirSync(this.at(), { recursive: true });
  }

  async unmount(): Promise<void> {
    const gone = new Promise(resolve => this.holder.once('exit', resolve));
    this.holder.stdin?.end();
    await gone;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
