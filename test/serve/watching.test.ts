import * as z from 'zod';
import {
  ask,
  binaryAsk,
  FakeBundle,
  inferPath,
  jsonBody,
  someEvents,
  startServer,
  testCard,
  type TestServer,
} from './support.js';

interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Record<string, Record<string, Operation>>;
}
interface Operation {
  readonly summary: string;
  readonly parameters?: { readonly name: string; readonly in: string; readonly required?: boolean }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> };
  readonly responses: Record<
    string,
    { readonly description: string; readonly content?: Record<string, { schema: object }> }
  >;
}

let server: TestServer;
let document: Document;
beforeEach(async () => {
  server = await startServer(async () => new FakeBundle(await testCard()), { maxBatch: '64' });
  document = (await ask(server, '/openapi.json')).json as unknown as Document;
});
const check = (schema: object): z.ZodType => z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);

test('the OpenAPI document is whole: every operation tells its parameters, bodies and answers', () => {
  expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'anomalyclr', version: '0.0.0' } });
  expect(Object.keys(document.paths).toSorted()).toEqual(
    [
      '/live',
      '/metrics',
      '/v2',
      '/v2/health/live',
      '/v2/health/ready',
      ...['', '/config', '/infer', '/ready', '/stats'].map(end => `/v2/models/{name}${end}`),
      ...['', '/config', '/infer', '/ready', '/stats'].map(end => `/v2/models/{name}/versions/{version}${end}`),
      '/v2/models/stats',
      '/v2/repository/index',
      '/v2/repository/models/{name}/load',
      '/v2/repository/models/{name}/unload',
    ].toSorted(),
  );
  for (const [path, operations] of Object.entries(document.paths))
    for (const { summary, parameters = [], responses } of Object.values(operations)) {
      expect(summary).toMatch(/\S/);
      const named = parameters.filter(one => one.in === 'path').map(({ name }) => name);
      expect(named).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
      expect(parameters.filter(one => one.in === 'path').every(({ required }) => required)).toBe(true);
      expect(Object.keys(responses).every(status => /^[1-5]\d\d$/.test(status))).toBe(true);
      for (const { description, content = {} } of Object.values(responses)) {
        expect(description).toMatch(/\S/);
        for (const { schema } of Object.values(content)) expect(() => check(schema)).not.toThrow();
      }
    }
});

test('answers and requests are as the document says', async () => {
  const body = jsonBody(someEvents(2), 4, { id: 'a' });
  const operation = (path: string, method: string): Operation => document.paths[path][method];
  const request = operation('/v2/models/{name}/infer', 'post').requestBody!.content['application/json'].schema;
  expect(check(request).safeParse(JSON.parse(body)).success).toBe(true);
  expect(check(request).safeParse({ inputs: [{ name: 'x' }] }).success).toBe(false);
  const asked: [string, 'get' | 'post', string, number][] = [
    ['/v2/models/{name}/infer', 'post', body, 200],
    ['/v2/models/{name}/infer', 'post', '{}', 400],
    ['/v2/models/{name}/versions/{version}/infer', 'post', body, 404],
    ['/v2/models/{name}', 'get', '', 200],
    ['/v2/models/{name}/ready', 'get', '', 200],
    ['/v2/models/{name}/config', 'get', '', 200],
    ['/v2/models/{name}/stats', 'get', '', 200],
    ['/v2/models/stats', 'get', '', 200],
    ['/v2/repository/index', 'post', '{}', 200],
    ['/v2/repository/models/{name}/load', 'post', '{}', 200],
    ['/v2/repository/models/{name}/unload', 'post', '{}', 400],
    ['/v2/health/live', 'get', '', 200],
    ['/v2/health/ready', 'get', '', 200],
    ['/v2', 'get', '', 200],
    ['/live', 'get', '', 200],
  ];
  for (const [path, method, sent, status] of asked) {
    const address = path.replace('{name}', 'anomalyclr').replace('{version}', '7');
    const reply = await ask(server, address, method === 'post' ? { body: sent } : {});
    expect([path, reply.status]).toEqual([path, status]);
    const { schema } = operation(path, method).responses[status].content!['application/json'];
    const parsed = check(schema).safeParse(reply.json);
    expect([path, parsed.success ? [] : parsed.error.issues]).toEqual([path, []]);
    expect(check(schema).safeParse('not that').success).toBe(false);
  }
});

test('metrics count requests, events, batches, refusals and what the monitor sees', async () => {
  const objects = someEvents(40);
  objects[0] = 700; // its first event leaves the domain
  for (let i = 0; i < 3; i++) await ask(server, inferPath, binaryAsk(objects, 4));
  await ask(server, inferPath, { body: '{}' });
  await ask(server, '/nothing');
  const reply = await ask(server, '/metrics');
  expect(reply.headers['content-type']).toMatch(/^text\/plain/);
  const text = reply.body.toString();
  for (const line of [
    'anomalyclr_requests_total{route="/v2/models/:name/infer",status="200"} 3',
    'anomalyclr_requests_total{route="/v2/models/:name/infer",status="400"} 1',
    'anomalyclr_requests_total{route="unknown",status="404"} 1',
    'anomalyclr_refused_total{reason="bad-request"} 1',
    'anomalyclr_request_seconds_count{route="/v2/models/:name/infer"} 4',
    'anomalyclr_events_total 120',
    'anomalyclr_batch_events_count 3',
    'anomalyclr_batch_events_sum 120',
    'anomalyclr_queue_events 0',
    'anomalyclr_queue_requests 0',
    'anomalyclr_model_version 1',
    'anomalyclr_model_loads_total{result="loaded"} 1',
    'anomalyclr_out_of_domain_share 0.025',
  ])
    expect(text.split('\n')).toContain(line);
  for (const name of [
    'score{quantile="0.5"}',
    'score{quantile="0.999"}',
    'drift_psi{feature="jet pT"}',
    'drift_ks{feature=',
  ])
    expect(text).toContain(`anomalyclr_${name}`);
  expect(text).toMatch(/^process_resident_memory_bytes \d/m);
  const names = text.split('\n').filter(line => /^[a-z]/.test(line));
  expect(names.length).toBe(new Set(names.map(line => line.slice(0, line.lastIndexOf(' ')))).size);
});

test('the page, its parts, and the figures that it asks for', async () => {
  const page = await ask(server, '/');
  expect(page.headers['content-type']).toMatch(/^text\/html/);
  expect(page.headers['content-security-policy']).toMatch(/default-src 'none'/);
  const links = [...page.body.toString().matchAll(/(?:href|src)="(page\/[^"]+)"/g)].map(([, link]) => link);
  expect(links.length).toBeGreaterThanOrEqual(2);
  for (const link of links) expect((await ask(server, `/${link}`)).status).toBe(200);
  for (let i = 0; i < 4; i++) await ask(server, inferPath, binaryAsk(someEvents(10), 4));
  const { json, headers } = await ask(server, '/live');
  expect(headers['cache-control']).toBe('no-store');
  expect(json).toMatchObject({
    events: 40,
    server: { refused: 0, errors: 0, queueEvents: 0, version: '0.0.0', provider: 'cpu', sessions: 1 },
  });
  const figures = json['server'] as { requests: number; latencyMs: { p50: number; p95: number; p99: number } };
  expect(figures.requests).toBeGreaterThan(6);
  expect(figures.latencyMs.p50).toBeGreaterThan(0);
  expect(figures.latencyMs.p99).toBeGreaterThanOrEqual(figures.latencyMs.p50);
});

test('a request is logged at debug alone, with neither its numbers nor its headers', async () => {
  await ask(server, inferPath, { body: jsonBody(someEvents(1), 4), headers: { 'x-secret': 'hush' } });
  const lines = server.lines.filter(({ msg }) => msg === 'request');
  expect(lines).toContainEqual({
    level: 'debug',
    time: expect.any(String),
    method: 'POST',
    url: inferPath,
    status: 200,
    ms: expect.any(Number),
    msg: 'request',
  });
  expect(JSON.stringify(server.lines)).not.toContain('hush');
  const quiet = await startServer(async () => new FakeBundle(await testCard()), { quiet: true });
  await ask(quiet, inferPath, { body: '{}' });
  expect(quiet.lines).toEqual([]);
  const info = await startServer(async () => new FakeBundle(await testCard()), { logLevel: 'info' });
  await ask(info, inferPath, { body: '{}' });
  expect(info.lines.map(({ msg }) => msg)).toEqual([
    'listening; loading the model',
    'model loaded',
    `ready: ${info.url}`,
  ]);
});
