import { EventBatchBuilder } from '../../src/events/event-batch.js';
import { Kind } from '../../src/events/objects.js';
import { rawFeatureCount, rawFeatures } from '../../src/score/raw-features.js';
import { columnsOf, rowLength, selectColumns } from '../../src/score/representation.js';

describe('raw features', () => {
  const builder = new EventBatchBuilder();
  builder.addObject(50, 0, -Math.PI / 2, Kind.met);
  builder.addObject(30, 2, Math.PI / 4, Kind.electron);
  builder.addObject(20, -1, 0, Kind.muon);
  builder.addObject(10, 1, 0, Kind.muon);
  builder.addObject(200, -4, Math.PI / 2, Kind.jet);
  builder.endEvent(0);
  builder.endEvent(1); // nothing at all
  for (let jet = 0; jet < 12; jet++) builder.addObject(100 - jet, jet / 10, 0, Kind.jet);
  builder.addObject(1, 0, 0, Kind.electron);
  builder.endEvent(2);
  const batch = builder.build();

  /** The slots of an event that are not empty, by number. */
  const slots = (rows: Float32Array, event: number): Record<number, number[]> =>
    Object.fromEntries(
      Array.from({ length: 19 }, (_, s) => {
        const at = event * rawFeatureCount + 3 * s;
        return [s, Array.from(rows.subarray(at, at + 3))] as const;
      }).filter(([, slot]) => slot.some(v => v !== 0)),
    );

  test('linear: pt/100, eta/4, phi/pi in the slots of each kind', () => {
    const rows = rawFeatures(batch, 'linear');
    expect(rows).toHaveLength(3 * 57);
    expect(slots(rows, 0)).toEqual({
      0: [0.5, 0, -0.5],
      1: [expect.closeTo(0.3), 0.5, 0.25],
      5: [expect.closeTo(0.2), -0.25, 0],
      6: [expect.closeTo(0.1), 0.25, 0],
      9: [2, -1, 0.5],
    });
    expect(slots(rows, 1)).toEqual({});
  });

  test('log: log(1 + pt)/log(101), angles as before', () => {
    const rows = rawFeatures(batch, 'log');
    expect(slots(rows, 0)[9]).toEqual([expect.closeTo(Math.log(201) / Math.log(101), 6), -1, 0.5]);
  });

  test('objects past the slots of their kind are left out, and nothing else moves', () => {
    const found = slots(rawFeatures(batch, 'linear'), 2);
    expect(Object.keys(found).map(Number)).toEqual([1, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
    expect(found[18]).toEqual([expect.closeTo(0.91), expect.closeTo(0.225), 0]);
    expect(found[1]).toEqual([expect.closeTo(0.01), 0, 0]);
  });
});

describe('representations', () => {
  const config = {
    features: 7,
    ptFeature: 'log',
    ptScale: 30,
    mask: 'hard',
    width: 4,
    heads: 1,
    layers: 1,
    feedForward: 4,
    output: 3,
    headLayers: 2,
    headNorm: false,
    dropout: 0,
  } as const;

  test('names are columns of a row', () => {
    expect(rowLength(config)).toBe(10);
    expect(columnsOf('pool', config)).toEqual([0, 4]);
    expect(columnsOf('head1', config)).toEqual([4, 7]);
    expect(columnsOf('head2', config)).toEqual([7, 10]);
    expect(columnsOf('last', config)).toEqual([7, 10]);
    expect(columnsOf('last', { ...config, headLayers: 0 })).toEqual([0, 4]);
  });

  test('columns are taken from every row', () => {
    const rows = Float32Array.from({ length: 20 }, (_, i) => i);
    expect(selectColumns(rows, 10, [7, 10])).toEqual(Float32Array.of(7, 8, 9, 17, 18, 19));
    expect(selectColumns(Float64Array.from(rows), 10, [0, 1])).toEqual(Float64Array.of(0, 10));
    expect(selectColumns(rows, 10, [0, 10])).toBe(rows);
  });
});
