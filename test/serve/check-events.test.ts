import fc from 'fast-check';
import { crossedBits } from '../../src/bundle/card.js';
import type { DataKindName } from '../../src/events/data-kinds.js';
import { Kind } from '../../src/events/objects.js';
import { openBundle } from '../../src/bundle/open.js';
import { checkEvents } from '../../src/serve/check-events.js';
import { Refusal } from '../../src/serve/refusal.js';
import { temporaryFolder } from '../read/craft.js';
import { needsRuntime, writeBundle } from '../support/bundle.js';
import { someEvents } from './support.js';

const at = temporaryFolder();
const oddNumber = fc.oneof(
  fc.constantFrom(0, -0, 1, 2, 3, 4, 5, NaN, Infinity, -Infinity, -1, 0.5, 3.4e38, 1e-40),
  fc.float(),
);

const refusal = (objects: Float32Array, slots: number, data?: DataKindName): string | undefined => {
  try {
    checkEvents(objects, slots, data);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(Refusal);
    expect((error as Refusal).status).toBe(400);
    return (error as Refusal).message;
  }
};

test.each([
  [0, NaN, 'event 3, slot 2: pt is NaN'],
  [0, Infinity, 'event 3, slot 2: pt is Infinity'],
  [0, -1, 'event 3, slot 2: pt is -1 GeV, expected above 0'],
  [0, 0, 'event 3, slot 2: pt is 0 GeV, expected above 0'],
  [1, NaN, 'event 3, slot 2: eta is NaN'],
  [2, -Infinity, 'event 3, slot 2: phi is -Infinity'],
  [3, NaN, 'event 3, slot 2: class is NaN'],
  [3, 5, 'event 3, slot 2: class is 5, expected 0 (empty), 1 (met), 2 (electron), 3 (muon), 4 (jet)'],
  [3, 2.5, 'event 3, slot 2: class is 2.5, expected'],
  [3, -1, 'event 3, slot 2: class is -1, expected'],
  [3, 0, 'event 3, slot 2: class is 0 (empty), but pt, eta, phi are 25, 0.5, 1'],
])('number %i as %d is named', (feature, value, message) => {
  const objects = someEvents(5, 4);
  objects[(3 * 4 + 2) * 4 + feature] = value;
  expect(refusal(objects, 4)).toContain(message);
});

test('a model of jets takes constituents alone', () => {
  const { constituent, met, jet } = Kind;
  const jets = Float32Array.of(300, 0.1, 0, constituent, 50, 0, 0.2, constituent, 0, 0, 0, 0);
  expect(refusal(jets, 3, 'jet')).toBeUndefined();
  expect(refusal(jets, 3)).toMatch(/^event 0, slot 0: class is 5, expected 0 \(empty\), 1 \(met\)/);
  for (const kind of [met, jet]) {
    jets[7] = kind;
    expect(refusal(jets, 3, 'jet')).toBe(`event 0, slot 1: class is ${kind}, expected 0 (empty), 5 (constituent)`);
  }
  expect(refusal(Float32Array.of(0, 0, 0, constituent), 1, 'jet')).toBe(
    'event 0, slot 0: pt is 0 GeV, expected above 0',
  );
});

test('the first of several is named; a MET of 0 GeV and an event of empty slots are fine', () => {
  const objects = someEvents(4, 3);
  objects[1 * 12] = NaN;
  objects[2 * 12] = -1;
  expect(refusal(objects, 3)).toBe('event 1, slot 0: pt is NaN');
  expect(refusal(new Float32Array(2 * 3 * 4), 3)).toBeUndefined();
  expect(refusal(Float32Array.of(0, 0, 0, 1), 1)).toBeUndefined();
  expect(refusal(Float32Array.of(-1, 0, 0, 1), 1)).toBe('event 0, slot 0: pt is -1 GeV, expected 0 or more');
});

test('agrees with the rule said slowly', () => {
  fc.assert(
    fc.property(fc.array(oddNumber, { minLength: 4, maxLength: 4 }), values => {
      const [pt, eta, phi, kind] = Float32Array.from(values);
      const good =
        kind === 0
          ? pt === 0 && eta === 0 && phi === 0
          : [1, 2, 3, 4].includes(kind) && [pt, eta, phi].every(Number.isFinite) && (kind === 1 ? pt >= 0 : pt > 0);
      expect(refusal(Float32Array.of(pt, eta, phi, kind), 1) === undefined).toBe(good);
    }),
    { numRuns: 2000 },
  );
});

needsRuntime('refuses just the events to which the graph gives no score', async () => {
  await writeBundle(at('small.onnx'));
  const bundle = await openBundle(at('small.onnx'), { provider: 'cpu', threads: 1, sessions: 1 });
  const change = fc.record({ at: fc.nat(15), to: oddNumber });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 2 }), async changes => {
      const objects = someEvents(1, 4);
      for (const { at: place, to } of changes) objects[place] = to;
      // pT near the end of float32 leaves the numbers that the encoder can be given, though it breaks no rule
      fc.pre(objects.every(x => !(Math.abs(x) > 1e6 && Number.isFinite(x))));
      const { score, crossed } = await bundle.run(objects, 1, 4);
      const invalid = crossed.some(bits => (bits & crossedBits.invalid) !== 0);
      expect([refusal(objects, 4) !== undefined, Number.isNaN(score![0])]).toEqual([invalid, invalid]);
    }),
    { numRuns: 500 },
  );
  await bundle.dispose();
});
