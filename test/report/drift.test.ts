import { DriftAccumulator } from '../../src/evaluate/drift.js';
import { DomainBuilder } from '../../src/events/domain.js';
import { EventBatchBuilder } from '../../src/events/event-batch.js';
import { Kind } from '../../src/events/objects.js';
import { writeDriftReport } from '../../src/report/drift.js';
import { generator } from '../evaluate/random.js';

function events(count: number, seed: number, jetScale = 1) {
  const random = generator(seed);
  const builder = new EventBatchBuilder();
  const angle = () => (2 * random() - 1) * Math.PI;
  for (let e = 0; e < count; e++) {
    builder.addObject(-25 * Math.log(random()), 0, angle(), Kind.met);
    for (let j = 0; j < 1 + 4 * random(); j++)
      builder.addObject(15 - 20 * jetScale * Math.log(random()), 6 * random() - 3, angle(), Kind.jet);
    builder.endEvent(e);
  }
  return builder.build();
}

const domain = () => {
  const builder = new DomainBuilder();
  builder.add(events(5000, 1));
  return builder.build();
};
const hostile = '<script>alert(1)</script>.h5';

function page(count: number, jetScale = 1): string {
  const accumulator = new DriftAccumulator(domain());
  accumulator.add(events(count, 2, jetScale));
  return writeDriftReport({
    model: 'runs/demo',
    version: '0.1.0',
    date: '2026-01-31T12:00:00Z',
    comparisons: [{ file: hostile, skipped: 3, ...accumulator.snapshot() }],
  });
}

test('a page of its own: every feature in table and chart, names escaped, nothing from outside', () => {
  const text = page(3000, 2);
  expect(text).not.toContain('<script');
  expect(text).toContain('&lt;script&gt;alert(1)');
  expect(text).not.toMatch(/(src|href)="(?!#|data:)/);
  expect(text).toMatch(/Changed: jet pT\b.*3000 events, 3 more with problems left out/s);
  const rows = [...text.matchAll(/<th scope="row">([^<]*)<\/th>\s*<td><span class="(\w+)">/g)].map(([, ...row]) => row);
  expect(rows[0]).toEqual(['jet pT', 'changed']);
  expect(rows).toHaveLength(2 + 1 + 3 + 1 + 2 + 1); // MET pT, phi, count; jets; electrons, muons, all
  expect(text.match(/<figure>/g)).toHaveLength(rows.length);
  expect(text).not.toMatch(/NaN|undefined|Infinity/);
});

test('no events, no charts of what is not there', () => {
  const text = page(0);
  expect(text).toContain('too few events to tell');
  expect(text).not.toContain('<figure>');
  expect(text).not.toMatch(/NaN|undefined|Infinity/);
});
