import { copyFileSync, writeFileSync } from 'node:fs';
import type { FileInspection } from '../../src/read/inspect-file.js';
import { temporaryFolder } from '../read/craft.js';
import { expected, fixture } from '../read/schema/fixtures.js';
import { anomalyclr } from './in-process.js';

const at = temporaryFolder();
const schema = at('schema.yaml');

beforeAll(() => {
  const kind = (name: string) => `pt: ${name}_pt, eta: ${name}_eta, phi: ${name}_phi`;
  writeFileSync(
    schema,
    `id: event
phi: wrap
events: { where: { branch: HLT_any, equals: true } }
objects:
  met: { pt: MET_pt, phi: MET_phi }
  muon: { ${kind('Muon')}, where: { branch: Muon_tight, min: 1 }, minPt: 5, maxAbsEta: 2.1 }
  jet: { ${kind('Jet')}, minPt: 15, maxAbsEta: 2.5 }
`,
  );
  for (const file of ['flat.arrow', 'flat.parquet', 'zstd.feather']) copyFileSync(fixture(file), at(file));
  writeFileSync(at('list.txt'), '# all of them\nflat.*\nzstd.feather\n');
});

const kept = (code: number) => expected.events.kind.filter(one => one === code).length;

test('files of several containers in a list, by one schema: what it did, as JSON', async () => {
  const { code, stdout, stderr } = await anomalyclr('inspect', `@${at('list.txt')}`, '--schema', schema, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const results = JSON.parse(stdout) as FileInspection[];
  expect(results.map(({ file }) => file)).toEqual(['flat.arrow', 'flat.parquet', 'zstd.feather'].map(at));
  for (const { rows, events, hasEventIds, kinds, problems, schema: report } of results) {
    expect({ rows, events, hasEventIds, problems }).toEqual({
      rows: 16,
      events: expected.events.rows.length,
      hasEventIds: true,
      problems: { count: 0, messages: [] },
    });
    expect([kinds.met, kinds.muon, kinds.jet].map(({ objects }) => objects)).toEqual([1, 3, 4].map(kept));
    expect(report).toMatchObject({ schema: 'schema', rows: 16, unused: ['Jet_tight', 'label'] });
    expect(report?.cuts).toEqual([{ cut: 'HLT_any = 1', dropped: 16 - events }]);
    for (const { read, cuts, beyondMost, kept } of report?.objects ?? [])
      expect(read).toBe(cuts.reduce((sum, { dropped }) => sum + dropped, beyondMost + kept));
    expect(report?.used).toContainEqual({ name: 'event', type: 'int64', list: false });
  }
});

test('and in words; jets in their own', async () => {
  const { stdout } = await anomalyclr('inspect', at('flat.parquet'), '--schema', schema);
  expect(stdout).toMatch(/^ {2}schema schema: 16 rows, \d+ events brought into the order of pT$/m);
  expect(stdout).toMatch(new RegExp(`^ {4}jet: \\d+ read, ${kept(4)} kept$`, 'm'));
  expect(stdout).toMatch(/^ {6}\d+ dropped: not \|eta\| <= 2\.1$/m);
  const jets = await anomalyclr('inspect', fixture('jetnet.h5'), '--schema', 'jetnet');
  expect(jets.stdout).toMatch(/12 jets, 12 valid/);
  expect(jets.stdout).toMatch(/constituent: 191 read, 191 kept/);
});

test('mistakes are told in one line', async () => {
  const told = async (...argv: string[]) => {
    const { code, stderr } = await anomalyclr('inspect', ...argv);
    return `${code} ${stderr}`;
  };
  expect(await told(at('flat.parquet'))).toMatch(/^1 anomalyclr: .*needs --schema, which says.*\n$/);
  expect(await told(at('flat.parquet'), '--schema', 'jetnet')).toMatch(/^1 .*"particle_features" is not there; .*\n$/);
  expect(await told(at('*.root'), '--schema', schema)).toMatch(/^2 .*no file matches .*\n$/);
  expect(await told(at('flat.*'), at('flat.arrow'), '--schema', schema)).toMatch(/^2 .*flat\.arrow comes twice.*\n$/);
});
