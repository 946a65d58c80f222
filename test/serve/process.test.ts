import { copyFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { padEvents } from '../../src/bundle/pad.js';
import { range } from '../../src/events/event-batch.js';
import { temporaryFolder } from '../read/craft.js';
import { needsRuntime, runtimeInstalled, type SmallBundle, writeBundle } from '../support/bundle.js';
import { cli, start } from '../support/cli.js';
import { ask, binaryAsk, inferPath, type Line, scoresOf, sleep } from './support.js';

const at = temporaryFolder();
let small: SmallBundle;
beforeAll(async () => {
  if (!runtimeInstalled) return;
  small = await writeBundle(at('small.onnx'));
  await copyFile(at('small.onnx'), at('served.onnx'));
});

/** The server as its users start it, once it has said where it is. */
async function serve(...flags: string[]) {
  const { child, finished } = start(['serve', '--model', at('served.onnx'), '--port', '0', '--threads', '1', ...flags]);
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) child[name]!.on('data', part => (said[name] += String(part)));
  for (let i = 0; i < 600 && !said.stdout.includes('\n') && child.exitCode === null; i++) await sleep(50);
  const lines = (): Line[] =>
    said.stderr
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line) as Line);
  const until = async (word: string): Promise<void> => {
    for (let i = 0; i < 200 && !said.stderr.includes(word); i++) await sleep(50);
    expect(said.stderr).toContain(word);
  };
  return { child, finished, url: said.stdout.trim(), lines, until };
}
const someAsked = () => {
  const { objects, slots } = padEvents(range(small.events, 0, 20));
  return binaryAsk(objects, slots);
};

needsRuntime('one line of result, a log of JSON lines, reload by SIGHUP, exit code 0 after SIGTERM', async () => {
  const server = await serve();
  const { child, finished, url, lines, until } = server;
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const before = scoresOf(await ask(server, inferPath, someAsked()));
  expect(before).toHaveLength(20);

  await writeFile(at('served.onnx'), 'not a model');
  child.kill('SIGHUP');
  await until('version 1 goes on');
  expect(scoresOf(await ask(server, inferPath, someAsked()))).toEqual(before);

  await writeBundle(at('served.onnx'), { seed: 8 });
  child.kill('SIGHUP');
  await until('"version":"2"');
  const after = scoresOf(await ask(server, inferPath, someAsked()));
  expect(after).toHaveLength(20);
  expect(after).not.toEqual(before);
  await copyFile(at('small.onnx'), at('served.onnx'));

  child.kill('SIGTERM');
  const { code, stdout } = await finished;
  expect(code).toBe(0);
  expect(stdout).toBe(`${url}\n`);
  expect(lines().map(({ level }) => level)).toEqual(['info', 'info', 'info', 'error', 'info', 'info', 'info']);
  expect(lines().find(({ msg }) => msg.startsWith('ready'))!.msg).toBe(`ready: ${url}`);
  await expect(ask(server, '/v2')).rejects.toThrow('ECONNREFUSED');
});

needsRuntime('a stop answers what is under way, refuses what is new, and is not ready', async () => {
  const { child, finished, url, until } = await serve('--grace', '20');
  const { body, headers } = someAsked();
  const port = Number(new URL(url).port);
  const length = headers['inference-header-content-length'];
  const half = Math.floor(body.length / 2);
  const socket = net.connect(port, '127.0.0.1');
  let got = '';
  socket.on('data', part => (got += part.toString('latin1')));
  const closed = new Promise(resolve => socket.on('close', resolve));
  socket.write(
    `POST ${inferPath} HTTP/1.1\r\nHost: here\r\nContent-Length: ${body.length}\r\nInference-Header-Content-Length: ${length}\r\n\r\n`,
  );
  socket.write(body.subarray(0, half));
  await sleep(300);
  child.kill('SIGTERM');
  await until('stopping');
  const ready = await ask({ url }, '/v2/health/ready');
  expect([ready.status, ready.json, ready.headers.connection]).toEqual([503, { ready: false }, 'close']);
  const refused = await ask({ url }, inferPath, { body, headers });
  expect([refused.status, refused.error, refused.headers.connection]).toEqual([503, 'the server stops', 'close']);
  expect(refused.headers['retry-after']).toMatch(/^\d+$/);
  socket.write(body.subarray(half));
  await closed;
  expect(got).toMatch(/^HTTP\/1\.1 200 OK[^]*"model_name":"anomalyclr"/);
  expect((await finished).code).toBe(0);
});

needsRuntime('what is not done within the grace is cut off', async () => {
  const { child, finished, url } = await serve('--grace', '0.3', '--quiet');
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`POST ${inferPath} HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\n{`);
  await sleep(300);
  child.kill('SIGINT');
  const { code, stderr } = await finished;
  expect([code, stderr]).toEqual([0, '']);
});

needsRuntime('what cannot be served is one line and an exit code', async () => {
  await writeFile(at('broken.onnx'), 'not a model');
  const taken = net.createServer().listen(0, '127.0.0.1');
  await new Promise(resolve => taken.once('listening', resolve));
  const { port } = taken.address() as net.AddressInfo;
  const model = ['--model', at('small.onnx'), '--quiet'];
  const cases: [string[], number, RegExp][] = [
    [['--model', at('broken.onnx'), '--port', '0', '--quiet'], 1, /broken\.onnx: /],
    [['--model', at('none.onnx'), '--port', '0', '--quiet'], 1, /none\.onnx: no such file/],
    [[...model, '--port', String(port)], 1, /port \d+ is in use; give another --port/],
    [[...model, '--port', '0', '--tls-cert', 'x'], 2, /--tls-cert needs --tls-key/],
    [[...model, '--port', '0', '--token-file', at('none')], 1, /none: no such file/],
  ];
  for (const [flags, code, message] of cases) {
    const done = await cli(['serve', ...flags]);
    expect([flags, done.code, done.stdout]).toEqual([flags, code, '']);
    expect(done.stderr).toMatch(message);
    expect(done.stderr.trim().split('\n')).toHaveLength(1);
  }
  taken.close();
});
