import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { EventBatch } from '../../../src/events/event-batch.js';
import { type EventSchema, loadSchema, parseSchema } from '../../../src/read/schema/schema.js';

export const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

/** Events as Python understood them, floats by the bits of float32. */
interface Expected {
  readonly rows: number[];
  readonly counts: number[];
  readonly kind: number[];
  readonly pt: number[];
  readonly eta: number[];
  readonly phi: number[];
  readonly ids?: string[];
}
export const expected = JSON.parse(readFileSync(fixture('expected.json'), 'utf8')) as Record<
  'jets' | 'events',
  Expected
>;

/** A batch in the same form. */
export function plain(batch: EventBatch): Expected {
  const bits = (values: Float32Array) => [...new Uint32Array(values.slice().buffer)];
  return {
    rows: [...batch.rows],
    counts: Array.from({ length: batch.count }, (_, e) => batch.offsets[e + 1] - batch.offsets[e]),
    kind: [...batch.kind],
    pt: bits(batch.pt),
    eta: bits(batch.eta),
    phi: bits(batch.phi),
    ...(batch.eventIds ? { ids: Array.from(batch.eventIds, String) } : {}),
  };
}

/** The schema of the fixtures, of branches named by `name`: `Muon_pt`, or `Muon.pt`. */
export function schemaOf(separator: '_' | '.', more: object = {}): EventSchema {
  const kind = (name: string) =>
    Object.fromEntries(['pt', 'eta', 'phi'].map(feature => [feature, `${name}${separator}${feature}`]));
  const { eta: _, ...met } = kind('MET');
  return parseSchema(
    {
      name: 'fixture',
      id: 'event',
      phi: 'wrap',
      events: { where: { branch: 'HLT_any', equals: true } },
      objects: {
        met,
        muon: { ...kind('Muon'), where: { branch: `Muon${separator}tight`, min: 1 }, minPt: 5, maxAbsEta: 2.1 },
        jet: { ...kind('Jet'), minPt: 15, maxAbsEta: 2.5 },
      },
      ...more,
    },
    'fixture.yaml',
  );
}

/** MET as one array of two columns. */
function padded(): EventSchema {
  const met = { pt: { branch: 'MET', column: 0 }, phi: { branch: 'MET', column: 1 } };
  const { objects, ...rest } = schemaOf('_');
  return { ...rest, objects: objects.map(rule => (rule.kind === 'met' ? { ...rule, ...met } : rule)) };
}

/** Each file that Python wrote, with the schema that it is read by. */
export const files: readonly { file: string; schema: () => Promise<EventSchema>; holds: 'jets' | 'events' }[] = [
  {
    file: 'jetnet.h5',
    schema: async () => {
      const schema = await loadSchema('jetnet');
      if (!schema) throw new Error('jetnet is not shipped');
      return schema;
    },
    holds: 'jets',
  },
  ...['flat.parquet', 'pages.parquet', 'flat.arrow', 'stream.arrows', 'lz4.feather', 'zstd.feather'].map(file => ({
    file,
    schema: () => Promise.resolve(schemaOf('_')),
    holds: 'events' as const,
  })),
  ...['records.parquet', 'records.feather'].map(file => ({
    file,
    schema: () => Promise.resolve(schemaOf('.')),
    holds: 'events' as const,
  })),
  { file: 'lists.h5', schema: () => Promise.resolve(schemaOf('_', { group: 'ntuple/events' })), holds: 'events' },
  ...['stored.npz', 'packed.npz'].map(file => ({
    file,
    schema: () => Promise.resolve(padded()),
    holds: 'events' as const,
  })),
];
