import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { packageRoot } from '../../src/addon.js';

test('the example of docs/tfjs.md trains its own encoder with the native loss', () => {
  const code = /```ts\n([\s\S]*?)```/.exec(readFileSync(path.join(packageRoot(), 'docs', 'tfjs.md'), 'utf8'))?.[1];
  // below the root, so that it finds the package by its name
  const folder = mkdtempSync(path.join(packageRoot(), 'build', 'example-'));
  try {
    writeFileSync(path.join(folder, 'example.mts'), code ?? '');
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ['--import', 'tsx', path.join(folder, 'example.mts')],
      { cwd: packageRoot(), encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
    );
    expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
    const losses = [...stdout.matchAll(/loss (-?[\d.]+)/g)].map(([, loss]) => Number(loss));
    expect(losses).toHaveLength(3);
    expect(losses[2]).toBeLessThan(losses[0] - 1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
