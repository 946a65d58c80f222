import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/addon.js';

const targets = readdirSync(path.join(packageRoot(), 'test', 'fuzz', 'readers', 'targets')).map(
  file => path.parse(file).name,
);

/** What scripts/fuzz-readers.cjs --replay does: the kept corpora, with every input that once was a finding, no fuzzer. */
test('what fuzzing has found is read or refused as it should be', () => {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [path.join(packageRoot(), 'scripts', 'fuzz-readers.cjs'), '--replay'],
    { encoding: 'utf8', maxBuffer: 2 ** 26 },
  );
  expect(stdout + stderr).not.toMatch(/Finding|Error/);
  expect(status).toBe(0);
  for (const target of targets) {
    const [, inputs, read, refused] =
      new RegExp(`^${target}: (\\d+) inputs, (\\d+) read, (\\d+) refused`, 'm').exec(stdout) ?? [];
    // a target that met one end alone would look at nothing
    expect({ target, idle: !(Number(inputs) > 3 && Number(read) > 0 && Number(refused) > 0) }).toEqual({
      target,
      idle: false,
    });
  }
}, 300_000);
