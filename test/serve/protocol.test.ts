import { deflateSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import type { Bundle, BundleOutputs } from '../../src/bundle/bundle.js';
import { openBundle } from '../../src/bundle/open.js';
import { padEvents } from '../../src/bundle/pad.js';
import { range } from '../../src/events/event-batch.js';
import { temporaryFolder } from '../read/craft.js';
import { needsRuntime, runtimeInstalled, writeBundle } from '../support/bundle.js';
import {
  ask,
  binaryAsk,
  FakeBundle,
  fakeOutputs,
  inferPath,
  jsonBody,
  outputsOf,
  scoresOf,
  someEvents,
  startServer,
  testCard,
} from './support.js';

const at = temporaryFolder();
const fake = async (): Promise<Bundle> => new FakeBundle(await testCard());

test('health, metadata, configuration and statistics', async () => {
  const server = await startServer(fake, { name: 'mine' });
  const get = async (path: string): Promise<unknown> => (await ask(server, path)).json;
  expect(await get('/v2/health/live')).toEqual({ live: true });
  expect(await get('/v2/health/ready')).toEqual({ ready: true });
  expect(await get('/v2')).toMatchObject({ name: 'anomalyclr', extensions: expect.arrayContaining(['statistics']) });
  for (const path of ['/v2/models/mine', '/v2/models/mine/versions/1']) {
    expect(await get(path)).toEqual({
      name: 'mine',
      versions: ['1'],
      platform: 'onnx_onnxv1',
      inputs: [{ name: 'objects', datatype: 'FP32', shape: [-1, -1, 4] }],
      outputs: [
        { name: 'score', datatype: 'FP32', shape: [-1] },
        { name: 'representation', datatype: 'FP32', shape: [-1, 2] },
        { name: 'in_domain', datatype: 'BOOL', shape: [-1] },
        { name: 'domain_distance', datatype: 'FP32', shape: [-1] },
        { name: 'crossed', datatype: 'INT32', shape: [-1, 5, 4] },
      ],
    });
    expect(await get(`${path}/ready`)).toEqual({ name: 'mine', ready: true });
    expect(await get(`${path}/config`)).toMatchObject({ name: 'mine', max_batch_size: 0, backend: 'onnxruntime' });
    await ask(server, `${path}/infer`, { body: jsonBody(someEvents(3), 4) });
  }
  for (const path of ['/v2/models/mine/stats', '/v2/models/mine/versions/1/stats', '/v2/models/stats'])
    expect(await get(path)).toMatchObject({
      model_stats: [
        {
          name: 'mine',
          version: '1',
          inference_count: 6,
          execution_count: 2,
          inference_stats: { success: { count: 2 } },
        },
      ],
    });
  expect(await get('/v2/models/anomalyclr')).toEqual({ error: 'no model "anomalyclr" here; this server has "mine"' });
  expect((await ask(server, '/v2/models/mine/versions/2')).status).toBe(404);
  expect((await ask(server, '/v2/models/mine/versions/2/infer', { body: jsonBody(someEvents(1), 4) })).status).toBe(
    404,
  );
  expect((await ask(server, '/v2/nothing')).error).toContain('/v2/nothing: no such address');
});

test('numbers flat and nested, outputs by name and in order, the id comes back', async () => {
  const server = await startServer(fake);
  const objects = someEvents(3, 5);
  const all = await ask(server, inferPath, { body: jsonBody(objects, 5, { id: 'x y' }) });
  const { json, outputs } = outputsOf(all);
  expect(json).toMatchObject({ model_name: 'anomalyclr', model_version: '1', id: 'x y' });
  const expected = fakeOutputs(objects, 3, 5);
  expect(Object.values(outputs)).toEqual([
    { name: 'score', datatype: 'FP32', shape: [3], data: [...expected.score!] },
    { name: 'representation', datatype: 'FP32', shape: [3, 2], data: [...expected.representation] },
    { name: 'in_domain', datatype: 'BOOL', shape: [3], data: [true, true, true] },
    { name: 'domain_distance', datatype: 'FP32', shape: [3], data: [0, 0, 0] },
    { name: 'crossed', datatype: 'INT32', shape: [3, 5, 4], data: [...expected.crossed] },
  ]);
  const nested = Array.from({ length: 3 }, (_, e) =>
    Array.from({ length: 5 }, (__, s) => [...objects.subarray((e * 5 + s) * 4, (e * 5 + s) * 4 + 4)]),
  );
  const body = JSON.stringify({
    inputs: [{ name: 'objects', datatype: 'FP32', shape: [3, 5, 4], data: nested }],
    outputs: [{ name: 'in_domain' }, { name: 'score' }],
  });
  const some = outputsOf(await ask(server, inferPath, { body })).outputs;
  expect(Object.keys(some)).toEqual(['in_domain', 'score']);
  expect(some['score'].data).toEqual([...expected.score!]);
});

test('a bundle of the encoder alone has no score', async () => {
  const server = await startServer(async () => new FakeBundle(await testCard('encoder')));
  const { outputs } = outputsOf(await ask(server, inferPath, binaryAsk(someEvents(2), 4)));
  expect(Object.keys(outputs)).toEqual(['representation', 'in_domain', 'domain_distance', 'crossed']);
  const wanted = { outputs: [{ name: 'score' }] };
  expect(await ask(server, inferPath, { body: jsonBody(someEvents(1), 4, wanted) })).toMatchObject({
    status: 400,
    error: 'outputs[0].name is "score", the model has representation, in_domain, domain_distance, crossed',
  });
});

test('JSON has null where bytes have NaN or an infinity', async () => {
  const server = await startServer(fake, { outOfDomain: 'nan' });
  const objects = someEvents(3);
  objects[16] = 600;
  const inJson = outputsOf(await ask(server, inferPath, { body: jsonBody(objects, 4) })).outputs;
  expect(inJson['score'].data).toEqual([expect.any(Number), null, expect.any(Number)]);
  expect(inJson['domain_distance'].data).toEqual([0, null, 0]);
  const inBytes = outputsOf(await ask(server, inferPath, binaryAsk(objects, 4))).outputs;
  expect(inBytes['score'].data).toEqual([expect.any(Number), NaN, expect.any(Number)]);
  expect(inBytes['domain_distance'].data).toEqual([0, Infinity, 0]);
});

test.each([0, 1, 2, 3])('bytes that begin %i past a multiple of four are read right', async shift => {
  const server = await startServer(fake);
  const objects = someEvents(5, 3);
  const { body, headers } = binaryAsk(objects, 3);
  const length = Number(headers['inference-header-content-length']);
  const shifted = Buffer.concat([body.subarray(0, length), Buffer.alloc(shift, ' '), body.subarray(length)]);
  const reply = await ask(server, inferPath, {
    body: shifted,
    headers: { 'inference-header-content-length': length + shift },
  });
  expect(scoresOf(reply)).toEqual([...fakeOutputs(objects, 5, 3).score!]);
});

test.each([
  ['gzip', gzipSync, gunzipSync],
  ['deflate', deflateSync, inflateSync],
])('%s both ways', async (encoding, pack, unpack) => {
  const server = await startServer(fake);
  const objects = someEvents(100, 5);
  const { body, headers } = binaryAsk(objects, 5);
  const packed = { ...headers, 'content-encoding': encoding, 'accept-encoding': `br, ${encoding};q=0.5` };
  const reply = await ask(server, inferPath, { body: pack(body), headers: packed });
  expect(reply.headers['content-encoding']).toBe(encoding);
  expect(scoresOf({ ...reply, body: unpack(reply.body) })).toEqual([...fakeOutputs(objects, 100, 5).score!]);
  const plain = await ask(server, inferPath, { body, headers: { ...headers, 'accept-encoding': `${encoding};q=0` } });
  expect(plain.headers['content-encoding']).toBeUndefined();
  const broken = await ask(server, inferPath, { body, headers: { ...headers, 'content-encoding': encoding } });
  expect([broken.status, broken.error]).toEqual([400, expect.stringContaining(`not valid ${encoding}`)]);
});

test('the repository has one model, which can be loaded again and not unloaded', async () => {
  const server = await startServer(fake);
  const post = (path: string, body: unknown = {}) =>
    ask(server, `/v2/repository/${path}`, { body: JSON.stringify(body) });
  expect((await post('index')).json).toEqual([{ name: 'anomalyclr', version: '1', state: 'READY', reason: '' }]);
  expect((await post('models/anomalyclr/load')).json).toEqual({ name: 'anomalyclr', version: '2' });
  expect((await ask(server, '/v2/models/anomalyclr')).json['versions']).toEqual(['2']);
  expect(await post('models/anomalyclr/unload')).toMatchObject({ status: 400 });
  expect(await post('models/other/load')).toMatchObject({ status: 404 });
  expect(await post('models/anomalyclr/load', { parameters: { config: '{}' } })).toMatchObject({
    status: 400,
    error: expect.stringContaining('config'),
  });
});

describe('with a real bundle', () => {
  beforeAll(async () => {
    if (runtimeInstalled) await writeBundle(at('small.onnx'));
  });

  needsRuntime('requests of all sizes at once get what the bundle gives alone', async () => {
    const bundle = await openBundle(at('small.onnx'), { provider: 'cpu', threads: 1, sessions: 1 });
    const { events } = await writeBundle(at('same.onnx'));
    const server = await startServer(file => openBundle(file, { provider: 'cpu', threads: 2 }), {
      model: at('small.onnx'),
      maxBatch: '64',
    });
    const sizes = [1, 1, 3, 200, 1, 17, 64, 1, 65, 2, 1, 1, 30, 128, 1];
    const asked = sizes.map((size, i) => padEvents(range(events, i, i + size)));
    const [alone, replies] = await Promise.all([
      Promise.all(asked.map(one => bundle.run(one.objects, one.events, one.slots, { representation: true }))),
      Promise.all(
        asked.map(({ objects, slots }, i) =>
          ask(server, inferPath, i % 3 === 0 ? { body: jsonBody(objects, slots) } : binaryAsk(objects, slots)),
        ),
      ),
    ]);
    for (const [i, reply] of replies.entries()) expectSame(outputsOf(reply).outputs, alone[i]);
    await bundle.dispose();
  });
});

function expectSame(got: ReturnType<typeof outputsOf>['outputs'], expected: BundleOutputs): void {
  const close = (name: string, values: Float32Array): void => {
    const scale = Math.max(...values.map(Math.abs).filter(Number.isFinite), 1e-3);
    const worst = got[name].data!.map((x, k) => (values[k] === Infinity ? 0 : Math.abs(Number(x) - values[k])));
    expect(got[name].data).toHaveLength(values.length);
    expect(Math.max(...worst)).toBeLessThan(1e-4 * scale);
  };
  close('score', expected.score!);
  close('representation', expected.representation);
  close('domain_distance', expected.distance);
  expect(got['in_domain'].data).toEqual(Array.from(expected.inDomain, flag => flag === 1));
  expect(got['crossed'].data).toEqual([...expected.crossed]);
}
