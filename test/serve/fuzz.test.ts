import fc from 'fast-check';
import http from 'node:http';
import net from 'node:net';
import { openBundle } from '../../src/bundle/open.js';
import { padEvents } from '../../src/bundle/pad.js';
import { range } from '../../src/events/event-batch.js';
import { temporaryFolder } from '../read/craft.js';
import { needsRuntime, writeBundle } from '../support/bundle.js';
import { ask, type Asked, binaryAsk, inferPath, jsonBody, scoresOf, sleep, startServer } from './support.js';

const at = temporaryFolder();
const requests = 10_000;
/** Requests that a test of fast-check sends side by side. */
const together = 20;

const oddNumber = fc.oneof(
  fc.constantFrom(0, -0, -1, 1, 2, 4, 5, 63, 64, 65, 1e9, 2 ** 31, 2 ** 53, 1e39, 1e308, 0.5, NaN, Infinity, -Infinity),
  fc.double(),
);
const oddValue = fc.oneof(
  oddNumber,
  fc.constantFrom(null, true, '', 'FP64', '__proto__', [], {}, [[]], [null]),
  fc.jsonValue(),
);

/** Changes one place in a JSON value: its address is walked by the numbers of `path`. */
function mutate(value: unknown, path: readonly number[], by: unknown, drop: boolean): unknown {
  if (typeof value !== 'object' || value === null || path.length === 0) return by;
  const [step, ...rest] = path;
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [...value] : { ...value };
  const keys = Object.keys(copy);
  if (keys.length === 0) return by;
  const key = keys[step % keys.length] as keyof typeof copy;
  if (rest.length === 0 && drop) {
    if (Array.isArray(copy)) copy.splice(Number(key), 1);
    else delete copy[key];
  } else copy[key] = mutate(copy[key], rest, by, drop) as never;
  return copy;
}

const path = fc.array(fc.nat(200), { minLength: 1, maxLength: 5 });
/** NaN and infinities stand in the text as they do in no JSON. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, x: unknown) => (typeof x === 'number' && !Number.isFinite(x) ? `@${x}@` : x))?.replace(
    /"@(-?\w+)@"/g,
    '$1',
  ) ?? '';

function mutatedJson(objects: Float32Array, slots: number): fc.Arbitrary<Asked> {
  const whole = JSON.parse(jsonBody(objects, slots, { id: 'x', outputs: [{ name: 'score' }] })) as unknown;
  const change = fc.record({ path, by: oddValue, drop: fc.boolean() });
  return fc.array(change, { minLength: 1, maxLength: 3 }).map(changes => ({
    body: textOf(changes.reduce((value, one) => mutate(value, one.path, one.by, one.drop), whole)),
  }));
}

function mutatedBinary(objects: Float32Array, slots: number): fc.Arbitrary<Asked> {
  const { body, headers } = binaryAsk(objects, slots);
  const length = headers['inference-header-content-length'];
  const byte = fc.record({ at: fc.nat(body.length - 1), to: fc.nat(255) });
  const header = fc.oneof(
    { weight: 5, arbitrary: fc.constant<string | number>(length) },
    fc.constantFrom<string | number>(
      '',
      '-1',
      '0',
      '1e3',
      'x',
      '99999999999999999999',
      length - 1,
      length + 1,
      body.length,
    ),
  );
  return fc
    .record({
      bytes: fc.array(byte, { maxLength: 6 }),
      end: fc.option(fc.nat(body.length)),
      header,
      odd: fc.option(oddNumber),
      place: fc.nat(),
    })
    .map(({ bytes, end, header: said, odd, place }) => {
      const changed = Buffer.from(body);
      for (const one of bytes) changed[one.at] = one.to;
      if (odd !== null) changed.writeFloatLE(Math.fround(odd), length + (place % objects.length) * 4);
      return {
        body: end === null ? changed : changed.subarray(0, end),
        headers: { 'inference-header-content-length': said },
      };
    });
}

const randomBytes = fc
  .record({
    bytes: fc.uint8Array({ maxLength: 300 }),
    encoding: fc.constantFrom('identity', 'gzip', 'deflate', 'br', 'gzip, gzip', ''),
    type: fc.constantFrom('application/json', 'application/octet-stream', 'text/plain', ';;', ''),
    length: fc.option(fc.nat(400)),
  })
  .map(({ bytes, encoding, type, length }) => ({
    body: Buffer.from(bytes),
    headers: {
      'content-encoding': encoding,
      'content-type': type,
      ...(length === null ? {} : { 'inference-header-content-length': length }),
    },
  }));

const otherPath = fc.oneof(
  fc.constantFrom(
    '/v2/models/x/infer',
    '/v2/models/anomalyclr/versions/0/infer',
    '/v2/repository/models/x/load',
    '/v2/%',
    '/%00',
    '//',
    '/v2/models/__proto__/infer',
  ),
  fc.webPath().map(text => `/${text}`),
);
const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH');

needsRuntime(`${requests} fuzzed requests: each gets 2xx, 4xx or 503, and the server scores on`, async () => {
  const { events } = await writeBundle(at('small.onnx'));
  const server = await startServer(file => openBundle(file, { provider: 'cpu', threads: 2 }), {
    model: at('small.onnx'),
    logLevel: 'info',
    timeout: '5',
  });
  const { objects, slots } = padEvents(range(events, 0, 3));
  const valid = binaryAsk(objects, slots);
  const scores = scoresOf(await ask(server, inferPath, valid));
  const agent = new http.Agent({ keepAlive: true, maxSockets: together });
  const seen = new Map<number, number>();
  const send = async (to: string, asked: Asked): Promise<void> => {
    const { status } = await ask(server, to, { ...asked, agent });
    seen.set(status, (seen.get(status) ?? 0) + 1);
    const fine = (status >= 200 && status < 300) || (status >= 400 && status < 500) || status === 503;
    if (!fine) throw new Error(`${to} was answered ${status}`);
  };
  const one = fc.oneof(
    { weight: 5, arbitrary: mutatedJson(objects, slots).map(asked => [inferPath, asked] as const) },
    { weight: 5, arbitrary: mutatedBinary(objects, slots).map(asked => [inferPath, asked] as const) },
    { weight: 2, arbitrary: randomBytes.map(asked => [inferPath, asked] as const) },
    {
      weight: 1,
      arbitrary: fc.tuple(otherPath, method).map(([to, verb]) => [to, { method: verb }] as const),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(one, { minLength: together, maxLength: together }), async asked => {
      await Promise.all(asked.map(([to, what]) => send(to, what)));
    }),
    { numRuns: requests / together, endOnFailure: true },
  );
  agent.destroy();
  expect([...seen.values()].reduce((a, b) => a + b, 0)).toBe(requests);
  expect(seen.get(200)).toBeGreaterThan(100);
  expect(seen.get(400)).toBeGreaterThan(1000);
  expect(server.lines.filter(({ level }) => level !== 'info')).toEqual([]);
  expect(scoresOf(await ask(server, inferPath, valid))).toEqual(scores);
  const metrics = (await ask(server, '/metrics')).body.toString();
  expect(metrics).toMatch(/^anomalyclr_queue_events 0$/m);
});

needsRuntime('bytes that are no HTTP, or stop anywhere', async () => {
  await writeBundle(at('raw.onnx'));
  const server = await startServer(file => openBundle(file, { provider: 'cpu', threads: 1 }), {
    model: at('raw.onnx'),
    logLevel: 'info',
    timeout: '5',
  });
  const port = Number(new URL(server.url).port);
  const request = `POST ${inferPath} HTTP/1.1\r\nHost: here\r\nContent-Length: 20\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"inp\r\n0\r\n\r\n`;
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map(part => Buffer.from(part)),
    fc
      .tuple(fc.nat(request.length), fc.nat(255))
      .map(([end, byte]) => Buffer.concat([Buffer.from(request.slice(0, end)), Buffer.of(byte)])),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async sent => {
      const answer = await new Promise<string>(resolve => {
        let got = '';
        const socket = net.connect(port, '127.0.0.1', () => socket.end(sent));
        socket
          .on('data', part => (got += part.toString('latin1')))
          .on('error', () => resolve(got))
          .on('close', () => resolve(got));
      });
      expect(answer).not.toMatch(/^HTTP\/1\.1 5/);
    }),
    { numRuns: 500 },
  );
  await sleep(50);
  expect((await ask(server, '/v2/health/ready')).status).toBe(200);
  expect(server.lines.filter(({ level }) => level !== 'info')).toEqual([]);
});
