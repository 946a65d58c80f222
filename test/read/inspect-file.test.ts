import { formatInspection } from '../../src/events/inspect.js';
import { inspectFile } from '../../src/read/inspect-file.js';
import { paddedEvents, particles, temporaryFolder, writeRaw } from './craft.js';

const at = temporaryFolder();

test('an inspection counts, sums and tells of problems', async () => {
  const events = 100;
  const values = paddedEvents(events);
  for (let e = 0; e < 30; e++) values[e * 76 + 36] = NaN; // bad
  for (let e = 30; e < 44; e++) values.fill(0, e * 76 + 36, (e + 1) * 76); // no jets
  values.fill(0, 44 * 76, 45 * 76); // nothing
  const file = at('inspected.h5');
  await writeRaw(file, { Particles: particles(values), EvtId: { data: new BigInt64Array(events) } });
  const result = await inspectFile(file, { onBadEvent: 'skip' });
  expect(result).toMatchObject({ file, rows: 100, events: 70, hasEventIds: true, empty: 1 });
  expect(result.withoutJets).toBeCloseTo(15 / 70, 12);
  expect(result.kinds.jet.multiplicity.counts).toEqual([15, 0, 55]);
  expect(result.problems.count).toBe(30);
  expect(result.problems.messages).toHaveLength(20);
  expect(result.problems.messages[0]).toBe(`${file}: event 0, slot 9 (jet): pT is NaN`);
  const ht = Array.from({ length: 55 }, (_, i) => values[(45 + i) * 76 + 36] + 50);
  expect(result.ht?.max).toBeCloseTo(Math.max(...ht), 3);
  expect(result.ht?.mean).toBeCloseTo(ht.reduce((a, b) => a + b, 0) / 70, 3);
  expect(result.ht?.quantiles[0]).toBe(0);

  const text = formatInspection(result);
  expect(text).toMatch(/100 events, 70 valid, with EvtId/);
  expect(text).toMatch(/without jets 21.4 %, without any object 1/);
  expect(text).toMatch(/^ {2}jet +1.571 +21.4 % +- +78.6 %/m);
  expect(text).toMatch(/30 events with problems/);
  expect(text).toMatch(/and 10 more$/);
  expect(Math.max(...text.split('\n').map(line => line.length))).toBeLessThan(130);
  await expect(inspectFile(file, { onBadEvent: 'fail' })).rejects.toThrow(/event 0, slot 9/);
});

test('an empty file has nothing to tell', async () => {
  const file = at('empty.h5');
  await writeRaw(file, { Particles: particles(new Float32Array(0), 0) });
  const result = await inspectFile(file, { onBadEvent: 'fail' });
  expect(result).toMatchObject({ rows: 0, events: 0, ht: null, withoutJets: 0 });
  expect(formatInspection(result)).toMatch(/0 events, 0 valid[^]*no problems found$/);
});
