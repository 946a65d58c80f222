import { openEngine } from '../../src/engine/index.js';
import { BundleScorer } from '../../src/bundle/scorer.js';
import { AnomalyClrError } from '../../src/errors.js';
import { inDomain } from '../../src/events/domain.js';
import { EventBatchBuilder, range, take, type EventBatch } from '../../src/events/event-batch.js';
import { Kind } from '../../src/events/objects.js';
import { readAll } from '../../src/read/index.js';
import { detectorConfig } from '../../src/score/detector.js';
import { temporaryFolder } from '../read/craft.js';
import { runtimeInstalled, needsRuntime, writeBundle, type SmallBundle } from '../support/bundle.js';
import { sample } from '../support/cli.js';
import { worst } from '../support/golden.js';

const at = temporaryFolder();
let small: SmallBundle;
let scorer: BundleScorer;
let events: EventBatch;
beforeAll(async () => {
  if (!runtimeInstalled) return;
  small = await writeBundle(at('small.onnx'));
  scorer = await BundleScorer.open(at('small.onnx'), { threads: 2 });
  ({ batch: events } = await readAll([sample('leptoquark')], { onBadEvent: 'fail', maxEvents: 1500 }));
});
afterAll(() => scorer?.dispose());

needsRuntime('scores and representations are those of the engine, flags those of the domain', async () => {
  const { encoder, columns, detector } = small.parts;
  const engine = await openEngine();
  const model = engine.scorer({
    ...detectorConfig(detector, 'f32'),
    encoder: { ...encoder.config, weights: Float32Array.from(encoder.weights), from: columns[0], to: columns[1] },
  });
  const { score, inDomain: flags } = await scorer.judge(events);
  expect(worst(score, await model.score(events))).toBeLessThan(1e-5);
  expect(await scorer.score(events)).toEqual(score);
  expect(worst(await scorer.embed(events), await model.embed(events))).toBeLessThan(1e-5);
  expect(flags).toEqual(inDomain(small.card.domain, events));
  expect(new Set(flags)).toEqual(new Set([0, 1]));
  expect(await scorer.inDomain(events)).toEqual(flags);
  expect(scorer).toMatchObject({ name: 'anomclr+', seed: 3, representationSize: 32, domain: small.card.domain });
  model.dispose();
});

needsRuntime('an event is scored alike alone, among others, and with its objects in any order', async () => {
  const whole = await scorer.judge(events);
  for (const e of [0, 255, 256, 777, 1499]) {
    const alone = await scorer.judge(take(events, [e]));
    expect(worst(alone.score, whole.score.slice(e, e + 1))).toBeLessThan(1e-5);
    expect(alone.inDomain[0]).toBe(whole.inDomain[e]);
    const { offsets, pt, eta, phi, kind } = range(events, e, e + 1);
    const builder = new EventBatchBuilder();
    for (let o = offsets[1] - 1; o >= 0; o--) builder.addObject(pt[o], eta[o], phi[o], kind[o]);
    builder.endEvent(0);
    const turned = await scorer.judge(builder.build());
    expect(worst(turned.score, whole.score.slice(e, e + 1))).toBeLessThan(1e-5);
    expect(turned.inDomain[0]).toBe(whole.inDomain[e]);
  }
});

needsRuntime('no events, events without objects, and too many objects', async () => {
  expect(await scorer.judge(take(events, []))).toEqual({ score: new Float32Array(0), inDomain: new Uint8Array(0) });
  const builder = new EventBatchBuilder();
  builder.endEvent(0);
  const empty = await scorer.judge(builder.build());
  expect(Number.isFinite(empty.score[0])).toBe(true);
  expect(empty.inDomain[0]).toBe(0); // every event of its domain had objects
  for (let i = 0; i < 65; i++) builder.addObject(20 + i, 0, 0, Kind.jet);
  builder.endEvent(1);
  await expect(scorer.judge(builder.build())).rejects.toThrow(/^event 1: has 65 objects, .* at most 64/);
});

needsRuntime('a bundle of the encoder alone is refused in one line', async () => {
  await writeBundle(at('encoder.onnx'), { part: 'encoder' });
  const call = BundleScorer.open(at('encoder.onnx'));
  await expect(call).rejects.toThrow(AnomalyClrError);
  await expect(call).rejects.toThrow(/encoder\.onnx: holds the encoder alone, .* --part scorer$/);
});
