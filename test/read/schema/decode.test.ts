import fc from 'fast-check';
import type { BranchInfo, Column } from '../../../src/read/schema/column-file.js';
import { SchemaDecoder } from '../../../src/read/schema/decode.js';
import { parseSchema } from '../../../src/read/schema/schema.js';

const list = (name: string, type = 'float64'): BranchInfo => ({ name, type, list: true });
const one = (name: string, type = 'float64'): BranchInfo => ({ name, type, list: false });

const branches = [
  ...['pt', 'eta', 'phi', 'quality'].map(name => list(name)),
  one('met'),
  one('metPhi'),
  one('run', 'uint64'),
  { name: 'table', type: 'float32', list: true, length: 3, width: 4 },
  { name: 'pair', type: 'float32', list: true, length: 2 },
  one('word', 'text'),
];

/** Lists as a column. */
function ragged(rows: readonly (readonly number[])[]): Column {
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, r) => (offsets[r + 1] = offsets[r] + row.length));
  return { values: Float64Array.from(rows.flat()), offsets };
}

const flat = (...values: number[]): Column => ({ values: Float64Array.from(values) });

function decode(rules: object, columns: Record<string, Column>, rows: number, from = 0) {
  const decoder = new SchemaDecoder(parseSchema(rules, 'test.yaml'), branches, 'file');
  const decoded = decoder.decode(new Map(Object.entries(columns)), from, rows);
  return { ...decoded, report: decoder.report() };
}

const jets = (more: object = {}) => ({ objects: { jet: { pt: 'pt', eta: 'eta', phi: 'phi', ...more } } });
const jet = (pt: number[][], eta = pt.map(row => row.map(() => 0)), phi = eta) => ({
  pt: ragged(pt),
  eta: ragged(eta),
  phi: ragged(phi),
});

describe('rules', () => {
  test('objects fall in pT, and equal ones stay in their order', () => {
    const { batch, report } = decode(
      jets(),
      jet(
        [
          [20, 30, 20, 30],
          [9, 8],
        ],
        [
          [0.1, 0.2, 0.3, 0.4],
          [0, 1],
        ],
      ),
      2,
      100,
    );
    expect([...batch.eta]).toEqual([0.2, 0.4, 0.1, 0.3, 0, 1].map(Math.fround));
    expect([...batch.rows]).toEqual([100, 101]);
    expect(report.reordered).toBe(1);
  });

  test('long lists fall as short ones do', () => {
    const pt = Array.from({ length: 500 }, (_, i) => 1 + ((i * 37) % 100));
    const { batch } = decode(jets({ most: 10 }), jet([pt], [pt.map((_, i) => i / 1000)]), 1);
    const order = pt.map((_, i) => i).toSorted((a, b) => pt[b] - pt[a] || a - b);
    expect([...batch.pt]).toEqual(order.slice(0, 10).map(i => pt[i]));
    expect([...batch.eta]).toEqual(order.slice(0, 10).map(i => Math.fround(i / 1000)));
  });

  test('"order: check" refuses an event that does not fall', () => {
    const { batch, problems } = decode(
      { ...jets(), order: 'check' },
      jet([
        [20, 30],
        [30, 20],
      ]),
      2,
    );
    expect(batch.count).toBe(1);
    expect(problems[0].message).toMatch(/^event 0, jet: pT is 30 GeV, above the 20 GeV before it/);
  });

  test('limits and cuts drop objects, and count them', () => {
    const where = [
      { branch: 'quality', min: 1 },
      { branch: 'quality', not: 5 },
      { branch: 'met', above: 10 },
    ];
    const columns = {
      ...jet([[50, 40, 30, 20, 10], [60]], [[0, 0, 3, 0, 0], [0]]),
      quality: ragged([[1, 5, 1, 0, 1], [1]]),
      met: flat(20, 5),
    };
    const { batch, report } = decode(jets({ where, minPt: 15, maxAbsEta: 2.5 }), columns, 2);
    expect([...batch.pt]).toEqual([50]);
    expect([...batch.offsets]).toEqual([0, 1, 1]);
    expect(report.objects).toEqual([
      {
        kind: 'jet',
        read: 6,
        cuts: [
          { cut: 'quality >= 1', dropped: 1 },
          { cut: 'quality != 5', dropped: 1 },
          { cut: 'met > 10', dropped: 1 },
          { cut: 'pT >= 15 GeV', dropped: 1 },
          { cut: '|eta| <= 2.5', dropped: 1 },
        ],
        beyondMost: 0,
        kept: 1,
      },
    ]);
  });

  test('the leading objects are kept', () => {
    const { batch, report } = decode(jets({ most: 2 }), jet([[10, 40, 20, 30]]), 1);
    expect([...batch.pt]).toEqual([40, 30]);
    expect(report.objects[0]).toMatchObject({ read: 4, kept: 2, beyondMost: 2 });
    expect(decode(jets(), jet([Array.from({ length: 12 }, (_, i) => 30 - i)]), 1).batch.offsets[1]).toBe(10);
  });

  test('rows that fail a cut on events are neither events nor problems, whatever is in them', () => {
    const events = { where: { branch: 'met', min: 10, max: 20 } };
    const rules = { ...jets(), events };
    const { batch, problems, report } = decode(rules, { ...jet([[-1], [-1], [5]]), met: flat(5, NaN, 20) }, 3);
    expect([[...batch.rows], problems, report.cuts]).toEqual([[2], [], [{ cut: 'met >= 10 and <= 20', dropped: 2 }]]);
  });

  test('of several cuts on events one has to hold, on a list for one of its entries', () => {
    const events = {
      where: [
        {
          any: [
            { branch: 'pt', above: 23 },
            { branch: 'met', above: 90 },
          ],
        },
      ],
    };
    const columns = { ...jet([[5, 24], [23], [], [9], [50]]), met: flat(0, 0, 0, 91, 95) };
    const { batch, report } = decode({ ...jets(), events }, columns, 5);
    expect([...batch.rows]).toEqual([0, 3, 4]);
    expect(report.cuts).toEqual([{ cut: 'one of pt > 23, met > 90', dropped: 2 }]);
    expect(report.used.map(({ name }) => name)).toEqual(['pt', 'met', 'eta', 'phi']);
  });

  test.each([
    ['abs', { abs: true, max: 2 }, [-3, -2, 2, 3], [-2, 2]],
    ['in', { in: [1, 4] }, [1, 2, 4], [1, 4]],
    ['equals', { equals: true }, [0, 1, 2], [1]],
    ['not', { not: false }, [0, 1, NaN], [1]],
    ['below', { below: 2 }, [1, 2, Infinity], [1]],
    ['bits', { bits: 6 }, [2, 4, 6, 7, 14], [6, 7, 14]],
  ])('cut %s', (_, condition, values, kept) => {
    const events = { where: { branch: 'met', ...condition } };
    const rules = { events, objects: { met: { pt: { branch: 'metPhi' }, phi: 'metPhi' } } };
    const { batch } = decode(rules, { met: flat(...values), metPhi: flat(...values.map(() => 1)) }, values.length);
    expect(Array.from(batch.rows, row => values[row])).toEqual(kept);
  });

  test('phi is wrapped where the schema says so, else it has to be there', () => {
    const columns = jet([[5]], [[0]], [[6]]);
    expect(decode(jets(), columns, 1).problems[0].message).toBe('event 0, jet 0: phi is 6, expected within ±pi');
    expect(decode({ ...jets(), phi: 'wrap' }, columns, 1).batch.phi[0]).toBe(Math.fround(6 - 2 * Math.PI));
    const edge = decode(jets(), jet([[5]], [[0]], [[3.14165]]), 1);
    expect(edge.batch.phi[0]).toBe(Math.fround(Math.PI));
  });

  test('MeV, factors and differences; a difference of phi is wrapped', () => {
    const rules = {
      data: 'jet',
      unit: 'MeV',
      constituent: {
        pt: { branch: 'pt', times: 'met' },
        eta: { branch: 'eta', minus: 0.5 },
        phi: { branch: 'phi', minus: 'metPhi' },
      },
    };
    const columns = { ...jet([[0.5, 0.25]], [[1, 0]], [[3, -3]]), met: flat(4000), metPhi: flat(-3) };
    const { batch } = decode(rules, columns, 1);
    expect([...batch.pt]).toEqual([2, 1]);
    expect([...batch.eta]).toEqual([0.5, -0.5]);
    expect([...batch.phi]).toEqual([Math.fround(6 - 2 * Math.PI), 0]);
    expect([...batch.kind]).toEqual([5, 5]);
  });

  test('columns of tables and pairs; places that are masked or all zero are no objects', () => {
    const table: Column = {
      values: Float32Array.from([9, 1, 2, 1, 8, 1, 2, 0, 7, 1, 2, 1]),
      offsets: Int32Array.from([0, 3]),
    };
    const column = (c: number) => ({ branch: 'table', column: c });
    const rules = {
      objects: {
        met: { pt: { branch: 'pair', column: 0 }, phi: { branch: 'pair', column: 1 } },
        muon: { pt: column(0), eta: column(1), phi: column(2), mask: column(3) },
      },
    };
    const pair: Column = { values: Float32Array.from([25, 3]), offsets: Int32Array.from([0, 2]) };
    const { batch } = decode(rules, { table, pair }, 1);
    expect([[...batch.pt], [...batch.kind]]).toEqual([
      [25, 9, 7],
      [1, 3, 3],
    ]);
    expect([...decode(jets(), jet([[0, 7, 0]]), 1).batch.pt]).toEqual([7]);
  });

  test('lists of different lengths, and ids that do not fit, make bad events', () => {
    const columns = {
      ...jet([[5, 4], [3]]),
      eta: ragged([[0], [0]]),
      run: { values: BigUint64Array.from([2n ** 63n - 1n, 7n]) },
    };
    const { batch, problems } = decode({ ...jets(), id: 'run' }, columns, 2);
    expect(problems).toEqual([
      { message: 'event 0, jet: eta has 1 entries, its pt 2', row: 0, eventId: 2n ** 63n - 1n },
    ]);
    expect([[...batch.rows], [...(batch.eventIds ?? [])]]).toEqual([[1], [7n]]);
    const large = decode({ ...jets(), id: 'run' }, { ...jet([[5]]), run: { values: BigUint64Array.of(2n ** 63n) } }, 1);
    expect(large.problems[0].message).toMatch(/its id 9223372036854775808 does not fit into int64/);
    for (const values of [Float64Array.of(4, NaN, 6), BigInt64Array.of(4n, -(2n ** 63n), 6n)]) {
      const gaps = decode({ ...jets(), id: 'run' }, { ...jet([[5], [6], [7]]), run: { values } }, 3);
      expect([...(gaps.batch.eventIds ?? [])]).toEqual([4n, 6n]);
      expect(gaps.problems).toEqual([{ message: 'event 1, its id is missing', row: 1, eventId: undefined }]);
    }
  });

  test.each([
    [NaN, 0, 0, 'pT is NaN'],
    [5, Infinity, 0, 'eta is Infinity'],
    [5, 0, NaN, 'phi is NaN'],
    [-5, 0, 0, 'pT is -5 GeV, expected above 0'],
    [1e-60, 0, 0, 'expected above 0'],
    [14000, 0, 0, 'expected below 14000'],
    [5, 10.5, 0, 'eta is 10.5, expected within ±10'],
    [5, 0, 3.2, 'phi is 3.2, expected within ±pi'],
  ])('pT %p, eta %p, phi %p: %s', (pt, eta, phi, message) => {
    const { batch, problems } = decode(jets(), jet([[1], [pt]], [[0], [eta]], [[0], [phi]]), 2);
    expect([...batch.rows]).toEqual([0]);
    expect(problems.map(problem => problem.message)).toEqual([expect.stringContaining(message)]);
  });
});

describe('what a file has to have', () => {
  const refused = (rules: object) => {
    try {
      decode(rules, {}, 0);
    } catch (error) {
      return (error as Error).message;
    }
    return 'taken';
  };

  test.each([
    ['a branch that is not there', jets({ eta: 'etta' }), /file: branch "etta" is not there; the nearest is "eta"/],
    ['text', jets({ eta: 'word' }), /branch "word" holds text, expected numbers/],
    ['a table without its column', jets({ eta: 'table' }), /branch "table" has 4 numbers for each object; say which/],
    ['a column too many', jets({ eta: { branch: 'table', column: 4 } }), /has 4 columns, from 0; 4 is not one/],
    ['a column of lists', jets({ eta: { branch: 'eta', column: 0 } }), /has lists of different lengths/],
    ['a column of a number', jets({ eta: { branch: 'met', column: 0 } }), /has one number for each event/],
    ['an id of floats', { ...jets(), id: 'met' }, /branch "met" holds float64; id takes integers/],
    ['an id of lists', { ...jets(), id: 'pt' }, /has a list per event; id takes one number/],
    [
      'lists in a cut on events',
      { ...jets(), events: { where: { branch: 'pt', min: 1 } } },
      /a cut on events takes one/,
    ],
    [
      'a list beside one pt',
      jets({ pt: 'met' }),
      /jet: branch "eta" has a list per event, and its pt "met" one number/,
    ],
  ])('%s', (_, rules, message) => {
    expect(refused(rules)).toMatch(message);
  });
});

/** Rows of objects with about every tenth number broken. */
const numbers = fc.oneof(
  { weight: 9, arbitrary: fc.double({ min: 0.001, max: 13999, noNaN: true }) },
  { weight: 1, arbitrary: fc.double() },
);
const angles = fc.oneof(
  { weight: 19, arbitrary: fc.double({ min: -3.2, max: 3.2, noNaN: true }) },
  { weight: 1, arbitrary: fc.double() },
);
const object = fc.record({ pt: numbers, eta: angles, phi: angles, quality: fc.integer({ min: 0, max: 3 }) });

test('of any numbers come valid events in order, and nothing is lost uncounted', () => {
  let [valid, bad] = [0, 0];
  fc.assert(
    fc.property(fc.array(fc.array(object, { maxLength: 15 }), { maxLength: 8 }), fc.boolean(), (rows, wrap) => {
      const column = (name: 'pt' | 'eta' | 'phi' | 'quality') => ragged(rows.map(row => row.map(one => one[name])));
      const rules = jets({ where: { branch: 'quality', min: 1 }, minPt: 1, most: 4 });
      const columns = { pt: column('pt'), eta: column('eta'), phi: column('phi'), quality: column('quality') };
      const { batch, problems, report } = decode({ ...rules, phi: wrap ? 'wrap' : 'within' }, columns, rows.length);
      valid += batch.count;
      bad += problems.length;
      expect(new Set([...batch.rows, ...problems.map(problem => problem.row)]).size).toBe(rows.length);
      expect(batch.pt.every(pt => pt >= 1 && pt < 14000)).toBe(true);
      expect(batch.eta.every(eta => Math.abs(eta) <= 10)).toBe(true);
      expect(batch.phi.every(phi => Math.abs(phi) <= Math.fround(Math.PI))).toBe(true);
      for (let e = 0; e < batch.count; e++) {
        const pts = batch.pt.subarray(batch.offsets[e], batch.offsets[e + 1]);
        const all = rows[batch.rows[e]].filter(({ pt, quality }) => quality >= 1 && pt >= 1);
        const falling = all.map(({ pt }) => Math.fround(pt)).toSorted((a, b) => b - a);
        expect([...pts]).toEqual(falling.slice(0, 4));
      }
      const [{ read, kept, beyondMost, cuts }] = report.objects;
      expect(kept).toBe(batch.pt.length);
      expect(read).toBe(kept + beyondMost + cuts.reduce((sum, { dropped }) => sum + dropped, 0));
    }),
    { seed: 8, numRuns: 300 },
  );
  expect(Math.min(valid, bad)).toBeGreaterThan(100);
});
