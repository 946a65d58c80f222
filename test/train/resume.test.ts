import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cli, smallTraining, start } from '../support/cli.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'aclr-resume-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (...parts: string[]): string => path.join(folder, ...parts);

const results = [
  'encoder.safetensors',
  'autoencoder.safetensors',
  'domain.json',
  'metrics.jsonl',
  'comparators/raw-autoencoder.safetensors',
  'comparators/untrained-autoencoder.safetensors',
];
function fingerprints(run: string): Record<string, string> {
  return Object.fromEntries(
    results.map(name => [
      name,
      createHash('sha256')
        .update(readFileSync(at(run, name)))
        .digest('hex'),
    ]),
  );
}

/** Steps that a run has logged. */
function steps(run: string): number {
  const file = at(run, 'metrics.jsonl');
  return existsSync(file) ? (readFileSync(file, 'utf8').match(/"kind":"step"/g) ?? []).length : 0;
}

describe('a run that is stopped', () => {
  beforeAll(async () => {
    const { code, stderr } = await cli(['train', ...smallTraining, '--out', at('whole'), '--threads', '1']);
    expect([code, stderr]).toEqual([0, '']);
  });

  test('two threads give what one gives, bit for bit', async () => {
    expect((await cli(['train', ...smallTraining, '--out', at('two'), '--threads', '2'])).code).toBe(0);
    expect(fingerprints('two')).toEqual(fingerprints('whole'));
  });

  test('Ctrl-C leaves a checkpoint, says how to go on, and exits 1', async () => {
    const { child, finished } = start(['train', ...smallTraining, '--epochs', '40', '--out', at('stopped')]);
    while (child.exitCode === null && steps('stopped') < 5) await new Promise(resolve => setTimeout(resolve, 2));
    child.kill('SIGINT');
    const { code, stderr } = await finished;
    expect(code).toBe(1);
    expect(stderr).toMatch(/stopped after step \d+; the same command with --resume goes on/);
    expect(existsSync(at('stopped', 'checkpoint', 'encoder.safetensors'))).toBe(true);
  });

  test('a complete run resumes to itself', async () => {
    const before = fingerprints('whole');
    expect((await cli(['train', ...smallTraining, '--out', at('whole'), '--resume'])).code).toBe(0);
    expect(fingerprints('whole')).toEqual(before);
  });

  test('another option or a folder in use is refused by name', async () => {
    const other = await cli(['train', ...smallTraining, '--out', at('whole'), '--resume', '--temperature', '0.2']);
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('temperature = 0.1, now 0.2')]);
    const used = await cli(['train', ...smallTraining, '--out', at('whole')]);
    expect([used.code, used.stderr]).toEqual([2, expect.stringContaining('already holds something')]);
  });

  test('a damaged checkpoint gives one line and exit 1', async () => {
    const { child, finished } = start(['train', ...smallTraining, '--out', at('damaged')]);
    while (child.exitCode === null && steps('damaged') < 10) await new Promise(resolve => setTimeout(resolve, 2));
    child.kill('SIGKILL');
    await finished;
    const file = at('damaged', 'checkpoint', 'encoder.safetensors');
    const { writeFileSync } = await import('node:fs');
    writeFileSync(file, readFileSync(file).subarray(0, 1000));
    const { code, stderr } = await cli(['train', ...smallTraining, '--out', at('damaged'), '--resume']);
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toEqual([expect.stringContaining('encoder.safetensors')]);
  });
});
