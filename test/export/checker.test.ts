import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { agree } from '../../bench/case.js';
import type { Card } from '../../src/bundle/card.js';
import { padEvents } from '../../src/bundle/pad.js';
import { openSession } from '../../src/bundle/session.js';
import { range } from '../../src/events/event-batch.js';
import { buildModel } from '../../src/export/model.js';
import { activationRanges } from '../../src/export/quantise.js';
import { packageRoot } from '../../src/addon.js';
import { runtimeInstalled, smallBundle } from '../support/bundle.js';
import { python } from '../support/python.js';

const checker = python(['-c', 'import onnx.reference']);
if (checker === undefined) console.log('no Python with onnx here: its checker and evaluator are left out');
const needs = runtimeInstalled && checker !== undefined ? test.each : test.skip.each;
const script = path.join(packageRoot(), 'test', 'export', 'onnx_check.py');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'anomalyclr-checker-'));
});
afterAll(() => rm(folder, { recursive: true }));

needs<[Card['precision'], Card['layout'], Card['part']]>([
  ['f32', 'packed', 'scorer'],
  ['f32', 'padded', 'scorer'],
  ['bf16', 'packed', 'scorer'],
  ['f16', 'packed', 'scorer'],
  ['f32', 'packed', 'encoder'],
  ['int8', 'padded', 'scorer'],
])("%s %s %s: ONNX's checker finds no fault, its evaluator the same outputs", async (precision, layout, part) => {
  const { parts, events } = await smallBundle();
  const ranges = precision === 'int8' ? await activationRanges(parts, { layout }, events) : undefined;
  const bytes = buildModel(parts, { part, precision, layout, ...(ranges ? { ranges } : {}) });
  const file = path.join(folder, 'model.onnx');
  await writeFile(file, bytes);
  const some = range(events, 0, 20);
  const { objects, slots } = padEvents(some);
  objects[0] = NaN; // event 0 breaks the rules
  const session = await openSession(bytes, { threads: 1, provider: 'cpu' });
  const dims = [some.count, slots, 4];
  const want = await session.run({ objects: { type: 'float32', dims, data: objects } });
  await session.dispose();
  const feed = path.join(folder, 'objects.json');
  await writeFile(feed, nested(objects, slots));
  const printed = python([script, file, feed, ...(precision === 'int8' ? ['--no-evaluator'] : [])]);
  expect(printed).toBeDefined();
  const got = JSON.parse(printed!.replaceAll('NaN', 'null').replaceAll('Infinity', '1e999')) as Record<
    string,
    number[]
  >;
  expect(Object.keys(got).sort()).toEqual(precision === 'int8' ? [] : Object.keys(want).sort());
  for (const [name, values] of Object.entries(got)) {
    const finite = (list: ArrayLike<number>): Float64Array =>
      Float64Array.from(Array.from(list, x => (Number.isFinite(x) && x !== null ? Number(x) : -1)));
    agree(name, finite(values), finite(want[name].data as Float32Array), precision === 'f16' ? 1e-2 : 1e-4);
  }
});

/** JSON as Python reads it, NaN and all. */
function nested(objects: Float32Array, slots: number): string {
  const rows = Array.from({ length: objects.length / 4 }, (_, s) => `[${objects.subarray(s * 4, s * 4 + 4).join()}]`);
  const events = Array.from(
    { length: rows.length / slots },
    (_, e) => `[${rows.slice(e * slots, (e + 1) * slots).join()}]`,
  );
  return `[${events.join()}]`;
}
