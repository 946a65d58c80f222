import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../../src/addon.js';
import { type EventSchema, parseSchema } from '../../../src/read/schema/schema.js';

const folders = ['test/fuzz/readers/bases', 'test/read/fixtures', 'test/read/fixtures/ttree', 'sample'];

/** Path of a valid file that inputs are changes of. */
export function basePath(name: string): string {
  const places = [...folders, 'test/read/fixtures/ttree/root-written'].map(folder =>
    path.join(packageRoot(), folder, name),
  );
  const found = places.find(place => existsSync(place));
  if (found === undefined) throw new Error(`no base ${name}; tsx test/fuzz/readers/make-bases.ts makes them`);
  return found;
}

export const readBase = (name: string): Buffer => readFileSync(basePath(name));

const features = (name: string, separator: '_' | '.', names = ['pt', 'eta', 'phi']): Record<string, string> =>
  Object.fromEntries(names.map(feature => [feature, `${name}${separator}${feature}`]));

/** The schema of the files in test/read/fixtures, whose branches are named `Muon_pt` or `Muon.pt`. */
export function fixtureSchema(separator: '_' | '.', more: object = {}): EventSchema {
  const schema = {
    name: 'fixture',
    id: 'event',
    phi: 'wrap',
    events: { where: { branch: 'HLT_any', equals: true } },
    objects: {
      met: features('MET', separator, ['pt', 'phi']),
      muon: {
        ...features('Muon', separator),
        where: { branch: `Muon${separator}tight`, min: 1 },
        minPt: 5,
        maxAbsEta: 2.1,
      },
      jet: { ...features('Jet', separator), minPt: 15, maxAbsEta: 2.5 },
    },
    ...more,
  };
  return parseSchema(schema, 'fixture.yaml');
}

/** The same with MET as one array of two columns. */
export function paddedSchema(): EventSchema {
  const { objects, ...rest } = fixtureSchema('_');
  const met = { pt: { branch: 'MET', column: 0 }, phi: { branch: 'MET', column: 1 } };
  return { ...rest, objects: objects.map(rule => (rule.kind === 'met' ? { ...rule, ...met } : rule)) };
}
