import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/addon.js';
import { readAll, writeEvents } from '../../src/read/index.js';
import { readScores } from '../../src/score/read-scores.js';
import { temporaryFolder } from '../read/craft.js';
import { sample, smallTraining } from '../support/cli.js';
import { anomalyclr } from './in-process.js';

const at = temporaryFolder();
const example = path.join(packageRoot(), 'sample', 'nanoaod.root');
const schema = ['--schema', 'nanoaod'];

/** Options of a training, without those of another data set or length. */
const tiny = smallTraining.slice(smallTraining.indexOf('--max-events'));

/** The events that the example was made of, in the ADC2021 layout. */
beforeAll(async () => {
  const { batch } = await readAll([sample('background_test')], { onBadEvent: 'fail', maxEvents: 400 });
  await writeEvents(at('same.h5'), [batch]);
});

test('inspect shows what the schema did', async () => {
  const { code, stdout, stderr } = await anomalyclr('inspect', example, ...schema);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/400 events, 400 valid, with EvtId/);
  expect(stdout).toMatch(/schema nanoaod: 400 rows, \d+ events brought into the order of pT/);
  expect(stdout).toMatch(/\d+ dropped: not Electron_cutBased >= 2/);
});

test('a run trained and applied on it is the run of the same events in HDF5', async () => {
  const train = ['train', ...tiny, '--epochs', '1', '--detector-epochs', '1', '--no-comparators', '--out'];
  for (const [run, data] of [
    ['root', [example, ...schema]],
    ['hdf5', [at('same.h5')]],
  ] as const) {
    expect(await anomalyclr(...train, at(run), '--background', ...data)).toMatchObject({ code: 0, stderr: '' });
    const scored = await anomalyclr(
      'score',
      '--model',
      at(run),
      '--data',
      ...data,
      '--out',
      at(`${run}.csv`),
      '--quiet',
    );
    expect(scored).toMatchObject({ code: 0, stderr: '' });
  }
  const [fromRoot, fromHdf5] = await Promise.all(['root.csv', 'hdf5.csv'].map(name => readScores(at(name))));
  expect(fromRoot.score).toEqual(fromHdf5.score);
  expect(fromRoot.inDomain).toEqual(fromHdf5.inDomain);
  expect(fromRoot.eventIds?.[399]).toBe(2n ** 53n + 799n);
});

test('a run is not resumed with a schema that has changed', async () => {
  const text = readFileSync(path.join(packageRoot(), 'schemas', 'nanoaod.yaml'), 'utf8');
  writeFileSync(at('own.yaml'), text);
  const train = ['train', ...tiny, '--epochs', '1', '--no-comparators', '--background', example];
  const own = [...train, '--schema', at('own.yaml'), '--out', at('own')];
  expect(await anomalyclr(...own)).toMatchObject({ code: 0, stderr: '' });
  expect(await anomalyclr(...own, '--resume')).toMatchObject({ code: 0, stderr: '' });
  writeFileSync(at('own.yaml'), text.replace('most: 10', 'most: 9'));
  const { code, stderr } = await anomalyclr(...own, '--resume');
  expect(code).toBe(1);
  expect(stderr).toMatch(/own\.yaml": this schema has changed since .*; a run cannot be resumed on other events\n$/);
});

test('without a schema it is refused in one line that names the option', async () => {
  const { code, stderr } = await anomalyclr('inspect', example);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^anomalyclr: .*nanoaod\.root: needs --schema, [^\n]*\n$/);
});
