import http from 'node:http';
import net from 'node:net';
import {
  ask,
  binaryAsk,
  FakeBundle,
  inferPath,
  scoresOf,
  sleep,
  someEvents,
  startServer,
  testCard,
  type TestServer,
} from './support.js';

let bundle: FakeBundle;
let server: TestServer;
const start = async (flags: Record<string, string>): Promise<void> => {
  bundle = new FakeBundle(await testCard());
  server = await startServer(async () => bundle, { maxBatch: '8', ...flags });
};
const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 500 && !(await holds()); i++) await sleep(10);
  expect(await holds()).toBe(true);
};
const metric = async (name: string): Promise<number> => {
  const line = (await ask(server, '/metrics')).body
    .toString()
    .split('\n')
    .find(text => text.startsWith(`${name} `));
  return Number(line?.split(' ')[1]);
};
/** Gives the session and what waits beside it something to do. */
const occupy = async () => {
  bundle.hold();
  const before = bundle.runs.length;
  const busy = [1, 2].map(() => ask(server, inferPath, binaryAsk(someEvents(8), 4)));
  await until(() => bundle.runs.length === before + 2);
  return busy;
};
/** Sends text as it is and gives all that comes back until the connection ends. */
const raw = (text: string, then?: (socket: net.Socket) => void): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = net.connect(Number(new URL(server.url).port), '127.0.0.1', () => {
      socket.write(text);
      then?.(socket);
    });
    let got = '';
    socket.on('data', part => (got += part.toString())).on('close', () => resolve(got));
    socket.on('error', error =>
      (error as NodeJS.ErrnoException).code === 'ECONNRESET' ? resolve(got) : reject(error),
    );
  });

test('a full queue refuses with 503 and Retry-After, before and after a body is read; all taken ones are answered', async () => {
  await start({ queue: '20' });
  const busy = await occupy();
  const waiting = [3, 12].map(n => ask(server, inferPath, binaryAsk(someEvents(n), 4)));
  await until(async () => (await metric('anomalyclr_queue_events')) === 15);
  const refused = await ask(server, inferPath, binaryAsk(someEvents(6), 4));
  expect(refused).toMatchObject({ status: 503, error: '15 events wait; try again in 1 s' });
  expect(refused.headers['retry-after']).toMatch(/^[1-9]\d*$/);
  const last = ask(server, inferPath, binaryAsk(someEvents(5), 4));
  await until(async () => (await metric('anomalyclr_queue_events')) === 20);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i < 3; i++)
    expect((await ask(server, inferPath, { ...binaryAsk(someEvents(1), 4), agent })).status).toBe(503);
  bundle.release();
  for (const reply of await Promise.all([...busy, ...waiting, last])) expect(reply.status).toBe(200);
  expect((await ask(server, inferPath, { ...binaryAsk(someEvents(1), 4), agent })).status).toBe(200);
  agent.destroy();
  expect(await metric('anomalyclr_queue_events')).toBe(0);
  expect(await metric('anomalyclr_refused_total{reason="full"}')).toBe(4);
});

test('what is not answered in time gets 504 and frees its place', async () => {
  await start({ queue: '20', timeout: '0.2' });
  const busy = await occupy();
  const late = ask(server, inferPath, binaryAsk(someEvents(20), 4));
  expect(await late).toMatchObject({ status: 504, error: 'no answer within 0.2 s' });
  for (const reply of await Promise.all(busy)) expect(reply.status).toBe(504);
  expect(await metric('anomalyclr_queue_events')).toBe(0);
  bundle.release();
  expect((await ask(server, inferPath, binaryAsk(someEvents(20), 4))).status).toBe(200);
});

test('a client that leaves frees its place', async () => {
  await start({ queue: '20' });
  const busy = await occupy();
  const leaving = new AbortController();
  const left = ask(server, inferPath, { ...binaryAsk(someEvents(20), 4), signal: leaving.signal });
  await until(async () => (await metric('anomalyclr_queue_events')) === 20);
  leaving.abort();
  await expect(left).rejects.toThrow('aborted');
  await until(async () => (await metric('anomalyclr_queue_events')) === 0);
  bundle.release();
  for (const reply of await Promise.all(busy)) expect(reply.status).toBe(200);
  expect(await metric('anomalyclr_refused_total{reason="cancelled"}')).toBe(1);
});

test('a body or a header that does not arrive gets 408, one that breaks off nothing', async () => {
  await start({ timeout: '0.3' });
  const head = `POST ${inferPath} HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n`;
  expect(await raw(`${head}\r\n{"inputs"`)).toMatch(/^HTTP\/1\.1 408 [^]*"error":"the request did not arrive/);
  expect(await raw(head)).toMatch(/^HTTP\/1\.1 408 [^]*"error"/);
  expect(await raw(`${head}\r\n{"inputs"`, socket => socket.destroySoon())).not.toMatch(/ 500 /);
  expect(await raw('how do you do?\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [^]*"error":"this is not HTTP"/);
  expect(await raw(`GET /v2 HTTP/1.1\r\nHost: here\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
  expect(scoresOf(await ask(server, inferPath, binaryAsk(someEvents(2), 4)))).toHaveLength(2);
});

test('bodies and answers that are held are bounded together, however many connections bring them', async () => {
  await start({ timeout: '1', maxRequest: '64' });
  const head = `POST ${inferPath} HTTP/1.1\r\nHost: here\r\nContent-Length: 63000000\r\n\r\n{`;
  const sockets: net.Socket[] = [];
  const replies = Array.from({ length: 6 }, () => raw(head, socket => sockets.push(socket)));
  const first = await Promise.race(replies);
  expect(first === '' ? await Promise.all(replies) : [first]).toEqual(
    expect.arrayContaining([expect.stringMatching(/^HTTP\/1\.1 503 [^]*retry-after: 1[^]*are held/i)]),
  );
  const all = await Promise.all(replies);
  expect(all.filter(text => text.includes(' 503 '))).toHaveLength(2);
  expect(all.filter(text => text.includes(' 408 '))).toHaveLength(4);
  for (const socket of sockets) socket.destroy();
  expect((await ask(server, inferPath, binaryAsk(someEvents(2), 4))).status).toBe(200);
});

test('whoever does not take an answer is cut off', async () => {
  await start({ timeout: '3', maxEvents: '80000', queue: '80000', maxBatch: '4096' });
  const { body, headers } = binaryAsk(someEvents(80_000, 2), 2);
  const length = headers['inference-header-content-length'];
  const head = `POST ${inferPath} HTTP/1.1\r\nHost: here\r\nContent-Length: ${body.length}\r\nInference-Header-Content-Length: ${length}\r\n\r\n`;
  const closed = new Promise<void>((resolve, reject) => {
    const socket = net.connect(Number(new URL(server.url).port), '127.0.0.1', () => {
      socket.write(head);
      socket.write(body);
      socket.pause(); // never reads
    });
    socket.on('error', () => resolve()).on('close', () => resolve());
    setTimeout(() => reject(new Error('was not cut off')), 20_000).unref();
    void until(async () => (await metric('anomalyclr_refused_total{reason="cancelled"}')) === 1).then(() => {
      socket.destroy();
    }, reject);
  });
  await closed;
});

test('a run that fails is a 500 in one line, and the next one is answered', async () => {
  await start({});
  bundle.disposed = true;
  const { status, error } = await ask(server, inferPath, binaryAsk(someEvents(2), 4));
  expect([status, error]).toEqual([500, 'the server failed at this request; its log says more']);
  expect(server.lines.find(({ level }) => level === 'error')).toMatchObject({ err: { message: 'was closed' } });
  bundle.disposed = false;
  expect((await ask(server, inferPath, binaryAsk(someEvents(2), 4))).status).toBe(200);
});
