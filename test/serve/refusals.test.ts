import { gzipSync } from 'node:zlib';
import {
  ask,
  type Asked,
  binaryAsk,
  FakeBundle,
  inferPath,
  jsonBody,
  scoresOf,
  someEvents,
  startServer,
  testCard,
  type TestServer,
} from './support.js';

const open = async () => new FakeBundle(await testCard());
const flags = { maxEvents: '50', maxRequest: '0.1', queue: '100' };

const input = { name: 'objects', datatype: 'FP32', shape: [1, 2, 4], data: [30, 0, 1, 1, 40, 0.5, 1, 4] };
const json = (change: object, more: object = {}) => JSON.stringify({ inputs: [{ ...input, ...change }], ...more });
const withBytes = (change: object, bytes: number, header?: number | string): Asked => {
  const text = JSON.stringify({
    inputs: [{ ...input, data: undefined, parameters: { binary_data_size: 32 }, ...change }],
  });
  const body = Buffer.concat([Buffer.from(text), Buffer.alloc(bytes)]);
  return { body, headers: { 'inference-header-content-length': header ?? text.length } };
};
const event = (e: number, feature: number, value: number): Asked => {
  const objects = someEvents(5);
  objects[(e * 4 + 1) * 4 + feature] = value;
  return binaryAsk(objects, 4);
};

const wrong: [string, Asked, number, string][] = [
  ['no body', { method: 'POST' }, 400, 'the body is not valid JSON'],
  ['an empty body', { body: '' }, 400, 'the body is not valid JSON'],
  ['not JSON', { body: 'score me' }, 400, 'the body is not valid JSON'],
  ['NaN in JSON', { body: json({}).replace('40', 'NaN') }, 400, 'JSON has no NaN or infinity'],
  ['a list', { body: '[]' }, 400, 'the body is [], expected a JSON object'],
  ['null', { body: 'null' }, 400, 'the body is null, expected a JSON object'],
  ['an id of the wrong type', { body: json({}, { id: 3 }) }, 400, 'id is 3, expected a text'],
  ['no inputs', { body: '{}' }, 400, 'inputs is nothing, expected a list'],
  ['two inputs', { body: JSON.stringify({ inputs: [input, input] }) }, 400, 'inputs has 2 tensors, expected one'],
  ['no input', { body: JSON.stringify({ inputs: [] }) }, 400, 'inputs has 0 tensors, expected one, named objects'],
  [
    'an input that is none',
    { body: JSON.stringify({ inputs: [null] }) },
    400,
    'inputs[0] is null, expected a JSON object',
  ],
  ['the wrong name', { body: json({ name: 'x' }) }, 400, 'inputs[0].name is "x", expected "objects"'],
  ['the wrong type', { body: json({ datatype: 'FP64' }) }, 400, 'objects: datatype is "FP64", expected "FP32"'],
  ['no shape', { body: json({ shape: undefined }) }, 400, 'objects: shape is nothing, expected [events, slots, 4]'],
  ['a shape of two', { body: json({ shape: [2, 4] }) }, 400, 'objects: shape is [2,4], expected [events, slots, 4]'],
  ['a fraction', { body: json({ shape: [1, 2.5, 4] }) }, 400, 'objects: shape is [1,2.5,4], expected'],
  ['a negative shape', { body: json({ shape: [-1, 2, 4] }) }, 400, 'objects: shape is [-1,2,4], expected'],
  ['five numbers', { body: json({ shape: [1, 2, 5] }) }, 400, 'objects: shape is [1,2,5], expected'],
  ['no slots', { body: json({ shape: [1, 0, 4] }) }, 400, 'objects: 0 slots, expected 1 to 64'],
  ['65 slots', { body: json({ shape: [1, 65, 4] }) }, 400, 'objects: 65 slots, expected 1 to 64'],
  ['no events', { body: json({ shape: [0, 2, 4], data: [] }) }, 400, 'which has no event'],
  ['too many events', { body: json({ shape: [51, 2, 4] }) }, 413, 'objects: 51 events, at most 50 are taken at once'],
  ['absurdly many', { body: json({ shape: [2 ** 52, 64, 4] }) }, 413, 'events, at most 50 are taken at once'],
  ['no data', { body: json({ data: undefined }) }, 400, 'objects: data is nothing, expected a list of numbers'],
  ['data that is text', { body: json({ data: 'abc' }) }, 400, 'objects: data is "abc", expected a list'],
  ['too few numbers', { body: json({ data: [1, 2] }) }, 400, 'data has 2 entries, expected 8 for shape [1, 2, 4]'],
  ['a number too many', { body: json({ data: [...input.data, 1] }) }, 400, 'data has 9 entries, expected 8'],
  [
    'null for a number',
    { body: json({ data: [30, 0, 1, 1, 40, null, 1, 4] }) },
    400,
    'event 0, slot 1: eta is null, expected a number',
  ],
  [
    'text for a number',
    { body: json({ data: [30, 0, 1, 1, '40', 0, 1, 4] }) },
    400,
    'event 0, slot 1: pt is "40", expected a number',
  ],
  [
    'a list among numbers',
    { body: json({ data: [30, 0, 1, 1, [40], 0, 1, 4] }) },
    400,
    'event 0, slot 1: pt is [40], expected a number',
  ],
  ['nested, too few events', { body: json({ data: [[[1, 0, 1, 1]], []] }) }, 400, 'data has 2 entries, expected 1'],
  ['nested, too few slots', { body: json({ data: [[[1, 0, 1, 1]]] }) }, 400, 'event 0 has 1 entries, expected 2'],
  [
    'nested, a number for a slot',
    { body: json({ data: [[5, [1, 0, 1, 4]]] }) },
    400,
    'event 0, slot 0 is 5, expected [pt, eta, phi, class]',
  ],
  [
    'nested, a short slot',
    {
      body: json({
        data: [
          [
            [1, 0, 1, 1],
            [1, 2],
          ],
        ],
      }),
    },
    400,
    'event 0, slot 1 has 2 entries, expected 4',
  ],
  ['beyond float32', { body: json({ data: [30, 0, 1, 1, 1e300, 0, 1, 4] }) }, 400, 'event 0, slot 1: pt is Infinity'],
  ['NaN', event(3, 0, NaN), 400, 'event 3, slot 1: pt is NaN'],
  ['an infinite phi', event(2, 2, -Infinity), 400, 'event 2, slot 1: phi is -Infinity'],
  ['a negative pt', event(4, 0, -3), 400, 'event 4, slot 1: pt is -3 GeV, expected above 0'],
  ['an unknown class', event(0, 3, 7), 400, 'event 0, slot 1: class is 7'],
  ['numbers in an empty slot', event(1, 3, 0), 400, 'event 1, slot 1: class is 0 (empty), but pt, eta, phi are'],
  ['outputs that are no list', { body: json({}, { outputs: 'score' }) }, 400, 'outputs is "score", expected a list'],
  [
    'an unknown output',
    { body: json({}, { outputs: [{ name: 'mass' }] }) },
    400,
    'outputs[0].name is "mass", the model has score,',
  ],
  [
    'an output twice',
    { body: json({}, { outputs: [{ name: 'score' }, { name: 'score' }] }) },
    400,
    'outputs names score twice',
  ],
  [
    'too many outputs',
    { body: json({}, { outputs: Array.from({ length: 9 }, () => ({ name: 'score' })) }) },
    400,
    'outputs has 9 entries',
  ],
  [
    'binary_data that is no bool',
    { body: json({}, { outputs: [{ name: 'score', parameters: { binary_data: 1 } }] }) },
    400,
    'score: binary_data is 1, expected a bool',
  ],
  [
    'classification',
    { body: json({}, { outputs: [{ name: 'score', parameters: { classification: 3 } }] }) },
    400,
    'score: classification is asked for',
  ],
  [
    'shared memory',
    { body: json({ parameters: { shared_memory_region: 'r' } }) },
    400,
    'objects: shared_memory_region is not supported',
  ],
  ['parameters that are none', { body: json({}, { parameters: [] }) }, 400, 'parameters is [], expected a JSON object'],
  ['too few bytes', withBytes({}, 31), 400, "31 bytes follow the JSON, expected the 32 of objects' binary_data_size"],
  ['too many bytes', withBytes({}, 33), 400, '33 bytes follow the JSON, expected the 32'],
  [
    'a size unlike the shape',
    withBytes({ parameters: { binary_data_size: 28 } }, 28),
    400,
    'objects: binary_data_size is 28, expected 32',
  ],
  [
    'bytes without a size',
    withBytes({ parameters: {}, data: input.data }, 32),
    400,
    '32 bytes follow the JSON, but objects has no binary_data_size',
  ],
  ['data and bytes', withBytes({ data: input.data }, 32), 400, 'objects: has both data and binary_data_size'],
  ['a length that is none', withBytes({}, 32, 'x'), 400, 'Inference-Header-Content-Length is x, expected 1 to the'],
  ['a length past the end', withBytes({}, 32, 9999), 400, 'Inference-Header-Content-Length is 9999'],
  ['a length of 0', withBytes({}, 32, 0), 400, 'Inference-Header-Content-Length is 0'],
  [
    'an unknown encoding',
    { body: json({}), headers: { 'content-encoding': 'br' } },
    415,
    'Content-Encoding is br, expected gzip, deflate',
  ],
  ['a body too large', { body: Buffer.alloc(100_001, ' ') }, 413, 'the body is larger than the 0.1 MB'],
  [
    'a body that unpacks too large',
    { body: gzipSync(Buffer.alloc(1e6)), headers: { 'content-encoding': 'gzip' } },
    413,
    'larger than the 0.1 MB',
  ],
];

let server: TestServer;
beforeEach(async () => {
  server = await startServer(open, flags);
});

test('each wrong request is told what is wrong, and the server scores on', async () => {
  const told: unknown[] = [];
  for (const [name, asked] of wrong) {
    const { status, error } = await ask(server, inferPath, asked);
    told.push([name, status, error]);
  }
  expect(told).toEqual(wrong.map(([name, , status, message]) => [name, status, expect.stringContaining(message)]));
  expect(scoresOf(await ask(server, inferPath, { body: json({}) }))).toEqual([72]);
  expect(server.lines.filter(({ level }) => level === 'error')).toEqual([]);
});

test('a body that comes in pieces without a length is bounded too', async () => {
  const request = (size: number) =>
    fetch(new URL(inferPath, server.url), {
      method: 'POST',
      duplex: 'half',
      body: new ReadableStream({
        start(controller) {
          for (let sent = 0; sent < size; sent += 1000) controller.enqueue(Buffer.alloc(1000, ' '));
          controller.enqueue(Buffer.from(json({})));
          controller.close();
        },
      }),
    } as RequestInit);
  expect((await request(20_000)).status).toBe(200);
  expect((await request(200_000)).status).toBe(413);
});

test('a request that the queue could never hold is too large, not too early', async () => {
  const small = await startServer(open, { queue: '10' });
  const { status, error } = await ask(small, inferPath, binaryAsk(someEvents(11), 4));
  expect([status, error]).toEqual([413, 'objects: 11 events, at most 10 are taken at once']);
});

test('out of domain: flagged, refused with the boundary, or NaN', async () => {
  const objects = someEvents(4);
  objects[2 * 16 + 4] = 5000; // the first jet of event 2
  const asked = binaryAsk(objects, 4);
  expect(scoresOf(await ask(server, inferPath, asked))).toEqual(expect.arrayContaining([expect.any(Number)]));
  const nan = scoresOf(await ask(await startServer(open, { outOfDomain: 'nan' }), inferPath, asked));
  expect(nan.map(Number.isNaN)).toEqual([false, false, true, false]);
  const refuse = await startServer(open, { outOfDomain: 'refuse' });
  const { status, error } = await ask(refuse, inferPath, asked);
  expect(status).toBe(422);
  expect(error).toMatch(/^event 2 is outside the training domain: .*jet 1: pT 5000 GeV is above the greatest seen, \d/);
  expect((await ask(refuse, inferPath, { body: jsonBody(someEvents(3), 4) })).status).toBe(200);
});
