import type { Bundle, BundleOutputs } from '../../src/bundle/bundle.js';
import { openBundle } from '../../src/bundle/open.js';
import { openEngine, type Engine } from '../../src/engine/index.js';
import { AnomalyClrError } from '../../src/errors.js';
import type { EventBatch } from '../../src/events/event-batch.js';
import { checkBundle, openCheckEngine, type CheckEngine } from '../../src/export/check.js';
import { readAll } from '../../src/read/index.js';
import { loadRun } from '../../src/score/load-run.js';
import { temporaryFolder } from '../read/craft.js';
import { anomalyclr } from '../cli/in-process.js';
import { needsRuntime, runtimeInstalled } from '../support/bundle.js';
import { sample, smallTraining } from '../support/cli.js';

const at = temporaryFolder();
/** Numbers of a row: the encoder's 16, and 10 sums. */
const size = 26;
let engine: Engine;
let judge: CheckEngine;
let bundle: Bundle;
let events: EventBatch;

beforeAll(async () => {
  if (!runtimeInstalled) return;
  await anomalyclr('train', ...smallTraining, '--no-comparators', '--out', at('run'));
  await anomalyclr('export', '--model', at('run'), '--out', at('a.onnx'), '--quiet');
  engine = await openEngine({ engine: 'native', threads: 2 });
  judge = await openCheckEngine(at('run'), engine, (await loadRun(at('run'))).parts);
  bundle = await openBundle(at('a.onnx'), { provider: 'cpu' });
  ({ batch: events } = await readAll([sample('background_test')], { onBadEvent: 'fail', maxEvents: 1500 }));
});
afterAll(async () => {
  judge?.dispose();
  await bundle?.dispose();
});

/** A bundle whose answer for event `event` of a batch is changed. */
const changed = (change: (outputs: BundleOutputs, event: number) => void, event = 700): Bundle => ({
  ...bundle,
  run: async (objects, count, slots, want) => {
    const outputs = await bundle.run(objects, count, slots, want);
    if (event < count) change(outputs, event);
    return outputs;
  },
});
const check = (of: Bundle, by = judge) => checkBundle(of, by, [{ what: 'event', events }]);

needsRuntime('the bundle as it was written passes, also for an engine without float64', async () => {
  for (const by of [judge, { ...judge, exact: undefined }]) {
    const { score, representation, ...rest } = await check(bundle, by);
    expect(rest).toEqual({ events: 1500 });
    expect(score).toBeGreaterThan(0);
    expect(representation).toBeLessThan(1e-5);
  }
});

describe('a mistake in one event of a thousand is found', () => {
  needsRuntime.each<[string, RegExp, (outputs: BundleOutputs, event: number) => void]>([
    ['in its score', /scores of events differ by/, ({ score }, e) => (score![e] += 0.05)],
    ['a score that is NaN', /scores of events differ by NaN/, ({ score }, e) => (score![e] = NaN)],
    ['in its representation', /representations of events differ/, (o, e) => (o.representation[e * size + 3] += 0.01)],
    ['in its verdict', /event 700 is .*side the domain/, ({ inDomain }, e) => (inDomain[e] = 1 - inDomain[e])],
    [
      'in its distance',
      /event 700 is .*side the domain/,
      ({ distance }, e) => (distance[e] = distance[e] === 0 ? 1 : 0),
    ],
  ])('%s', async (_, message, change) => {
    const found = check(changed(change));
    await expect(found).rejects.toThrow(AnomalyClrError);
    await expect(found).rejects.toThrow(message);
    await expect(found).rejects.toThrow(/the bundle does not do what the run does, so none was written/);
  });
});

describe('so is a reference event that is not what the card says', () => {
  needsRuntime.each<[string, (outputs: BundleOutputs, event: number) => void]>([
    ['score', ({ score }, e) => (score![e] *= 1.001)],
    ['representation', (o, e) => (o.representation[e * size] += 0.1)],
    ['verdict', ({ inDomain }, e) => (inDomain[e] = 1 - inDomain[e])],
    ['crossed', ({ crossed }, e) => (crossed[e * 20] += 1)],
  ])('%s', async (_, change) => {
    await expect(check(changed(change, 5))).rejects.toThrow(/reference event 5/);
  });
});

needsRuntime(
  'another precision that goes too far is refused by its name; int8 is judged within the domain',
  async () => {
    const inside = Array.from(judge.scorer.inDomain(events));
    const off = (event: number): Bundle => ({
      ...changed((o, e) => (o.representation[e * size] += 100), event), // of batches that hold so many events
      card: { ...bundle.card, precision: 'int8' },
    });
    const refused = /--precision int8: this model does not bear it: representations of events differ by .*take another/;
    // past the eight reference events, and the 476 of the second batch
    const [first, outside] = [1, 0].map(flag => inside.indexOf(flag, 500));
    expect(Math.min(first, outside)).toBeGreaterThanOrEqual(500);
    expect(Math.max(first, outside)).toBeLessThan(1024);
    await expect(check(off(first))).rejects.toThrow(refused);
    await expect(check(off(outside))).resolves.toMatchObject({ events: 1500 });
  },
);
