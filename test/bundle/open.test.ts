import { availableParallelism } from 'node:os';
import { openBundle, openBundleBytes } from '../../src/bundle/open.js';
import { padEvents } from '../../src/bundle/pad.js';
import { SessionPool } from '../../src/bundle/pool.js';
import { openSession } from '../../src/bundle/session.js';
import { findRuntime, type SessionThread } from '../../src/bundle/thread.js';
import { AnomalyClrError, UsageError } from '../../src/errors.js';
import { take } from '../../src/events/event-batch.js';
import { temporaryFolder } from '../read/craft.js';
import { needsRuntime, runtimeInstalled, writeBundle, type SmallBundle } from '../support/bundle.js';

const at = temporaryFolder();
let small: SmallBundle;
beforeAll(async () => {
  if (runtimeInstalled) small = await writeBundle(at('small.onnx'));
});

const one = { threads: 1, sessions: 1, provider: 'cpu' } as const;
const refused = async (call: Promise<unknown>, message: RegExp, kind: new (m: string) => Error = AnomalyClrError) => {
  const error = await call.then(
    () => undefined,
    (e: unknown) => e as Error,
  );
  expect(error).toBeInstanceOf(kind);
  expect(error!.message).toMatch(message);
  expect(error!.message).not.toMatch(/\n/);
};

needsRuntime('scores, verdicts and, where wanted, representations, as the card promises', async () => {
  const bundle = await openBundle(at('small.onnx'), one);
  try {
    expect(bundle).toMatchObject({ file: at('small.onnx'), card: small.card, provider: 'cpu', sessions: 1 });
    const { objects, events, slots } = padEvents(take(small.events, [0, 1, 2, 3, 50, 51, 52, 53]));
    const before = objects.slice();
    const found = await bundle.run(objects, events, slots);
    expect(objects).toEqual(before);
    const { score, representation, inDomain, distance, crossed } = found;
    expect([score!.length, representation.length, inDomain.length, distance.length, crossed.length]).toEqual([
      8, 0, 8, 8, 160,
    ]);
    const reference = small.card.reference.events;
    expect(Array.from(score!)).toEqual(reference.map(event => event.score));
    expect(Array.from(inDomain, flag => flag === 1)).toEqual(reference.map(event => event.inDomain));
    const full = await bundle.run(objects, events, slots, { representation: true });
    expect(full).toEqual({ ...found, representation: full.representation });
    expect(Array.from(full.representation)).toEqual(reference.flatMap(event => event.representation));
  } finally {
    await bundle.dispose();
  }
});

needsRuntime('no events, and calls that can be no events', async () => {
  const bundle = await openBundleBytes(small.bytes, 'in memory', one);
  expect(await bundle.run(new Float32Array(0), 0, 5)).toEqual({
    score: new Float32Array(0),
    representation: new Float32Array(0),
    inDomain: new Uint8Array(0),
    distance: new Float32Array(0),
    crossed: new Int32Array(0),
  });
  await refused(
    bundle.run(new Float32Array(8), 1, 3),
    /^in memory: got 8 numbers for 1 events of 3 slots, expected 12$/,
  );
  await refused(bundle.run(new Float32Array(0), 1, 0), /got events of 0 slots, allowed: 1 to 64/);
  await refused(bundle.run(new Float32Array(260), 1, 65), /got events of 65 slots, allowed: 1 to 64/);
  await bundle.dispose();
});

needsRuntime('an encoder alone has no score', async () => {
  const encoder = await writeBundle(at('encoder.onnx'), { part: 'encoder' });
  const bundle = await openBundle(at('encoder.onnx'), one);
  const { objects, events, slots } = padEvents(take(encoder.events, [7]));
  const { score, representation } = await bundle.run(objects, events, slots, { representation: true });
  expect(score).toBeUndefined();
  expect(representation).toHaveLength(encoder.card.representation.size);
  await bundle.dispose();
});

needsRuntime(
  'calls overlap over sessions, each answered with its own events, wherever its buffer goes meanwhile',
  async () => {
    const bundle = await openBundle(at('small.onnx'), { threads: 2, sessions: 2 });
    expect(bundle.sessions).toBe(2);
    const { objects, slots } = padEvents(small.events);
    const whole = await bundle.run(objects, small.events.count, slots);
    const size = slots * 4;
    const runs = Array.from({ length: 60 }, (_, i) => {
      const from = (i * 7) % 380;
      const part = objects.slice(from * size, (from + 1 + (i % 20)) * size);
      const run = bundle.run(part, 1 + (i % 20), slots);
      part.fill(NaN); // the bundle has taken what it needs
      return run.then(({ score }) => ({ score, want: whole.score!.slice(from, from + 1 + (i % 20)) }));
    });
    for (const { score, want } of await Promise.all(runs))
      score!.forEach((s, i) => expect(Math.abs(s / want[i] - 1)).toBeLessThan(1e-5));
    await bundle.dispose();
  },
);

needsRuntime('by default there is a session for every thread that may be used', async () => {
  const bundle = await openBundle(at('small.onnx'), { threads: 3 });
  expect(bundle.sessions).toBe(3);
  await bundle.dispose();
  const all = await openBundle(at('small.onnx'));
  expect(all.sessions).toBe(availableParallelism());
  await all.dispose();
});

needsRuntime('closed in the middle of a long run it lets the library come back, and nothing falls', async () => {
  const { objects, events, slots } = padEvents(
    take(
      small.events,
      Array.from({ length: 20_000 }, (_, i) => i % 380),
    ),
  );
  for (const wait of [0, 5, 10, 20, 40, 80]) {
    const bundle = await openBundle(at('small.onnx'), one);
    const run = refused(bundle.run(objects, events, slots), /small\.onnx: was closed/);
    await new Promise(resolve => setTimeout(resolve, wait));
    await bundle.dispose();
    await run;
  }
});

needsRuntime('a closed bundle refuses, also what was under way, and can be closed again', async () => {
  const bundle = await openBundle(at('small.onnx'), one);
  const { objects, events, slots } = padEvents(small.events);
  const runs = Array.from({ length: 6 }, () => refused(bundle.run(objects, events, slots), /small\.onnx: was closed/));
  await bundle.dispose();
  await Promise.all(runs);
  await refused(bundle.run(objects, events, slots), /small\.onnx: was closed before this was computed/);
  await bundle.dispose();
});

needsRuntime('a thread that dies rejects what it had, and another takes its place', async () => {
  const pool = await SessionPool.open(small.bytes, 'small', { provider: 'cpu', cores: 1, sessions: 1 });
  const { threads } = pool as unknown as { threads: Set<SessionThread> };
  const { objects, events, slots } = padEvents(small.events);
  const run = () => pool.run({ objects: { type: 'float32', dims: [events, slots, 4], data: objects } }, ['score']);
  const want = await run();
  const [first] = threads;
  // terminated from outside in the middle of a run it could take this process along
  Atomics.store((first as unknown as { closing: Int32Array }).closing, 0, 1);
  const lost = [run(), run()]; // what one thread takes at a time
  const waits = [run(), run()];
  for (const one of lost)
    await refused(one, /^small: the thread that computes it ended \(exit code 0\); .* with fewer events at once$/);
  for (const one of waits) expect(await one).toEqual(want);
  expect(pool.sessions).toBe(1);
  expect(threads.has(first)).toBe(false);
  await pool.dispose();
});

needsRuntime('what ONNX Runtime refuses is one line that names the model', async () => {
  await refused(openSession(small.bytes.subarray(5), { name: 'cut.onnx' }), /^cut\.onnx: ONNX Runtime: /);
  const session = await openSession(small.bytes, { provider: 'cpu', threads: 1, name: 'small' });
  const wrong = { objects: { type: 'float32', dims: [1, 2, 3], data: new Float32Array(6) } };
  await refused(session.run(wrong), /^small: ONNX Runtime: Got invalid dimensions for input: objects/);
  await refused(session.run({}), /^small: ONNX Runtime: .*objects/);
  await refused(session.run({ objects: { type: 'complex', dims: [1], data: new Float32Array(1) } }), /^small: /);
  expect(session.version).toMatch(/^\d+\.\d+/);
  await session.dispose();
});

needsRuntime('any model gives all its outputs, of a view as of a whole buffer', async () => {
  const session = await openSession(small.bytes, { provider: 'cpu', threads: 1 });
  const { objects, slots } = padEvents(small.events);
  const view = objects.subarray(slots * 4 * 10, slots * 4 * 12);
  const all = await session.run({ objects: { type: 'float32', dims: [2, slots, 4], data: view } });
  expect(Object.keys(all)).toEqual(['score', 'representation', 'in_domain', 'domain_distance', 'crossed']);
  expect(all['crossed']).toMatchObject({ type: 'int32', dims: [2, 5, 4] });
  expect(all['in_domain'].data).toBeInstanceOf(Uint8Array);
  const some = await session.run({ objects: { type: 'float32', dims: [2, slots, 4], data: view.slice() } }, ['score']);
  expect(some).toEqual({ score: all['score'] });
  await session.dispose();
});

needsRuntime(
  'a provider that does not work is wrong use, and says what it lacks; auto takes the processor',
  async () => {
    const works = await openSession(small.bytes, { provider: 'cuda' }).then(
      session => session.dispose().then(() => true),
      () => false,
    );
    const bundle = await openBundle(at('small.onnx'), { threads: 1 });
    expect(bundle.provider).toBe(works ? 'cuda' : 'cpu');
    await bundle.dispose();
    if (works) return;
    await refused(
      openBundle(at('small.onnx'), { provider: 'cuda' }),
      /^--provider cuda does not work here \(.*\); put the .*onnxruntime-gpu 1\.\d+\.\d+ .* or use --provider cpu$/,
      UsageError,
    );
    // the model's fault is not the provider's
    await refused(openSession(small.bytes.subarray(5), { provider: 'cuda', name: 'cut' }), /^cut: ONNX Runtime: /);
  },
);

test('where onnxruntime-node is missing, one line says how to get it', () => {
  expect(() => findRuntime('onnxruntime-nowhere', '@anomalyclr/nowhere')).toThrow(
    /^onnxruntime-nowhere is not installed, which runs bundles; get it by npm install @anomalyclr\/nowhere@0\.1\.0, or npm_config_onnxruntime_node_install=skip npm install onnxruntime-node@[\d.]+$/,
  );
});
