import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EventBatch } from '../../src/events/event-batch.js';
import { Kind, layout, eventKindNames } from '../../src/events/objects.js';
import { readAll } from '../../src/read/index.js';

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../sample');
const sample = async (name: string) => (await readAll([path.join(folder, name)], { onBadEvent: 'fail' })).batch;

test('the sample holds what its README says, within the selection of the layout', async () => {
  const events: Record<string, number> = {};
  for (const name of readdirSync(folder).filter(file => file.endsWith('.h5'))) {
    const batch = await sample(name);
    events[name] = batch.count;
    for (const kind of eventKindNames) {
      const { minPt, maxAbsEta } = layout[kind];
      const outside = batch.pt.findIndex(
        (pt, o) => batch.kind[o] === Kind[kind] && !(pt >= minPt && Math.abs(batch.eta[o]) <= maxAbsEta),
      );
      expect({ name, kind, outside }).toEqual({ name, kind, outside: -1 });
    }
  }
  expect(events).toEqual({
    'background_train.h5': 60000,
    'background_test.h5': 50000,
    'Ato4l.h5': 5000,
    'leptoquark.h5': 5000,
    'hToTauTau.h5': 5000,
    'hChToTauNu.h5': 5000,
  });
});

test('training and test background share no event', async () => {
  const key = (batch: EventBatch, e: number) => batch.pt.subarray(batch.offsets[e], batch.offsets[e + 1]).join();
  const [train, other] = [await sample('background_train.h5'), await sample('background_test.h5')];
  const seen = new Set(Array.from({ length: train.count }, (_, e) => key(train, e)));
  expect(seen.size).toBe(train.count);
  expect(Array.from({ length: other.count }, (_, e) => e).filter(e => seen.has(key(other, e)))).toEqual([]);
});

test('it stays small enough for a repository', () => {
  const bytes = readdirSync(folder).reduce((sum, file) => sum + statSync(path.join(folder, file)).size, 0);
  expect(bytes).toBeLessThan(9.5e6);
});
