import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/addon.js';
import { openEvents } from '../../src/read/index.js';
import { loadSchema } from '../../src/read/schema/schema.js';
import { basePath, fixtureSchema, paddedSchema } from './readers/bases.js';
import { outcomes } from './readers/oracle.js';

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

/** Of each corpus so many inputs go through the threads of the product, where a refusal costs a tenth of a second. */
const throughThreads = 16;

const whole = {
  hdf5: [{ file: 'adc-plain.h5', schema: undefined }],
  root: [{ file: 'nanoaod.root', schema: await loadSchema('nanoaod') }],
  columns: [
    { file: 'flat.parquet', schema: fixtureSchema('_') },
    { file: 'flat.arrow', schema: fixtureSchema('_') },
    { file: 'stored.npz', schema: paddedSchema() },
  ],
};

async function readWhole(target: keyof typeof whole) {
  const read: unknown[] = [];
  for (const { file, schema } of whole[target]) {
    const source = await openEvents(basePath(file), { schema });
    read.push(await source.read(0, source.events));
    await source.close();
  }
  return read;
}

test.each(['hdf5', 'root', 'columns'] as const)(
  '%s in threads of their own, as the product reads them; the next file is read right',
  async target => {
    const { fuzz } = (await import(`./readers/targets/${target}.js`)) as { fuzz: (data: Buffer) => Promise<void> };
    const folder = path.join(packageRoot(), 'test', 'fuzz', 'corpus', 'readers', target);
    const names = readdirSync(folder).toSorted();
    const step = Math.max(1, Math.floor(names.length / throughThreads));
    const before = await readWhole(target);
    Object.assign(outcomes, { read: 0, refused: 0 });
    for (let i = 0; i < names.length; i += step) await fuzz(readFileSync(path.join(folder, names[i])));
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(0);
    expect(await readWhole(target)).toEqual(before);
  },
  300_000,
);
