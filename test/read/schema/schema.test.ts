import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { UsageError } from '../../../src/errors.js';
import { readingOf } from '../../../src/read/reading.js';
import { branchesOf, loadSchema, parseSchema, shippedSchemas } from '../../../src/read/schema/schema.js';

const met = { pt: 'MET_pt', phi: 'MET_phi' };
const muon = { pt: 'pt', eta: 'eta', phi: 'phi' };

function refused(value: unknown): string {
  try {
    parseSchema(value, 'x.yaml');
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  return 'taken';
}

test.each([
  [{ objcts: {} }, 'x.yaml: unknown key "objcts"; the nearest valid name is "objects"'],
  [{ objects: { electon: muon } }, 'x.yaml: objects: unknown key "electon"; the nearest valid name is "electron"'],
  [{ objects: { met: { ...met, eta: 'e' } } }, /objects\.met: unknown key "eta"/],
  [{ objects: { muon: { ...muon, maxEta: 2 } } }, /objects\.muon: unknown key "maxEta"; .* "maxAbsEta"/],
  [{ objects: { muon: { ...muon, pt: { brnch: 'pt' } } } }, /objects\.muon\.pt: unknown key "brnch"; .* "branch"/],
  [{ objects: { muon: { ...muon, pt: { branch: 'a', times: { colum: 1 } } } } }, /pt\.times: unknown key "colum"/],
  [{ objects: { muon: { ...muon, where: [{ branch: 'a', mn: 1 }] } } }, /where\.0: unknown key "mn"; .* "min"/],
  [{ objects: { muon: { ...muon, where: { branch: 'a' } } } }, /where\.0: a cut needs one of min, max/],
  [{ objects: { met }, events: { wher: [] } }, /events: unknown key "wher"; .* "where"/],
  [{ objects: { met }, events: { where: { min: 2 } } }, /where\.0: a cut needs "branch", or "any" alone/],
  [{ objects: { met }, events: { where: { any: [{ branch: 'a', min: 1 }], max: 2 } } }, /"any" has a list of cuts and/],
  [{ objects: { met }, events: { where: { any: [{ branch: 'a' }] } } }, /where\.0\.any\.0: a cut needs one of/],
  [{ objects: { met }, events: { where: { branch: 'a' } } }, /where\.0: a cut needs one of min, max/],
  [{ objects: { met }, events: { where: { branch: 'a', mn: 1 } } }, /where\.0: unknown key "mn"; .* "min"/],
  [{ objects: { met: { pt: 'a' } } }, /objects\.met\.phi: expected the name of a branch/],
  [{ objects: { muon: { ...muon, most: 5 } } }, /objects\.muon\.most: too big.*<=4, got 5/],
  [{ objects: { met }, unit: 'gev' }, /unit: .*"GeV"\|"MeV", got "gev"/],
  [{ objects: {} }, /objects: name one kind of object or more/],
  [{ objects: { met }, data: 'jet' }, /"data: jet" has "constituent" in its place/],
  [{ constituent: muon }, /objects: "data: event" needs it/],
  [{ objects: { met }, tree: 'a', group: 'b' }, /give one of tree, group, table/],
  [null, /expected object/],
  ['text', /expected object/],
])('%j', (value, message) => {
  const text = refused(value);
  expect(text).toMatch(message);
  expect(text).not.toContain('\n');
});

test('defaults are filled in, and the branches known', () => {
  const schema = parseSchema(
    {
      tree: 'Events',
      id: { branch: 'ids', column: 1 },
      order: 'check',
      events: { where: { branch: 'n', equals: true } },
      objects: { jet: { ...muon, order: 'sort', pt: { branch: 'pt', times: 'scale', minus: 2 } }, met },
    },
    'some/of.yaml',
  );
  expect(schema).toMatchObject({ name: 'of', data: 'event', table: 'Events', unit: 'GeV', phi: 'within' });
  expect(schema.objects.map(({ kind, code, most, order }) => [kind, code, most, order])).toEqual([
    ['met', 1, 1, 'check'],
    ['jet', 4, 10, 'sort'],
  ]);
  expect(branchesOf(schema)).toEqual(['ids', 'n', 'MET_pt', 'MET_phi', 'pt', 'scale', 'eta', 'phi']);
});

test('every schema that ships is one', async () => {
  expect(shippedSchemas()).toContain('jetnet');
  for (const name of shippedSchemas()) expect((await loadSchema(name))?.name).toBe(name);
});

test('a schema by name or file, as the option gives it', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'schema-'));
  const file = path.join(folder, 'mine.yaml');
  await writeFile(file, 'objects: { met: { pt: a, phi: b } }\n');
  const reading = (schema?: string) => readingOf({ onBadEvent: 'fail', schema, cache: false }, { write: false });
  expect((await reading(file)).schema?.name).toBe('mine');
  expect((await reading('jetnet')).schema?.data).toBe('jet');
  expect(await reading('adc2021')).toEqual({ onBadEvent: 'fail', seen: expect.anything() });
  await expect(reading('jetnt')).rejects.toThrow(
    'schema "jetnt": none of that name is shipped; the nearest is "jetnet"',
  );
  await writeFile(file, 'objects: { met: { pt: a\n');
  await expect(reading(file)).rejects.toThrow(/mine\.yaml: not valid YAML/);
  await rm(folder, { recursive: true });
});

test('every example of the documentation is a schema', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'schema-'));
  const text = await readFile('docs/formats.md', 'utf8');
  const examples = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml]) => yaml);
  expect(examples.length).toBeGreaterThan(3);
  for (const [k, yaml] of examples.entries()) {
    const file = path.join(folder, `${k}.yaml`);
    await writeFile(file, yaml);
    expect((await loadSchema(file))?.objects.length).toBeGreaterThan(0);
  }
  await rm(folder, { recursive: true });
});
